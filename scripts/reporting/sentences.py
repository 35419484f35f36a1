"""What the numbers say, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.analysis.levels import significance_level
from scripts.analysis.verdicts import VERDICT_RULE
from scripts.comparison.metrics import heading
from scripts.reporting.figures import by_difference
from scripts.reporting.page_content import Methods
from scripts.reporting.quantities import change, quantity_interval, size, unit_words
from scripts.reporting.robustness import headline_note
from scripts.reporting.tables import MISSING, compact, count, finite, level, p_words, plural

_ADJUSTMENTS = {
    "holm": "Holm",
    "fdr_bh": "Benjamini–Hochberg",
    "fdr_by": "Benjamini–Yekutieli",
    "bonferroni": "Bonferroni",
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One comparison in plain words: *trial* `before` *baseline* `after` (`evidence`)."""

    trial: str
    baseline: str
    verdict: str
    """One of the four verdicts, or ``none`` where nothing could be compared."""
    before: str
    after: str
    evidence: str
    note: str = ""
    """What a reader of the verdict has to know besides."""


def adjustment_name(adjustment: str) -> str:
    """
    An adjustment by its authors' names.

    Examples
    --------
    >>> adjustment_name("fdr_bh"), adjustment_name("none")
    ('Benjamini–Hochberg', 'unadjusted')
    """
    return "unadjusted" if adjustment == "none" else _ADJUSTMENTS.get(adjustment, adjustment)


def reason(method: str) -> str:
    """
    Why something was not computed, from a method such as ``none: no pairs``.

    Examples
    --------
    >>> reason("none: no pairs")
    'no pairs'
    """
    return method.removeprefix("none:").strip() or "no reason is given"


def findings(effects: Iterable[Mapping[str, Any]], *, metric: str, confidence_level: float) -> list[Finding]:
    """Every effect on `metric` in words, the largest difference first."""
    return [
        _finding(effect, confidence_level) for effect in by_difference(effects) if effect["metric"] == metric
    ]


def _finding(effect: Mapping[str, Any], confidence_level: float) -> Finding:
    difference = finite(effect["difference"])
    verdict = "none" if difference is None else str(effect["verdict"])
    before, after = _claim(effect, difference, verdict)
    return Finding(
        trial=effect["trial"],
        baseline=effect["baseline"],
        verdict=verdict,
        before=before,
        after=after,
        evidence=_evidence(effect, confidence_level, has_claim=verdict in ("better", "worse")),
        note=headline_note(effect),
    )


def _claim(effect: Mapping[str, Any], difference: float | None, verdict: str) -> tuple[str, str]:
    metric = effect["metric"]
    if difference is None:
        return "could not be compared with", ""
    if verdict in ("better", "worse"):
        how_much = f"{size(difference, effect)}{unit_words(effect)}"
        side = "higher" if difference > 0 else "lower"
        where = "" if metric == "correct" else f" in {heading(metric)}"
        return f"scores an estimated {how_much} {side} than", where
    if verdict == "equivalent":
        return "is as good as", ", within the equivalence margin"
    return "shows no clear difference from", ""


def _evidence(effect: Mapping[str, Any], confidence_level: float, *, has_claim: bool) -> str:
    if finite(effect["difference"]) is None:
        return f"{reason(effect['test'])}; {plural(effect['n_pairs'], 'paired question')}"
    parts = [] if has_claim else [f"difference {change(effect)}{unit_words(effect)}"]
    parts.append(_interval_words(effect, confidence_level))
    return ", ".join([*parts, _p_with_method(effect), _pairs_words(effect)])


def _interval_words(effect: Mapping[str, Any], confidence_level: float) -> str:
    """Give the interval of the comparison by itself, and the one that goes with an adjusted p-value."""
    limits = quantity_interval(effect)
    if limits == MISSING:
        return f"no interval: {reason(effect['interval_method'])}"
    alone = f"{level(confidence_level)} CI {limits}"
    together = effect.get("simultaneous") or {}
    n_family = effect.get("n_family") or 1
    if n_family < 2 or (wider := _wider(effect, together)) == MISSING:
        return alone
    return f"{alone} by itself, {wider} with all {count(n_family)} comparisons"


def _wider(effect: Mapping[str, Any], together: Mapping[str, Any]) -> str:
    return quantity_interval({**effect, "low": together.get("low"), "high": together.get("high")})


def _p_with_method(effect: Mapping[str, Any]) -> str:
    p_adjusted = finite(effect.get("p_adjusted"))
    if p_adjusted is None or effect.get("n_family") == 1:
        said = p_words(effect["p_value"])
    else:
        said = p_words(p_adjusted, label=f"{adjustment_name(effect['adjustment'])} p")
    return f"{said} (the smallest that its resamples can show)" if effect.get("is_p_floor") else said


def _pairs_words(effect: Mapping[str, Any]) -> str:
    n_questions = effect.get("n_questions") or effect["n_pairs"]
    if n_questions == effect["n_pairs"]:
        return plural(effect["n_pairs"], "paired question")
    return f"{plural(effect['n_pairs'], 'paired request')} ({plural(n_questions, 'question')})"


def omnibus_words(tests: Iterable[Mapping[str, Any]], metric: str, *, confidence_level: float) -> str:
    """
    Say whether all trials of the run together differ in `metric`; an empty text: that was not tested.

    Examples
    --------
    >>> test = {"dataset": "all", "metric": "correct", "n_trials": 3, "n_items": 90, "n_incomplete": 0}
    >>> test |= {"statistic": 4.667, "df": 2, "p_value": 0.097, "method": "cochran's q"}
    >>> omnibus_words([test], "correct", confidence_level=0.95)
    "All 3 trials together show no clear difference (Cochran's q: χ² = 4.67, df 2, p = 0.097, 90 questions)."
    """
    test = next((row for row in tests if (row["dataset"], row["metric"]) == ("all", metric)), None)
    if test is None:
        return ""
    trials = f"All {count(test['n_trials'])} trials together"
    p_value = finite(test["p_value"])
    if p_value is None:
        return f"{trials} could not be tested: {reason(test['method'])}."
    is_clear = p_value < significance_level(confidence_level)
    claim = "differ from one another" if is_clear else "show no clear difference"
    method = f"{test['method'][:1].upper()}{test['method'][1:]}"
    numbers = f"{method}: χ² = {compact(test['statistic'])}, df {test['df']}, {p_words(p_value)}"
    items = plural(test["n_items"], "question")
    if test["n_incomplete"]:
        items += f" for which all have a score, {count(test['n_incomplete'])} left out"
    return f"{trials} {claim} ({numbers}, {items})."


def methods_notes(summary: Mapping[str, Any], methods: Methods) -> list[tuple[str, str]]:
    """Every setting of the analysis: a heading and its sentences, in the order of the analysis."""
    confidence = level(summary["confidence_level"])
    metrics = [metric for trial in summary["trials"] for metric in trial["metrics"].values()]
    together = [(effect.get("simultaneous") or {"method": "none"})["method"] for effect in summary["effects"]]
    return [
        ("Scoring", _scoring(methods)),
        (
            "Unit",
            "The replicates of an item are averaged first; the item, or the cluster it belongs to, is the "
            "unit of every interval, test and resampling. Items that share a request are one. A request "
            "without an answer has no score: it is counted by its outcome, and never as wrong.",
        ),
        ("Datasets", "Over all datasets every item counts once, so a larger dataset weighs more."),
        (
            "Intervals",
            f"At {confidence}. Means: {used(metric['method'] for metric in metrics)}. Differences: "
            f"{used(effect['interval_method'] for effect in summary['effects'])}. "
            f"Each is that of one comparison by itself. For all comparisons together: {used(together)}.",
        ),
        ("Tests", f"Two-sided, on pairs only: {used(effect['test'] for effect in summary['effects'])}."),
        ("Resampling", f"{count(methods.resamples)} resamples, seed {methods.seed}."),
        ("Several comparisons", multiplicity(methods)),
        ("Verdicts", verdict_rule(summary["confidence_level"], methods.equivalence_margin)),
        (
            "Versions",
            ", ".join(f"{name} {version}" for name, version in methods.versions.items()) or "not recorded",
        ),
    ]


def verdict_rule(confidence_level: float, margin: float | None) -> str:
    """The rule of the verdicts, with this run's settings."""
    if margin is None:
        return (
            "No equivalence margin is set, so no trial is called equivalent. Better or worse: the p-value, "
            f"adjusted within its family, is below {significance_level(confidence_level):g}. Inconclusive: "
            "it is not; this is no evidence that the two are equal."
        )
    return VERDICT_RULE.format(significance_level=significance_level(confidence_level), margin=margin)


def _scoring(methods: Methods) -> str:
    parts = [f"{dataset}: {scorer}" for dataset, scorer in methods.scorers.items()]
    return f"Scorer of each dataset: {', '.join(parts) or 'not recorded'}."


def multiplicity(methods: Methods) -> str:
    """Say how p-values were adjusted for each other."""
    family = ", ".join(heading(metric) for metric in methods.family)
    if methods.adjustment == "none":
        return "The p-values are not adjusted for the number of comparisons."
    return (
        f"{adjustment_name(methods.adjustment)} adjustment within a family: all effects on {family}, of all "
        "trials, over all datasets and over each single one; the tests of equivalence alike. The effects on "
        "all other metrics form a second, exploratory family."
    )


def used(names: Iterable[str]) -> str:
    """
    List the methods that were used, each once.

    Examples
    --------
    >>> used(["wilson", "none: no values", "t", "wilson"])
    'wilson, t'
    """
    used: Sequence[str] = [name for name in dict.fromkeys(names) if not name.startswith("none")]
    return ", ".join(used) or "none"
