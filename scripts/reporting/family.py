"""Families of comparisons: p-values adjusted for all that a page shows together, and the verdicts by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scripts.analysis.multiplicity import adjust
from scripts.analysis.simultaneous import adjust_verdicts
from scripts.analysis.verdicts import Verdict, common_verdict, verdict
from scripts.comparison.metrics import USAGE, Better
from scripts.reporting.tables import finite

ALL = "all"
"""The name of all datasets taken together."""

CASES = ("lowest", "observed", "highest")
"""What the missing scores may have been: worst for the trial, as if they were not there, best for it."""

Effect = dict[str, Any]


def judge_effects(
    effects: Sequence[Mapping[str, Any]],
    *,
    adjustment: str,
    family: Sequence[str],
    confidence_level: float,
    margin: float | None = None,
    simultaneous: Mapping[tuple[str, str, str], Mapping[str, Any]] | None = None,
) -> list[Effect]:
    """
    Adjust the p-values of a run's effects for each other, and give each effect its verdict.

    Parameters
    ----------
    effects : sequence of mapping
        Of all trials, metrics and datasets; `p_value`, `difference`, and under ``sensitivity`` the tests
        against the margin and the worst case.
    adjustment : str
        Method of `scripts.analysis.multiplicity.adjust`, or ``none``.
    family : sequence of str
        Metrics of the declared family: their effects, over all datasets and over each, of all trials, are
        adjusted together; those of the other scores form the exploratory family, those of length and cost the
        family of usage.
    confidence_level : float
        Of the run.
    margin : float or None
        Half the width of the equivalence band.
    simultaneous : mapping, optional
        By trial, dataset and metric, an interval that holds together with those of the whole family.

    Returns
    -------
    list of dict
        The effects with ``p_adjusted``, ``adjustment``, ``family``, ``n_family``, ``p_equivalence``,
        ``p_equivalence_adjusted``, ``verdict``, ``verdicts`` in the three cases of the missing scores, and
        ``simultaneous``: the interval, made to agree with the verdict on the scores that are there.

    Examples
    --------
    >>> rows = [{"trial": f"t{n}", "dataset": "all", "metric": "correct", "difference": 0.1, "p_value": p}
    ...         for n, p in enumerate((0.01, 0.04))]
    >>> found = judge_effects(rows, adjustment="holm", family=["correct"], confidence_level=0.95)
    >>> [(row["p_adjusted"], row["verdict"]) for row in found]
    [(0.02, 'better'), (0.04, 'better')]
    """
    judged: list[Effect] = [dict(effect) for effect in effects]
    for name, members in _families(judged, family).items():
        _judge_family(members, name, adjustment, confidence_level)
    for effect in judged:
        key = str(effect["trial"]), str(effect["dataset"]), str(effect["metric"])
        found = (simultaneous or {}).get(key)
        effect["simultaneous"] = None if found is None else agreeing(found, effect, margin)
    return judged


def agreeing(interval: Mapping[str, Any], effect: Mapping[str, Any], margin: float | None) -> dict[str, Any]:
    """
    End a simultaneous interval where the verdict has its limit, if the two differ.

    The verdict is by tests of its own, step by step: it may call a difference clear whose interval still
    holds zero, which then ends there, or one unclear whose interval does not, which then reaches to zero.

    Examples
    --------
    >>> effect = {"difference": 0.05, "verdicts": {"observed": "better"}}
    >>> agreeing({"low": -0.001, "high": 0.1, "method": "max-t"}, effect, 0.02)
    {'low': 0.0, 'high': 0.1, 'method': 'max-t, ended where the verdict has its limit'}
    """
    low, high = finite(interval["low"]), finite(interval["high"])
    if low is None or high is None:
        return {"low": None, "high": None, "method": interval["method"]}
    word = effect["verdicts"]["observed"]
    if word in ("better", "worse"):
        ends = (max(low, 0.0), high) if effect["difference"] > 0 else (low, min(high, 0.0))
    else:
        ends = min(low, 0.0), max(high, 0.0)
        if word == "equivalent" and margin is not None:
            ends = max(ends[0], -margin), min(ends[1], margin)
    note = "" if ends == (low, high) else ", ended where the verdict has its limit"
    return {"low": ends[0], "high": ends[1], "method": f"{interval['method']}{note}"}


def _families(effects: Iterable[Effect], family: Sequence[str]) -> dict[str, list[Effect]]:
    families: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        families[_family_of(effect["metric"], family)].append(effect)
    return families


def _family_of(metric: str, family: Sequence[str]) -> str:
    if metric in family:
        return "declared"
    return "usage" if metric in (other.name for other in USAGE) else "exploratory"


def _judge_family(members: list[Effect], name: str, adjustment: str, confidence_level: float) -> None:
    """Judge the members; the only dataset of a trial is the same comparison as all of its datasets."""
    distinct = _distinct(members)
    p_values = {case: _adjusted(distinct, _p_value(case), adjustment) for case in CASES}
    p_equivalences = {case: _adjusted_equivalence(distinct, case, adjustment) for case in CASES}
    n_family = sum(finite(effect["p_value"]) is not None for effect in distinct.values())
    for effect in members:
        key = _key(effect, distinct)
        p_adjusted = p_values["observed"][key]
        is_adjusted = adjustment != "none" and p_adjusted is not None
        verdicts: list[Verdict] = [
            verdict(
                difference=None if effect.get("better") == Better.NONE else _difference(effect, case),
                p_value=p_values[case][key],
                p_equivalence=p_equivalences[case][key],
                confidence_level=confidence_level,
                higher_is_better=effect.get("better") != Better.LOWER,
            )
            for case in CASES
        ]
        effect |= {
            "p_adjusted": p_adjusted if is_adjusted else None,
            "adjustment": adjustment if is_adjusted else "none",
            "family": name,
            "n_family": n_family,
            "p_equivalence": finite(_p_equivalence("observed")(effect)),
            "p_equivalence_adjusted": p_equivalences["observed"][key] if is_adjusted else None,
            "verdict": common_verdict(verdicts) if _is_bounded(effect) else "inconclusive",
            "verdicts": dict(zip(CASES, verdicts, strict=True)),
        }


def _distinct(members: Iterable[Effect]) -> dict[tuple[str, ...], Effect]:
    """By trial, metric and dataset; without the only dataset of a trial, which is all of them."""
    found = {(str(e["trial"]), str(e["metric"]), str(e["dataset"])): e for e in members}
    datasets: dict[tuple[str, str], int] = defaultdict(int)
    for trial, metric, dataset in found:
        datasets[trial, metric] += dataset != ALL
    return {
        key: effect
        for key, effect in found.items()
        if key[2] == ALL or datasets[key[:2]] > 1 or (*key[:2], ALL) not in found
    }


def _key(effect: Effect, distinct: Mapping[tuple[str, ...], Effect]) -> tuple[str, ...]:
    key = str(effect["trial"]), str(effect["metric"]), str(effect["dataset"])
    return key if key in distinct else (*key[:2], ALL)


def _adjusted(
    distinct: Mapping[tuple[str, ...], Effect], p_value: Callable[[Effect], Any], adjustment: str
) -> dict[tuple[str, ...], float | None]:
    raw = [finite(p_value(effect)) for effect in distinct.values()]
    return dict(zip(distinct, map(finite, adjust(raw, adjustment)), strict=True))


def _adjusted_equivalence(
    distinct: Mapping[tuple[str, ...], Effect], case: str, adjustment: str
) -> dict[tuple[str, ...], float | None]:
    """Adjust the tests of equivalence; by Holm's method together with those of a difference."""
    if adjustment != "holm":
        return _adjusted(distinct, _p_equivalence(case), adjustment)
    differences, equivalences = (
        [finite(p_value(effect)) for effect in distinct.values()]
        for p_value in (_p_value(case), _p_equivalence(case))
    )
    return dict(zip(distinct, adjust_verdicts(differences, equivalences)[1], strict=True))


def _worst_case(effect: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the missing scores could change; empty where none is missing, or it is not known."""
    worst: Mapping[str, Any] = (effect.get("sensitivity") or {}).get("worst_case") or {}
    return worst if worst.get("n_incomplete") else {}


def _difference(effect: Effect, case: str) -> float | None:
    return finite(_worst_case(effect).get(case, effect["difference"]))


def _p_value(case: str) -> Callable[[Effect], Any]:
    return lambda effect: _worst_case(effect).get(f"p_{case}", effect["p_value"])


def _p_equivalence(case: str) -> Callable[[Effect], Any]:
    def read(effect: Effect) -> Any:
        tests = (effect.get("sensitivity") or {}).get("non_inferiority") or {}
        return _worst_case(effect).get(f"p_equivalence_{case}", tests.get("p_equivalence"))

    return read


def _is_bounded(effect: Effect) -> bool:
    """Whether the worst case is known where it has to be: for an unbalanced comparison."""
    return not effect.get("unbalanced") or bool(_worst_case(effect))
