"""A marker covers the very trials and outputs that it was made for."""

from typing import Any

import pytest

from scripts.run.markers import covers, make_marker

RECORDS: dict[str, dict[str, Any]] = {
    "a": {"made_from": "1", "outputs": {"<run>/x": {"sha256": "s"}}},
    "b": {"made_from": "2", "outputs": {"<run>/y": {"sha256": "t"}}},
}


def test_a_marker_covers_what_it_was_made_for() -> None:
    marker = make_marker("score", RECORDS, RECORDS)
    assert (marker["phase"], marker["trials"]) == ("score", ["a", "b"])
    assert covers(marker, RECORDS, RECORDS)


@pytest.mark.parametrize(
    "records",
    [
        {"a": RECORDS["a"]},
        {**RECORDS, "c": RECORDS["b"]},
        {**RECORDS, "b": {**RECORDS["b"], "made_from": "3"}},
        {**RECORDS, "b": {**RECORDS["b"], "outputs": {}}},
    ],
    ids=["a trial less", "a trial more", "made from something else", "other outputs"],
)
def test_a_marker_covers_nothing_else(records: dict[str, Any]) -> None:
    assert not covers(make_marker("score", RECORDS, RECORDS), records, records)


@pytest.mark.parametrize("marker", [None, [], "x", {}, {"trials": ["a", "b"]}, {"digest": 1, "trials": 2}])
def test_what_is_no_marker_covers_nothing(marker: Any) -> None:
    assert not covers(marker, RECORDS, RECORDS)
