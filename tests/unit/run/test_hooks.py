"""Where Snakemake meets the project: what was written on its command line is read as it was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.run.hooks import written_overrides

TEXTS = st.text("0123456789_.-+eExabtrufalsn~:", min_size=1, max_size=12)


def as_snakemake_reads(text: str) -> Any:
    """Make of a text what Snakemake makes of it: a number, if it can."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


@given(TEXTS, st.sampled_from(["--config", "-C"]))
def test_a_name_stays_the_text_that_was_typed(text: str, option: str) -> None:
    arguments = ["snakemake", "-c", "2", option, f"run_id={text}", "seed=5", "--quiet"]
    assert written_overrides({"run_id": as_snakemake_reads(text)}, arguments) == {"run_id": text}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "run_id='007'"],
        ["--config=run_id=007"],
        ["--config", "seed=1", 'run_id="007"', "-n"],
        ["--config", "run_id=7", "--cores", "2", "--config", "run_id=007"],
    ],
)
def test_every_way_of_writing_it_is_the_same_name(arguments: list[str]) -> None:
    assert written_overrides({"run_id": 7}, ["snakemake", *arguments]) == {"run_id": "007"}


def test_what_looks_like_an_override_elsewhere_is_none() -> None:
    arguments = ["snakemake", "--config", "seed=1", "--set-resources", "run_id=9"]
    assert written_overrides({"run_id": 7}, arguments) == {"run_id": 7}


def test_texts_and_mappings_are_left_as_they_are() -> None:
    given = {"run_id": "demo", "stats": {"resamples": "200"}}
    assert (
        written_overrides(given, ["snakemake", "--config", "run_id=demo", "stats={resamples: 200}"]) == given
    )
