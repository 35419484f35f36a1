"""Looks at a run that grows."""

from __future__ import annotations

from pathlib import Path

from scripts.run.looks import Look, looks_words, read_looks, record_look
from scripts.run.paths import RunPaths


def test_results_seen_again_with_as_many_questions_are_no_further_look(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run_x")
    assert read_looks(paths) == []

    record_look(paths, n_questions=200, n_requests=400, at="2026-01-01T00:00:00")
    record_look(paths, n_questions=200, n_requests=400, at="2026-01-02T00:00:00")
    looks = record_look(paths, n_questions=400, n_requests=800, at="2026-01-03T00:00:00")

    assert looks == read_looks(paths)
    assert looks == [Look("2026-01-01T00:00:00", 200, 400), Look("2026-01-03T00:00:00", 400, 800)]


def test_fewer_questions_than_before_are_no_further_look_if_they_were_seen(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run_x")
    for n in (100, 200, 100):
        record_look(paths, n_questions=n, n_requests=n, at="2026-01-01T00:00:00")
    assert [look.n_questions for look in read_looks(paths)] == [100, 200]


def test_one_look_needs_no_word() -> None:
    looks = [Look("2026-01-01T00:00:00", 1200, 400), Look("2026-01-02T00:00:00", 1300, 400)]
    assert looks_words(looks[:1], is_anytime=False) == ""
    assert "with 1,200 questions): p-values and intervals hold for one." in looks_words(
        looks, is_anytime=False
    )
    assert "hold at every look" in looks_words(looks, is_anytime=True)
