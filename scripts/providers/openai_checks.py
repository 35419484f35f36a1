"""What OpenAI's API does not take, found before anything is sent (its specification, November 2026)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
NOT_FOR_REASONING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop")
REASONING = re.compile(r"(ft:)?(o1|o3|o4|gpt-5)(?!\d)(?!.*-chat)")


def is_reasoning(model: str) -> bool:
    """
    Whether a model of this name reasons before it answers.

    Examples
    --------
    >>> [is_reasoning(name) for name in ("o3-mini", "gpt-5-nano", "gpt-4o-mini", "gpt-5-chat-latest")]
    [True, True, False, False]
    """
    return REASONING.match(model) is not None


def check_sampling(settings: Settings, trial: Trial, model: str, endpoint: str) -> None:
    """
    Refuse a decoding setting that the model or the endpoint would refuse, once the batch is there.

    Raises
    ------
    ConfigError
        With the setting, the value seen and what is allowed.
    """
    sampling = {key: value for key, value in trial.sampling.items() if value is not None}
    reasons = is_reasoning(model) and sampling.get("reasoning_effort") != "none"
    for key, value in sampling.items():
        problem = find_problem(key, value, RANGES, WORDS)
        fix = f"Set {key} to null, or to what is allowed, for the trial {trial.name}."
        if problem is None and reasons and key in NOT_FOR_REASONING:
            problem = f"is {value!r}, but the reasoning model {model} does not accept {key}"
            fix = f"Set {key}: null for its trials (null sends none)."
        if problem is None and endpoint == "/v1/responses" and key in CHAT_ONLY:
            problem = f"is {value!r}, but the endpoint /v1/responses does not accept {key}"
        if problem is not None:
            raise settings.error(problem, "sampling", key, fix=fix)
