"""Replies without a text or an answer, from the recording to the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.harness import Experiment

pytestmark = pytest.mark.workflow

TAPED = {
    "prompts": {"bare": {}, "styled": {}},
    "models": {"m": {"provider": "replay", "recorded": "recorded.jsonl"}},
    "sampling": {"temperature": None, "max_tokens": None},
    "trials": {"sweep": {"model": ["m"], "prompt": ["bare", "styled"]}, "baseline": {"prompt": "bare"}},
    "allow_unpriced": True,
}
CUT = {"text": "", "finish_reason": "length"}


def run(
    folder: Path,
    scorer: object,
    items: list[Mapping[str, Any]],
    replies: Mapping[str, list[Mapping[str, Any]]],
) -> Experiment:
    """Run two prompts on recorded replies, one to each item."""
    made = Experiment(folder).write(
        {"run_id": "t", "datasets": {"d": {"path": "own.jsonl", "scorer": scorer}}, **TAPED}
    )
    named = [{"id": f"q{n}", "question": f"Question {n}?", **item} for n, item in enumerate(items)]
    taped = [
        {"model": "m", "prompt": prompt, "item_id": f"q{n}", **reply}
        for prompt, texts in replies.items()
        for n, reply in enumerate(texts)
    ]
    for name, rows in (("own.jsonl", named), ("recorded.jsonl", taped)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = made.run()
    assert done.returncode == 0, done.stderr
    return made


def pages(made: Experiment) -> list[str]:
    return [
        (made.root / place / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
        for place in ("report", "trials/m__styled/report")
    ]


def trial(made: Experiment, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in made.summary()["trials"] if one["trial"] == name)
    return found


def test_an_empty_reply_that_was_cut_is_no_right_abstention(tmp_path: Path) -> None:
    items: list[Mapping[str, Any]] = [
        *({"answers": []} for _ in range(8)),
        {"answers": ["Paris"]},
        {"answers": ["Paris"]},
    ]
    right = [{"text": "Paris"}] * 2
    made = run(
        tmp_path,
        "short_answer",
        items,
        {"bare": [{"text": "Soup."}] * 8 + right, "styled": [CUT] * 8 + right},
    )

    rows = made.table("m__styled", "score/scores.parquet")
    assert {row["outcome"] for row in rows[:8]} == {"truncated"}
    assert all(math.isnan(row[name]) for row in rows[:8] for name in ("correct", "abstained", "unread"))
    assert [row["read"] for row in rows] == [None] * 8 + ["Paris"] * 2
    styled = trial(made, "m__styled")
    assert (styled["n_without_text"], trial(made, "m__bare")["n_without_text"]) == (8, 0)
    assert styled["metrics"]["unread"]["mean"] == 0.0
    assert {effect["verdict"] for effect in made.summary()["effects"]} == {"inconclusive"}
    for page in pages(made):
        assert "Warning: no text in 8 of 10 replies of m__styled (80.0 %)" in page


def test_what_could_not_be_read_is_not_wrong_and_is_warned_of(tmp_path: Path) -> None:
    items: list[Mapping[str, Any]] = [{"answers": ["B"], "choices": ["Rome", "Paris"]}] * 4
    hostile = "<script>alert(1)</script> A city"
    styled = [{"text": text} for text in ("**Answer:** <b>B</b>", "B", hostile, "I could not say.")]
    made = run(tmp_path, "multiple_choice", items, {"bare": [{"text": "B"}] * 4, "styled": styled})

    rows = made.table("m__styled", "score/scores.parquet")
    assert [(row["read"], row["unread"]) for row in rows] == [
        ("B", 0.0),
        ("B", 0.0),
        (None, 1.0),
        (None, 1.0),
    ]
    assert [row["correct"] for row in rows[:2]] == [1.0, 1.0]
    assert all(math.isnan(row["correct"]) for row in rows[2:])
    styled_summary = trial(made, "m__styled")
    assert (
        styled_summary["metrics"]["unread"]["mean"]
        == styled_summary["by_dataset"]["d"]["metrics"]["unread"]["mean"]
    )
    assert styled_summary["metrics"]["unread"]["mean"] == 0.5
    assert styled_summary["n_without_text"] == 0
    for page in pages(made):
        assert "Warning: no answer could be read in" in page
        assert "<script>alert" not in page
