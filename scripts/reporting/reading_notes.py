"""What could not be read in a trial's replies, and where it differs from its baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from scripts.reporting.tables import brief, count, percent

Counts = Mapping[str, int]

LARGEST_DIFFERENCE = 0.01
"""Two arms whose shares differ by more are warned of: a point may be more than what is compared."""


class _Kind(NamedTuple):
    """A way in which a reply may hold no answer."""

    what: str
    n: str
    """The count of such replies."""
    of: str
    """The count of replies that could be such."""
    then: str


KINDS = (
    _Kind(
        "no text",
        "n_without_text",
        "n_replies",
        "Replies without a text have no score: see max_tokens, and what is missing.",
    ),
    _Kind(
        "no answer could be read",
        "n_unread",
        "n_texts",
        "This may be a difference of format, not of knowledge: look at these replies, and set markers.",
    ),
)


def reading_notes(stats: Mapping[str, Any]) -> list[str]:
    """
    Say of a trial how many replies had no text or no answer, with a warning where its baseline differs.

    Parameters
    ----------
    stats : mapping
        What ``stats.json`` holds; an older one, without ``reading``, gives nothing.

    Examples
    --------
    >>> none = {"n_replies": 50, "n_without_text": 0, "n_texts": 50, "n_unread": 0}
    >>> mine = {"n_replies": 50, "n_without_text": 2, "n_texts": 48, "n_unread": 0}
    >>> stats = {"trial": "t", "baseline": "c", "reading": {"trial": mine, "baseline": none}}
    >>> for note in reading_notes(stats):
    ...     print(note.replace("\N{NO-BREAK SPACE}", " "))
    Warning: no text in 2 of 50 replies of t (4.0 %), but in 0 of 50 replies of its baseline c (0.0 %). \
Replies without a text have no score: see max_tokens, and what is missing.
    """
    reading = stats.get("reading")
    if not reading:
        return []
    mine, theirs = reading["trial"], reading["baseline"]
    names = stats["trial"], stats["baseline"]
    warned = _warnings(names, mine, theirs) if theirs else {}
    plain = {kind.n: f"{kind.what.capitalize()} in {_replies(mine, kind)}." for kind in KINDS if mine[kind.n]}
    return [*({**plain, **warned}).values()]


def reading_warnings(trials: Iterable[Mapping[str, Any]]) -> list[str]:
    """Warn of each trial of a summary that lacks texts or answers more or less often than its baseline."""
    by_name = {trial["trial"]: trial for trial in trials}
    warnings: list[str] = []
    for name, trial in by_name.items():
        other = by_name.get(trial["baseline"])
        if other and trial.get("reading") and other.get("reading"):
            warnings += _warnings((name, trial["baseline"]), trial["reading"], other["reading"]).values()
    return warnings


def _warnings(names: tuple[str, str], mine: Counts, theirs: Counts) -> dict[str, str]:
    """Warn by kind of what differs between two arms."""
    said = brief(names[0]), f"its baseline {brief(names[1])}"
    found = {}
    for kind in KINDS:
        shares = [arm[kind.n] / arm[kind.of] if arm[kind.of] else 0.0 for arm in (mine, theirs)]
        if abs(shares[0] - shares[1]) > LARGEST_DIFFERENCE:
            trial, baseline = (
                f"in {_replies(arm, kind)} of {name} ({percent(share)})"
                for arm, name, share in zip((mine, theirs), said, shares, strict=True)
            )
            found[kind.n] = f"Warning: {kind.what} {trial}, but {baseline}. {kind.then}"
    return found


def _replies(arm: Counts, kind: _Kind) -> str:
    return f"{count(arm[kind.n])} of {count(arm[kind.of])} {'reply' if arm[kind.of] == 1 else 'replies'}"
