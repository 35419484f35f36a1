"""What Fireworks' API does not take, found before anything is sent (its official client, 1.2.28)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings
    from scripts.records import Trial

RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repetition_penalty": (0, 2),
}
WHOLE = {"top_k": (0, 100), "max_tokens": (1, 10**9), "seed": (-(2**63), 2**63 - 1)}
EFFORTS = ("none", "low", "medium", "high")
PARAMETERS = frozenset({*RANGES, *WHOLE, "stop", "reasoning_effort"})

ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]*")
MODEL = re.compile(r"accounts/[\w-]+/[a-zA-Z]+/[\w.-]+")
BASE_URL = re.compile(r"https?://[^\s@?#]*[^\s@?#/](?<!/v1)/*")


def check_service(settings: Settings, account: str, base_url: str) -> None:
    """
    Refuse an account that is none, and an address that is none or that holds a secret.

    Raises
    ------
    ConfigError
        With what to write instead; an address is not shown.
    """
    if ACCOUNT.fullmatch(account) is None:
        raise settings.error(
            f"is {account!r}, but must be the account's id" if account else "is missing",
            "providers",
            "fireworks",
            "account",
            fix="Write only the id: what is between the slashes of accounts/ID/models in the console.",
        )
    if BASE_URL.fullmatch(base_url) is None:
        raise settings.error(
            "is not a plain address",
            "providers",
            "fireworks",
            "base_url",
            fix="Write it as https://HOST, without /v1, a user, a key or a question mark.",
        )


def check_model(settings: Settings, model: str, provider_model: str) -> None:
    """Refuse a name that no model of the provider has: such a job may wait for ever."""
    if MODEL.fullmatch(provider_model) is None:
        raise settings.error(
            f"is {provider_model!r}, which is not a model's full name",
            "models",
            model,
            "model",
            fix="Write it as accounts/fireworks/models/NAME, or accounts/YOURS/models/NAME.",
        )


def check_sampling(settings: Settings, trial: Trial) -> None:
    """
    Refuse a decoding setting that the provider would refuse: one bad request fails its whole job.

    Raises
    ------
    ConfigError
        With the setting, the value seen and what is allowed.
    """
    for key, value in trial.sampling.items():
        allowed = None if value is None else _allowed_instead(key, value)
        if allowed is not None:
            raise settings.error(
                f"is {value!r}, but must be {allowed}",
                "sampling",
                key,
                fix=f"Set {key} to null, or to what is allowed, for the trial {trial.name}.",
            )


def _allowed_instead(key: str, value: Any) -> str | None:
    """Say what the setting may be, if it may not be this."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in RANGES:
        low, high = RANGES[key]
        return None if is_number and low <= value <= high else f"a number from {low} to {high}"
    if key in WHOLE:
        least, most = WHOLE[key]
        is_whole = is_number and isinstance(value, int)
        return None if is_whole and least <= value <= most else f"a whole number from {least} to {most}"
    if key == "reasoning_effort":
        return None if value in EFFORTS else f"one of {', '.join(EFFORTS)}"
    if key == "stop" and not isinstance(value, str):
        return "a text"
    return None
