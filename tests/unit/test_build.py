"""A request that no batch can hold is found while building: before anything is sent."""

from __future__ import annotations

import pytest

from scripts.build import build_trial
from scripts.errors import LimitError
from scripts.files import dump_line, read_jsonl
from scripts.prepare import prepare_dataset
from tests.fakes.sending_fakes import make_settings


def build(folder, question):
    settings = make_settings(folder, providers={"simulated": {"max_bytes": 2048}})
    items = folder / "items.jsonl"
    items.write_text(dump_line({"id": "long", "question": question, "answers": ["yes"]}), encoding="utf-8")
    prepared, out = settings.run_root / "d.parquet", settings.run_root / "requests.jsonl"
    prepare_dataset(items, limit=None, out=prepared)
    build_trial(settings, settings.trials[0], [prepared], out=out)
    return out


@pytest.mark.parametrize("question", ["x" * 2100, "\N{SNOWMAN}" * 700])
def test_a_request_over_the_limit_is_named(tmp_path, question):
    with pytest.raises(LimitError, match=r"item 'long' of d: one request has 2,\d{3} bytes, but may have"):
        build(tmp_path, question)
    assert not list(tmp_path.rglob("requests.jsonl"))


def test_a_request_within_it_is_built(tmp_path):
    assert len(list(read_jsonl(build(tmp_path, "x" * 1500)))) == 1
