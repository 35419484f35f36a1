"""
How well the methods of `scripts/analysis` keep their word, in data made with a known truth.

An interval at 95 % is to hold the truth in 94 to 96.5 of 100 data sets, a test at 5 % to reject at most 5
of 100 in which there is nothing to find.  Run it with ``python -m benchmarks.calibration``; ``--only NAME``
takes the cases whose name contains the words.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.calibration_analyses import analysis_cases
from benchmarks.calibration_families import family_cases
from benchmarks.calibration_joint import joint_cases
from benchmarks.calibration_looks import looks_cases
from benchmarks.calibration_missing import missing_cases
from benchmarks.calibration_pairs import N_ITEMS, pair_cases
from benchmarks.calibration_rare import is_rare, rare_cases
from benchmarks.simulation import Case, described, measure

SEED = 20250101
SIMULATIONS = 2000

COLUMNS = {
    "method": 46,
    "n": 5,
    "base rate": 9,
    "clusters": 8,
    "replicates": 10,
    "measured": 8,
    "error": 5,
    "silent": 7,
    "verdict": 11,
}
"""Columns of the table and their widths."""


def all_cases() -> Iterator[Case]:
    """Every method under every design."""
    yield from pair_cases()
    yield from rare_cases()
    yield from analysis_cases()
    yield from family_cases()
    yield from joint_cases()
    yield from missing_cases()
    yield from looks_cases()


@functools.cache
def cases_by_name() -> dict[str, Case]:
    """All cases, made once in each process."""
    return {case.name: case for case in all_cases()}


def measure_named(name: str, *, simulations: int, seed: int) -> dict[str, Any]:
    """Measure the case of this name; a process of its own can do that, as nothing but the name is sent."""
    return described(measure(cases_by_name()[name], simulations=simulations, seed=seed))


def cells(found: dict[str, Any]) -> list[str]:
    """Cells of a row of the table."""
    is_interval = found["promise"] == "coverage"
    rate, error = (percent(found[key]) for key in ("rate", "monte_carlo_error"))
    return [
        found["method"] if is_interval else f"{found['method']} ({found['promise']})",
        str(found["n"]),
        f"{found['base_rate']:g}",
        str(found["clusters"] or "-"),
        str(found["replicates"]),
        rate,
        error,
        percent(found["silent"] / found["simulations"]),
        found["verdict"] + (" *" if found["exception"] else ""),
    ]


def summary(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of a Markdown table: for each method and kind of data the range over the base rates."""
    sizes = sorted({found["n"] for found in results if found["n"] in N_ITEMS})
    yield "| method | data | " + " | ".join(f"n = {n:,}" for n in sizes) + " |"
    yield "|---|---|" + "---|" * len(sizes)
    rows: dict[tuple[str, str], dict[int, list[dict[str, Any]]]] = {}
    for found in results:
        if found["rate"] is not None and found["n"] in sizes:
            method = found["method"] if found["promise"] == "coverage" else f"*{found['method']}*"
            rows.setdefault((method, kind_of_data(found)), {}).setdefault(found["n"], []).append(found)
    methods = list(dict.fromkeys(method for method, _ in rows))
    for (method, kind), by_size in sorted(rows.items(), key=lambda row: methods.index(row[0][0])):
        parts = [span(by_size[n]) if n in by_size else "" for n in sizes]
        yield f"| {method} | {kind} | " + " | ".join(parts) + " |"


def kind_of_data(found: dict[str, Any]) -> str:
    """How the items of a case come."""
    parts = ["clusters"] if found["clusters"] else []
    parts += ["replicates"] if found["replicates"] > 1 else []
    kind = " and ".join(parts) or "plain"
    return f"{kind}, near 0 or 1" if is_rare(found["base_rate"]) else kind


def span(results: Sequence[dict[str, Any]]) -> str:
    """Smallest and largest rate in percent; bold where one of them breaks the usual promise."""
    rates = sorted(100 * found["rate"] for found in results)
    text = f"{rates[0]:.1f} to {rates[-1]:.1f}" if len(rates) > 1 else f"{rates[0]:.1f}"
    return f"**{text}**" if not all(found["is_usual"] for found in results) else text


def percent(share: float | None) -> str:
    """Two digits of a percentage."""
    return "-" if share is None else f"{100 * share:.2f}"


def line(row: Sequence[str]) -> str:
    """One line of the table, the first column to the left."""
    first, *rest = zip(row, COLUMNS.values(), strict=True)
    return " ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 where a method does not keep its word."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, metavar="N")
    parser.add_argument("--only", default="", metavar="NAME", help="cases whose name contains this")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object per line instead of a table")
    form.add_argument("--markdown", action="store_true", help="the table of docs/statistics.md, at the end")
    options = parser.parse_args(argv)
    names = [name for name in cases_by_name() if options.only in name]
    if not names:
        parser.error(f"no case has {options.only!r} in its name")
    work = functools.partial(measure_named, simulations=options.simulations, seed=options.seed)
    results = []
    if not options.json and not options.markdown:
        print(
            f"{options.simulations} simulations, seed {options.seed}; measured, error and silent in percent"
        )
        print("* exception, explained in docs/statistics.md")
        print(line(list(COLUMNS)))
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        for found in pool.map(work, names):
            results.append(found)
            if not options.markdown:
                print(json.dumps(found) if options.json else line(cells(found)), flush=True)
    if options.markdown:
        print("\n".join(summary(results)))
    return 0 if all(found["verdict"] == "holds" for found in results) else 1


if __name__ == "__main__":
    sys.exit(main())
