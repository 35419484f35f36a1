"""A dataset is read once: what was found is recalled while all that it hangs on is as it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import files
from scripts.errors import PipelineError
from scripts.experiment.prompts import load_template, used_fields
from scripts.experiment.settings import Settings
from scripts.run import dataset_reading
from scripts.run.checks import check_settings
from scripts.run.dataset_reading import remember
from tests.fakes.small_experiments import ITEMS, SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


@pytest.fixture
def n_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Settings], int]:
    """Check a configuration, and count the items that were read for it."""
    read: list[str] = []
    plain = dataset_reading.read_items

    def counting(path: Path, **options: Any) -> Any:
        for item in plain(path, **options):
            read.append(item.id)
            yield item

    def check(settings: Settings) -> int:
        read.clear()
        check_settings(settings)
        return len(read)

    monkeypatch.setattr(dataset_reading, "read_items", counting)
    return check


def started(experiment: SmallExperiment, **changes: Any) -> Settings:
    """Check a configuration and keep what was found, as a start does."""
    settings = experiment.check(**changes)
    settings.run_root.mkdir(parents=True, exist_ok=True)
    remember(settings)
    return settings


def test_an_unchanged_dataset_is_not_read_again(
    experiment: SmallExperiment, n_read: Callable[[Settings], int]
) -> None:
    settings = started(experiment)
    assert n_read(settings) == 0
    os.utime("quiz.jsonl", (1, 1))  # touched: its content counts, not its date
    assert n_read(settings) == 0


def test_what_was_checked_without_a_start_is_not_kept(
    experiment: SmallExperiment, n_read: Callable[[Settings], int]
) -> None:
    settings = experiment.check()
    assert not settings.run_root.exists()
    assert n_read(settings) == 3


def edit_item(experiment: SmallExperiment) -> Settings:
    status = Path("quiz.jsonl").stat()
    text = Path("quiz.jsonl").read_text()
    experiment.write("quiz.jsonl", text.replace("Peru", "Cuba"))
    os.utime("quiz.jsonl", ns=(status.st_atime_ns, status.st_mtime_ns))
    return experiment.load()


def edit_prompt(experiment: SmallExperiment) -> Settings:
    experiment.write("plain.md", "{{ topic }} {{ question }}")
    return experiment.load()


EDITS: dict[str, Callable[[SmallExperiment], Settings]] = {
    "an item, size and date kept": edit_item,
    "the scorer": lambda e: e.load(datasets={"quiz": {"path": "quiz.jsonl", "scorer": "numerics"}}),
    "the groups": lambda e: e.load(stats={"subgroups": ["topic"]}),
    "a field that a template names": edit_prompt,
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_noticed(
    experiment: SmallExperiment, n_read: Callable[[Settings], int], edit: str
) -> None:
    started(experiment)
    files._sha256.cache_clear()  # as another process has it
    changed = EDITS[edit](experiment)
    load_template.cache_clear()
    used_fields.cache_clear()
    if edit == "the scorer":
        with pytest.raises(PipelineError, match="unknown scorer"):
            check_settings(changed)
    else:
        assert n_read(changed) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"datasets": []}', '{"datasets": {"quiz": 1}}'])
def test_a_record_that_is_broken_is_as_none(
    experiment: SmallExperiment, n_read: Callable[[Settings], int], text: str
) -> None:
    settings = started(experiment)
    settings.paths.checked.write_text(text)
    assert n_read(settings) == 3


def test_a_record_whose_parts_are_gone_is_as_none(
    experiment: SmallExperiment, n_read: Callable[[Settings], int]
) -> None:
    settings = started(experiment)
    kept = json.loads(settings.paths.checked.read_text())
    kept["datasets"]["quiz"]["samples"] = [{"id": "q1"}]
    settings.paths.checked.write_text(json.dumps(kept))
    assert n_read(settings) == 3


def test_what_is_recalled_still_finds_a_prompt_that_is_wrong(experiment: SmallExperiment) -> None:
    started(experiment)
    experiment.write("other.md", "{{ topik }} {{ question }}")
    with pytest.raises(PipelineError, match="did you mean 'topic'"):
        experiment.check(prompts={"plain": {"user": "other.md"}, "brief": {"user": "brief.md"}})


def test_only_the_items_that_the_run_takes_are_read(
    experiment: SmallExperiment, n_read: Callable[[Settings], int]
) -> None:
    experiment.write("quiz.jsonl", "".join(json.dumps(item) + "\n" for item in ITEMS) + "{broken\n")
    assert n_read(experiment.load(limit_items=2)) == 2
    assert n_read(experiment.load(limit_items=3)) == 3
    with pytest.raises(PipelineError, match="line 4: is not valid JSON"):
        experiment.check()


def test_a_recording_may_answer_items_behind_the_limit(experiment: SmallExperiment) -> None:
    rows = [{"model": "tape", "prompt": "plain", "item_id": name, "text": "4"} for name in ("q1", "q3")]
    experiment.write("tape.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    replay = {
        "models": {"tape": {"provider": "replay", "recorded": "tape.jsonl"}},
        "trials": {"sweep": {"prompt": ["plain"]}},
    }
    experiment.check(limit_items=1, **replay)
    experiment.write("tape.jsonl", json.dumps({**rows[0], "item_id": "q9"}) + "\n")
    with pytest.raises(PipelineError, match="answers the item 'q9', which is in no dataset"):
        experiment.check(limit_items=9, **replay)
