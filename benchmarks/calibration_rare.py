"""The methods for means and differences where few answers are right, or few wrong."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from benchmarks.calibration_pairs import (
    BASE_RATES,
    FEW_ITEMS,
    GAIN,
    MEANS,
    N_ITEMS,
    PAIR_EQUIVALENCE,
    PAIR_INTERVALS,
    PAIR_NOT_WORSE,
    PAIR_TESTS,
    TABLE_EQUIVALENCE,
    TABLE_INTERVALS,
    TABLE_NOT_WORSE,
    TABLE_TESTS,
    mean_case,
    pairs_case,
    proportion_case,
    sign_flip_p_value,
    table_case,
)
from benchmarks.simulation import Case, Design

RARE_RATES = 0.02, 0.05, 0.95, 0.98
"""Base rates, of the arm that is nearer to 0 or 1."""

AROUND = 0.01
"""Reach of the base rates that are drawn anew for each data set."""

JUMPS = "counts of a few answers jump, and an interval that keeps within 0 and 1 is long there"
SHORT_OR_LONG = 0.91, 1.0


def loosened(case: Case) -> Case:
    """Let an interval be short or long where a handful of answers are right, or wrong."""
    if case.design.n_items > FEW_ITEMS:
        return case
    return dataclasses.replace(case, promised=SHORT_OR_LONG, exception=JUMPS)


def rare_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(N_ITEMS, RARE_RATES):
        yield loosened(proportion_case(n, rate))
        yield loosened(proportion_case(n, rate, reach=AROUND))
        yield from _table_cases(n, rate)
        for design in (
            Design(n_items=n, n_replicates=5),
            Design(n_items=n, is_clustered=True),
            Design(n_items=n, n_replicates=5, is_clustered=True),
        ):
            yield from _design_cases(design, rate)


def _arms(rate: float) -> tuple[float, float]:
    """Rate of the baseline and the gain of the trial, which is nearer to one half."""
    return rate, GAIN if rate < 0.5 else -GAIN


def _worse_arms(rate: float) -> tuple[float, float]:
    """The same for a trial that is worse by the margin; for usual rates there is a case already."""
    return (rate + GAIN, -GAIN) if rate < 0.5 else (rate, -GAIN)


def _table_cases(n: int, rate: float) -> Iterator[Case]:
    base, gain = _arms(rate)
    worse, loss = _worse_arms(rate)
    for method in TABLE_INTERVALS:
        yield loosened(table_case(method, "coverage", n, base, gain=gain, truth=gain))
    for method in TABLE_TESTS:
        yield table_case(method, "false positives", n, base, gain=0.0)
    for method in TABLE_EQUIVALENCE:
        yield table_case(method, "false positives", n, base, gain=gain)
    for method in TABLE_NOT_WORSE if worse not in BASE_RATES else ():
        yield table_case(method, "false positives", n, worse, gain=loss)


def _design_cases(design: Design, rate: float) -> Iterator[Case]:
    base, gain = _arms(rate)
    worse, loss = _worse_arms(rate)
    for method in MEANS:
        yield mean_case(method, design, base)
    for method in PAIR_INTERVALS[:1]:
        yield pairs_case(method, "coverage", design, base, gain=gain)
    for method in PAIR_TESTS:
        if method.call is sign_flip_p_value:
            yield pairs_case(method, "false positives", design, base, gain=0.0)
    for method in PAIR_EQUIVALENCE:
        yield pairs_case(method, "false positives", design, base, gain=gain)
    for method in PAIR_NOT_WORSE if worse not in BASE_RATES else ():
        yield pairs_case(method, "false positives", design, worse, gain=loss)


def is_rare(rate: float) -> bool:
    """Whether few answers of an arm are right, or few wrong."""
    return bool(np.min([rate, 1 - rate]) < 0.1 - 1e-9)
