"""
Which decoding settings a model does not accept: a table with its sources and dates, checked before sending.

Batches are validated request by request after they were created, so what a model refuses would come back as a
whole batch of errors up to a day later.  A name that a service's own naming makes newer than the table counts
as the newest model that is known; any other name (a server of one's own) has no rule.  The rules are what the
services and their clients say; nothing of them was tried.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings
    from scripts.records import Trial

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
CLAUDE_GUIDE = "https://platform.claude.com/docs/en/about-claude/models/migration-guide, read 2026-11"
"""Opus 4.7: sampling parameters are removed and answered with 400; Sonnet 4.5: either temperature or top_p.
The request type of the client (anthropic 2.12.0) has none of the three."""

REASONING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"})
OPENAI_GUIDE = "https://developers.openai.com/api/docs/guides/reasoning and latest-model, read 2026-11"
"""Where reasoning effort is not none, temperature and top_p are to be removed.  ``max_tokens`` is not for
reasoning models (openai 3.54.0, type of chat completions)."""

ALWAYS_REASON = r"o\d|gpt-5(-|$)|gpt-6(\.\d+)?-astra|gpt-6\.1-sol|gpt-.*-(pro|codex)"
"""Models of OpenAI's that have no ``reasoning_effort: none``."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What holds for the models of one service whose names match."""

    service: str
    pattern: re.Pattern[str]
    source: str
    refuses: frozenset[str] = frozenset()
    """Settings that are not accepted."""
    not_both: tuple[str, str] | None = None
    """Settings that are not accepted together."""
    takes_all_without_effort: bool = False
    """Whether ``reasoning_effort: none`` makes it accept the settings."""
    reasons: bool = False
    """Whether the longest answer is called ``max_completion_tokens``."""


def _rule(service: str, pattern: str, source: str, **facts: object) -> Rule:
    return Rule(service, re.compile(pattern), source, **facts)  # type: ignore[arg-type]


RULES = (
    _rule("anthropic", r"claude-(v?[12]\b|instant|3\b|(opus|sonnet)-4(-0)?(-\d{8})?$)", CLAUDE_GUIDE),
    _rule(
        *("anthropic", r"claude-(opus-4-[156]|sonnet-4-[56]|haiku-4-5)(-\d{8}|-latest)?$", CLAUDE_GUIDE),
        not_both=("temperature", "top_p"),
    ),
    _rule("anthropic", r"claude-", CLAUDE_GUIDE, refuses=SAMPLING),
    _rule("openai", r"(ft:)?(gpt-[34]|gpt-5-chat|gpt-oss|gpt-audio|chatgpt-4o)", OPENAI_GUIDE),
    _rule("openai", rf"(ft:)?({ALWAYS_REASON})", OPENAI_GUIDE, refuses=REASONING, reasons=True),
    _rule(
        *("openai", r"(ft:)?gpt-", OPENAI_GUIDE),
        refuses=REASONING,
        takes_all_without_effort=True,
        reasons=True,
    ),
)
"""The first that matches counts; the last of a service stands for newer names."""


def find_rule(service: str, model: str) -> Rule | None:
    """
    Find what holds for a model; None: nothing is known of such names.

    Examples
    --------
    >>> sorted(find_rule("anthropic", "claude-opus-9").refuses)
    ['temperature', 'top_k', 'top_p']
    >>> find_rule("anthropic", "claude-haiku-4-5").refuses
    frozenset()
    >>> find_rule("openai", "llama-3.1-8b") is None
    True
    """
    return next((rule for rule in RULES if rule.service == service and rule.pattern.match(model)), None)


def is_reasoning(model: str) -> bool:
    """
    Whether a model of OpenAI's reasons before it answers.

    Examples
    --------
    >>> [is_reasoning(name) for name in ("o3-mini", "gpt-6.1-terra", "gpt-4o-mini", "gpt-5-chat-latest")]
    [True, True, False, False]
    """
    rule = find_rule("openai", model)
    return rule is not None and rule.reasons


def check_capabilities(settings: Settings, trial: Trial, service: str, model: str) -> None:
    """
    Refuse decoding settings of a trial that its model does not accept.

    Raises
    ------
    ConfigError
        At the line to change, with the value seen, the source and its date.
    """
    rule = find_rule(service, model)
    given = {key: value for key, value in trial.sampling.items() if value is not None}
    if rule is None or (rule.takes_all_without_effort and given.get("reasoning_effort") == "none"):
        return
    for key in sorted(rule.refuses & given.keys()):
        effort = ", or set reasoning_effort: none" if rule.takes_all_without_effort else ""
        raise settings.error(
            f"is {given[key]!r}, but the model {model} does not accept {key}",
            *find_place(settings, trial, key),
            fix=f"Write `{key}: null` there for its trials (null sends none){effort}. Source: {rule.source}.",
        )
    if rule.not_both is not None and set(rule.not_both) <= given.keys():
        first, second = rule.not_both
        raise settings.error(
            f"is {given[second]!r}, but the model {model} does not accept {first} and {second} together",
            *find_place(settings, trial, second),
            fix=f"Write `{first}: null` or `{second}: null` (null sends none). Source: {rule.source}.",
        )


def find_place(settings: Settings, trial: Trial, key: str) -> tuple[str | int, ...]:
    """Say where in the configuration a trial's decoding setting stands, or would stand."""
    trials = settings.config["trials"]
    if key in trials.get("sweep", {}):
        return "trials", "sweep", key
    for position, entry in enumerate(trials.get("list", ())):
        if position < len(settings.trials) and settings.trials[position] == trial and key in entry:
            return "trials", "list", position, key
    if (
        "table" in trials
        and key in trial.factors
        and trial.sampling[key] != settings.config["sampling"].get(key)
    ):
        return "trials", "table"
    return "sampling", key
