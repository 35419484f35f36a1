"""What OpenAI's API does not take, found before anything is sent (its specification, November 2026)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.providers.capabilities import check_capabilities
from scripts.providers.chat_checks import find_problem

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings
    from scripts.records import Trial

CHAT_ONLY = frozenset({"seed", "stop", "presence_penalty", "frequency_penalty"})
PARAMETERS = CHAT_ONLY | {"temperature", "top_p", "max_tokens", "reasoning_effort", "verbosity"}

RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
WORDS = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "verbosity": ("low", "medium", "high"),
}


def check_sampling(settings: Settings, trial: Trial, model: str, endpoint: str) -> None:
    """
    Refuse a decoding setting that the model or the endpoint would refuse, once the batch is there.

    Raises
    ------
    ConfigError
        With the setting, the value seen and what is allowed.
    """
    sampling = {key: value for key, value in trial.sampling.items() if value is not None}
    for key, value in sampling.items():
        problem = find_problem(key, value, RANGES, WORDS)
        fix = f"Set {key} to null, or to what is allowed, for the trial {trial.name}."
        if problem is None and endpoint == "/v1/responses" and key in CHAT_ONLY:
            problem = f"is {value!r}, but the endpoint /v1/responses does not accept {key}"
        if problem is not None:
            raise settings.error(problem, "sampling", key, fix=fix)
    check_capabilities(settings, trial, "openai", model)
