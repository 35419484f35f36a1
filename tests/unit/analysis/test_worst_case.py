import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.score_intervals import tango_interval
from scripts.analysis.worst_case import WorstCase, worst_case

NAN = float("nan")
values = st.sampled_from([0.0, 1.0, NAN])


def at_95(trial: list[float], baseline: list[float], clusters: list[str] | None = None) -> WorstCase:
    return worst_case(trial, baseline, clusters, confidence_level=0.95)


def test_missing_values_count_against_the_trial_and_then_for_it() -> None:
    found = at_95([1, 1, NAN, 0, 1], [0, 1, 0, NAN, 0])
    # Worst: gained 2, lost 1 of 5.  Best: gained 3, lost 0.
    assert (found.lowest, found.highest, found.n_unpaired) == (pytest.approx(0.2), pytest.approx(0.6), 2)
    assert found.low == tango_interval(2, 1, 5, confidence_level=0.95)[0]
    assert found.high == tango_interval(3, 0, 5, confidence_level=0.95)[1]
    assert found.method == "tango score"


def test_an_item_missing_in_both_arms_moves_the_difference_most() -> None:
    found = at_95([1, NAN], [0, NAN])
    assert (found.lowest, found.highest) == (0.0, 1.0)


def test_with_nothing_missing_it_is_the_difference_and_its_interval() -> None:
    found = at_95([1, 1, 0], [0, 1, 0])
    assert found.lowest == found.highest == pytest.approx(1 / 3)
    assert (found.low, found.high) == tango_interval(1, 0, 3, confidence_level=0.95)


def test_each_end_names_its_method() -> None:
    found = at_95([0.5, 0.5, NAN], [0.5, 0.5, 0.0])
    assert found.method == "low: none: no variation; high: t"
    assert found.low is None
    assert found.high is not None


def test_without_items_there_is_no_worst_case() -> None:
    assert at_95([], []) == WorstCase(None, None, None, None, 0, "none: no items")


@settings(deadline=None)
@given(rows=st.lists(st.tuples(values, values, st.booleans(), st.booleans()), min_size=1, max_size=25))
def test_whatever_the_missing_values_are_the_difference_lies_within(
    rows: list[tuple[float, float, bool, bool]],
) -> None:
    table = np.array(rows, dtype=float)
    found = worst_case(table[:, 0], table[:, 1], confidence_level=0.95)
    filled = np.where(np.isnan(table[:, :2]), table[:, 2:], table[:, :2])
    difference = float(np.mean(filled[:, 0] - filled[:, 1]))
    assert found.lowest is not None
    assert found.highest is not None
    assert found.lowest - 1e-12 <= difference <= found.highest + 1e-12
    mirrored = worst_case(table[:, 1], table[:, 0], confidence_level=0.95)
    assert (mirrored.lowest, mirrored.highest) == pytest.approx((-found.highest, -found.lowest))
