"""Does an effect hold up?  What other methods say about it, each as an answer to a plain question."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from scripts.analysis.levels import significance_level
from scripts.reporting.quantities import limits, signed, unit_words
from scripts.reporting.quantities import size as size_words
from scripts.reporting.tables import SPACE, compact, count, finite, p_words, percent, plural


@dataclasses.dataclass(frozen=True)
class Check:
    """One question about an effect."""

    question: str
    answer: str
    method: str
    """Name of what was computed."""


@dataclasses.dataclass(frozen=True)
class Absent:
    """A check that could not be made."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Checks:
    """All that other methods say about one effect."""

    dataset: str
    metric: str
    rows: tuple[Check, ...]
    absent: str
    """What does not apply, and why; an empty text: all applies."""


Found = Check | Absent | None
"""None: the statistics say nothing of it at all."""


def checks(effect: Mapping[str, Any], *, confidence_level: float) -> Checks | None:
    """
    Answer what a sceptic would ask about an effect; None where no other method was tried.

    Parameters
    ----------
    effect : mapping
        One of the ``effects`` of ``stats.json`` or ``summary.json``.
    confidence_level : float
        Of every interval.
    """
    if not effect.get("sensitivity"):
        return None
    found = [make(effect, confidence_level) for make in MAKERS]
    return Checks(
        dataset=effect["dataset"],
        metric=effect["metric"],
        rows=tuple(part for part in found if isinstance(part, Check)),
        absent=absent_words(part for part in found if isinstance(part, Absent)),
    )


def absent_words(absent: Iterable[Absent]) -> str:
    """
    Say in one line what does not apply, the reasons once each.

    Examples
    --------
    >>> absent_words([Absent("mid-p test", "clustered pairs"), Absent("posterior", "clustered pairs")])
    'Does not apply: mid-p test, posterior (clustered pairs).'
    """
    names: dict[str, list[str]] = {}
    for part in absent:
        names.setdefault(part.reason, []).append(part.name)
    said = "; ".join(f"{', '.join(group)} ({reason})" for reason, group in names.items())
    return f"Does not apply: {said}." if said else ""


def headline_note(effect: Mapping[str, Any]) -> str:
    """
    What a reader of a verdict has to know besides: what is missing, or what could have been shown.

    An empty text where the verdict says it all.  It is about what a run of this size can find, never about
    the power to find what it did find.

    Examples
    --------
    >>> found = {"detectable_difference": {"power_80": 0.105}}
    >>> effect = {"difference": 0.02, "verdict": "inconclusive", "unbalanced": False, "sensitivity": found}
    >>> headline_note(effect).replace(SPACE, " ")
    'This run could have detected 10.5 points or more with 80 % power.'
    """
    if finite(effect["difference"]) is None:
        return ""
    parts = []
    if effect.get("unbalanced") or _is_turned(effect):
        reason = effect.get("unbalanced_reason")
        parts += [f"Unbalanced: {reason}."] if reason else []
        parts += [worst] if (worst := _worst_words(_part(effect, "worst_case"), effect)) else []
        parts += ["The missing scores could change the verdict."] if _is_turned(effect) else []
    size = finite((_part(effect, "detectable_difference") or {}).get("power_80"))
    if effect["verdict"] == "inconclusive" and size is not None:
        parts.append(
            f"This run could have detected {size_words(size, effect)}{unit_words(effect)} or more with "
            f"80{SPACE}% power."
        )
    return " ".join(parts)


def _is_turned(effect: Mapping[str, Any]) -> bool:
    """Whether the missing scores could turn the verdict."""
    return len(set((effect.get("verdicts") or {}).values())) > 1


def _worst_words(worst: Mapping[str, Any] | None, effect: Mapping[str, Any]) -> str:
    if not worst or finite(worst["lowest"]) is None:
        return ""
    text = (
        f"Whatever the missing scores were, the difference is between "
        f"{signed(worst['lowest'], effect)} and {signed(worst['highest'], effect)}{unit_words(effect)}"
    )
    ends = limits(worst["low"], worst["high"], effect)
    has_limits = finite(worst["low"]) is not None and finite(worst["high"]) is not None
    return f"{text} ({ends} with its intervals)." if has_limits else f"{text}."


def _part(effect: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = (effect.get("sensitivity") or {}).get(name)
    return found


def _none_reason(part: Mapping[str, Any]) -> str:
    reason = part.get("reason") or str(part.get("method", "")).removeprefix("none:").strip()
    return str(reason or "no reason is given")


def _estimate(part: Mapping[str, Any], effect: Mapping[str, Any], name: str = "estimate") -> str:
    """A difference with its interval, and on which side of zero that lies."""
    low, high = finite(part["low"]), finite(part["high"])
    text = signed(part[name], effect) if finite(part.get(name)) is not None else ""
    unit = unit_words(effect)
    if low is None or high is None:
        return f"{text}{unit}, no interval".strip()
    side = "includes zero" if low <= 0 <= high else "excludes zero"
    ends = limits(low, high, effect)
    return f"{text}{unit} ({ends}); {side}" if text else f"{ends}{unit}; {side}"


def _own(effect: Mapping[str, Any], _: float) -> Found:
    if finite(effect["difference"]) is None:
        return Absent("the difference itself", _none_reason({"method": effect["test"]}))
    answer = f"{_estimate(effect, effect, 'difference')}; {p_words(effect['p_value'])}"
    return Check("What does this report say?", answer, f"{effect['interval_method']}; {effect['test']}")


def _interval_check(name: str, short: str, question: str) -> Callable[[Mapping[str, Any], float], Found]:
    def make(effect: Mapping[str, Any], _: float) -> Found:
        part = _part(effect, name)
        if part is None:
            return None
        if finite(part["low"]) is None or finite(part["high"]) is None:
            return Absent(short, _none_reason(part))
        return Check(question, _estimate(part, effect), part["method"])

    return make


def _test_check(name: str, short: str, question: str) -> Callable[[Mapping[str, Any], float], Found]:
    def make(effect: Mapping[str, Any], _: float) -> Found:
        part = _part(effect, name)
        if part is None:
            return None
        if finite(part["p_value"]) is None:
            return Absent(short, _none_reason(part))
        return Check(question, p_words(part["p_value"]), part["method"])

    return make


def _posterior(effect: Mapping[str, Any], _: float) -> Found:
    part = _part(effect, "posterior")
    if part is None:
        return None
    if finite(part["p_better"]) is None:
        return Absent("posterior", _none_reason(part))
    answer = f"better with probability {percent(part['p_better'])}"
    if finite(part["p_equivalent"]) is not None:
        answer += f", within the equivalence margin with {percent(part['p_equivalent'])}"
    return Check("How probable is it?", answer, part["method"])


def _margin(effect: Mapping[str, Any], confidence_level: float) -> Found:
    part = _part(effect, "non_inferiority")
    if part is None:
        return None
    if finite(part["p_equivalence"]) is None or finite(part["margin"]) is None:
        return Absent("tests against the equivalence margin", _none_reason(part))
    alpha = significance_level(confidence_level)
    margin = size_words(part["margin"], effect)
    said = [
        f"{what}: {'yes' if part[p] < alpha else 'not shown'}, {p_words(part[p])}"
        for what, p in (("not worse", "p_non_inferiority"), ("as good", "p_equivalence"))
        if finite(part[p]) is not None
    ]
    return Check(
        f"Is it as good within {margin}{unit_words(effect)}, or at least not worse?",
        "; ".join(said),
        part["method"],
    )


def _sizes(effect: Mapping[str, Any], _: float) -> Found:
    part = _part(effect, "effect_sizes")
    if part is None:
        return None
    known = {
        label: size
        for label, name in (("h", "cohen_h"), ("d_z", "cohen_d_z"))
        if finite((size := part[name])["estimate"]) is not None
    }
    if not known:
        return Absent("effect sizes", _none_reason(part["cohen_d_z"]))
    answer = ", ".join(f"{label} = {compact(size['estimate'])}" for label, size in known.items())
    return Check(
        "How large is it, without a unit?", answer, ", ".join(size["method"] for size in known.values())
    )


def _worst_case(effect: Mapping[str, Any], _: float) -> Found:
    part = _part(effect, "worst_case")
    if part is None:
        return None
    name = "worst case for missing answers"
    if not part["n_incomplete"]:
        return Absent(name, "none is missing")
    if finite(part["lowest"]) is None or finite(part["highest"]) is None:
        return Absent(name, _none_reason(part))
    answer = f"{signed(part['lowest'], effect)} to {signed(part['highest'], effect)}{unit_words(effect)}"
    if finite(part["low"]) is not None and finite(part["high"]) is not None:
        answer += f" ({limits(part['low'], part['high'], effect)} with intervals)"
    missing = plural(part["n_incomplete"], "question")
    return Check(
        f"Whatever the missing answers were ({missing} of {count(part['n_items'])})?",
        f"{answer}; {_survival(part)}",
        "bounds over all questions; p-values not adjusted",
    )


def _survival(part: Mapping[str, Any]) -> str:
    if part["sign_survives"] is None:
        return part["reason"] or "no sign"
    sign = "the sign is the same throughout" if part["sign_survives"] else "the sign may change"
    ends = [part.get(name) for name in ("p_lowest", "p_highest")]
    if any(finite(p) is None for p in ends):
        return sign
    return f"{sign}; {p_words(ends[0])} at the lowest, {p_words(ends[1])} at the highest"


def _detectable(effect: Mapping[str, Any], _: float) -> Found:
    part = _part(effect, "detectable_difference")
    if part is None:
        return None
    if finite(part["power_80"]) is None or finite(part["power_90"]) is None:
        return Absent("smallest detectable difference", _none_reason(part))
    answer = (
        f"{size_words(part['power_80'], effect)}{unit_words(effect)} or more with 80{SPACE}% power, "
        f"{size_words(part['power_90'], effect)} with 90{SPACE}%"
    )
    return Check("What could a run of this size have detected?", answer, part["method"])


def _meta(effect: Mapping[str, Any], _: float) -> Found:
    part: Mapping[str, Any] | None = effect.get("meta")
    if part is None:
        return None
    if finite(part["effect"]) is None:
        return Absent("mean over datasets", _none_reason(part))
    answer = f"{_estimate(part, effect, 'effect')}; {p_words(part['p_value'])}"
    if finite(part["i_squared"]) is not None:
        answer += f"; {percent(part['i_squared'])} of the variation is between datasets"
    if finite(part["prediction_low"]) is not None:
        answer += f"; in one more dataset {limits(part['prediction_low'], part['prediction_high'], effect)}"
    return Check("On other datasets like these?", answer, part["method"])


def _gee(effect: Mapping[str, Any], _: float) -> Found:
    part: Mapping[str, Any] | None = effect.get("gee")
    if part is None:
        return None
    if finite(part["difference"]) is None:
        return Absent("regression over all answers", _none_reason(part))
    answer = f"{_estimate(part, effect, 'difference')}; {p_words(part['p_value'])}"
    if finite(part["odds_ratio"]) is not None:
        ends = f"{compact(part['odds_ratio_low'])} to {compact(part['odds_ratio_high'])}"
        answer += f"; odds ratio {compact(part['odds_ratio'])} ({ends})"
    return Check("With every answer in one regression?", answer, part["method"])


def _selective(effect: Mapping[str, Any], _: float) -> Found:
    part: Mapping[str, Any] | None = effect.get("selective")
    if part is None:
        return None
    if finite(part["mean"]) is None:
        return Absent("accuracy of the answers given", _none_reason(part))
    return Check(
        "Among the answers given, without abstentions?", _estimate(part, effect, "mean"), part["method"]
    )


def _variance(effect: Mapping[str, Any], _: float) -> Found:
    part: Mapping[str, Any] | None = effect.get("variance")
    if part is None:
        return None
    if part["more_of"] is None:
        return Absent("more questions or more replicates", _none_reason(part))
    return Check("More questions or more replicates?", more_words(part), "parts of the variance")


def more_words(part: Mapping[str, Any]) -> str:
    """
    Say what to buy next, from a `scripts.analysis.variance.VarianceSplit`.

    Examples
    --------
    >>> more_words({"more_of": "items", "replicate_share": 0.125}).replace(SPACE, " ")
    'more questions: replicates cause 12.5 % of the variance'
    """
    what = {"items": "more questions", "replicates": "more replicates"}.get(part["more_of"], "either")
    share = finite(part["replicate_share"])
    return what if share is None else f"{what}: replicates cause {percent(share)} of the variance"


MAKERS: Sequence[Callable[[Mapping[str, Any], float], Found]] = (
    _own,
    _interval_check("bootstrap", "bootstrap interval", "With an interval by the bootstrap?"),
    _interval_check("newcombe", "Newcombe's interval", "With Newcombe's interval?"),
    _interval_check("hodges_lehmann", "Hodges–Lehmann interval", "For the typical question, not the mean?"),
    _test_check("mid_p", "mid-p test", "With the less conservative mid-p test?"),
    _test_check("wilcoxon", "Wilcoxon's test", "With a rank test?"),
    _posterior,
    _margin,
    _worst_case,
    _gee,
    _meta,
    _selective,
    _detectable,
    _variance,
    _sizes,
)
"""One after the other makes a row of the table."""
