"""Which of a run's trials form a full cross of factors, and which are left out of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from scripts.analysis.arrays import CodeArray

Level = str | float | bool | None
"""A level of a factor: a name or a number; None is a level like any other."""


@dataclasses.dataclass(frozen=True)
class LeftOutCell:
    """A trial that is not part of the cross."""

    cell: int
    """Its number among the cells."""
    reason: str
    """Why."""


@dataclasses.dataclass(frozen=True)
class Cross:
    """Factors of which every combination of levels is there."""

    names: tuple[str, ...]
    """Factors that vary; none where no two cells differ in their levels."""
    levels: tuple[tuple[Level, ...], ...]
    """Levels of each factor: numbers rising, others in the order in which they come."""
    cells: CodeArray
    """Number of the cell with each combination of levels; an axis per factor."""
    left_out: tuple[LeftOutCell, ...]
    """Cells that are not in ``cells``, by number."""


def full_cross(levels: Sequence[Mapping[str, Level]], has_scores: Sequence[bool]) -> Cross:
    """
    Find the factors, and cells of which every combination of their levels is there.

    Parameters
    ----------
    levels : sequence of mapping, length n_cells
        Each cell's level of each factor; all cells name the same factors.
    has_scores : sequence of bool, length n_cells
        Whether there is any score; a cell without one is left out.

    Returns
    -------
    Cross
        While a combination is missing, the level that lacks the largest share of its combinations is left
        out, of several such the one with the fewest cells, then the last one.  A factor of one level is none.

    Raises
    ------
    ValueError
        If the cells do not name the same factors, or the lengths differ.

    Examples
    --------
    >>> found = full_cross([{"model": m, "prompt": p} for m, p in ("aA", "aB", "bA", "bB", "cA")], [True] * 5)
    >>> found.names, found.levels, found.cells.tolist()
    (('model', 'prompt'), (('a', 'b'), ('A', 'B')), [[0, 1], [2, 3]])
    >>> found.left_out
    (LeftOutCell(cell=4, reason="model 'c' is not there with every level of the other factors"),)
    """
    if len(levels) != len(has_scores):
        raise ValueError(f"{len(levels)} cells have levels, but {len(has_scores)} have or lack scores")
    names = tuple(levels[0]) if levels else ()
    if any(set(cell) != set(names) for cell in levels):
        raise ValueError(f"every cell must have a level of each of {', '.join(names)}")
    there: dict[tuple[Level, ...], int] = {}
    left_out = []
    for number, (cell, is_there) in enumerate(zip(levels, has_scores, strict=True)):
        key = tuple(cell[name] for name in names)
        if not is_there:
            left_out.append(LeftOutCell(number, "no scores"))
        elif there.setdefault(key, number) != number:
            left_out.append(LeftOutCell(number, "the same levels as another trial"))
    while (worst := _least_crossed(there)) is not None:
        axis, level = worst
        reason = f"{names[axis]} {level!r} is not there with every level of the other factors"
        left_out += [LeftOutCell(number, reason) for key, number in there.items() if key[axis] == level]
        there = {key: number for key, number in there.items() if key[axis] != level}
    every = _levels(there)
    axes = [axis for axis, one in enumerate(every) if len(one) > 1]
    chosen = tuple(every[axis] for axis in axes)
    cells = np.zeros([len(one) for one in chosen], dtype=np.int64)
    for key, number in there.items():
        cells[tuple(every[axis].index(key[axis]) for axis in axes)] = number
    return Cross(
        names=tuple(names[axis] for axis in axes),
        levels=chosen,
        cells=cells,
        left_out=tuple(sorted(left_out, key=lambda one: one.cell)),
    )


def is_numeric(levels: Sequence[Level]) -> bool:
    """Whether all levels are numbers, so that a trend over them has a meaning."""
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels)


def _levels(there: Mapping[tuple[Level, ...], int]) -> list[tuple[Level, ...]]:
    """Levels of each factor, in the order in which they are shown."""
    every = [tuple(dict.fromkeys(column)) for column in zip(*there, strict=True)]
    return [tuple(sorted(one, key=_number)) if is_numeric(one) else one for one in every]


def _number(level: Level) -> float:
    return float(level or 0)


def _least_crossed(there: Mapping[tuple[Level, ...], int]) -> tuple[int, Level] | None:
    """Axis and level to leave out next; None: every combination is there."""
    every = _levels(there)
    total = math.prod(len(one) for one in every)
    if len(there) == total or not there:
        return None
    ranked = []
    for axis, one in enumerate(every):
        for place, level in enumerate(one):
            n_there = sum(key[axis] == level for key in there)
            n_missing = total // len(one) - n_there
            ranked.append((n_missing * len(one) / total, -n_there, axis, place, level))
    worst = max(ranked, key=lambda row: row[:4])
    return worst[2], worst[4]
