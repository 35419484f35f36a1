"""What could not be read is said, and warned of where arms differ."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.reporting.reading_notes import reading_notes, reading_warnings


def counts(n_without_text: int = 0, n_unread: int = 0, n_replies: int = 200) -> dict[str, int]:
    return {
        "n_replies": n_replies,
        "n_without_text": n_without_text,
        "n_texts": n_replies - n_without_text,
        "n_unread": n_unread,
    }


def notes(mine: dict[str, int], theirs: dict[str, int] | None) -> list[str]:
    stats = {"trial": "new", "baseline": "old", "reading": {"trial": mine, "baseline": theirs}}
    return [note.replace("\N{NO-BREAK SPACE}", " ") for note in reading_notes(stats)]


def test_where_everything_was_read_nothing_is_said() -> None:
    assert notes(counts(), counts()) == []
    assert reading_notes({"trial": "new", "baseline": None}) == []  # made before replies were counted


@pytest.mark.parametrize("theirs", [None, counts(n_without_text=2, n_unread=1)])
def test_what_arms_share_is_said_without_a_warning(theirs: dict[str, int] | None) -> None:
    assert notes(counts(n_without_text=2, n_unread=1), theirs) == [
        "No text in 2 of 200 replies.",
        "No answer could be read in 1 of 198 replies.",
    ]


def test_a_difference_of_more_than_a_point_is_warned_of() -> None:
    assert notes(counts(n_unread=2), counts()) == ["No answer could be read in 2 of 200 replies."]
    (warning,) = notes(counts(n_unread=3), counts())
    assert warning.startswith(
        "Warning: no answer could be read in 3 of 200 replies of new (1.5 %), "
        "but in 0 of 200 replies of its baseline old (0.0 %). This may be a difference of format"
    )


def test_a_baseline_that_lacks_texts_is_warned_of_too() -> None:
    (warning,) = notes(counts(), counts(n_without_text=8, n_replies=10))
    assert "no text in 0 of 200 replies of new (0.0 %), but in 8 of 10 replies" in warning
    assert "have no score" in warning


def test_nothing_came_back_of_one_arm() -> None:
    assert notes(counts(n_replies=0), counts()) == []


def test_a_run_warns_of_every_trial_that_differs_from_its_baseline() -> None:
    trials: list[dict[str, Any]] = [
        {"trial": "old", "baseline": None, "reading": counts()},
        {"trial": "new", "baseline": "old", "reading": counts(n_without_text=8, n_unread=9)},
        {"trial": "same", "baseline": "old", "reading": counts()},
        {"trial": "lone", "baseline": "gone", "reading": counts(n_unread=9)},
        {"trial": "before", "baseline": "old", "reading": None},
    ]
    warnings = reading_warnings(trials)
    assert [" of new (" in warning for warning in warnings] == [True, True]
