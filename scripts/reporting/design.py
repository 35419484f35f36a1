"""What the factors of a sweep do: sentences, a picture of each factor, and of every contrast."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.analysis.levels import significance_level
from scripts.reporting import figures
from scripts.reporting.quantities import limits, signed, unit_words
from scripts.reporting.tables import brief, count, finite, p_words, plural, share

KINDS = {"main effect": "Main effects", "trend": "Trends", "interaction": "Interactions"}
"""Headings of the contrasts."""


@dataclasses.dataclass(frozen=True)
class FactorPicture:
    """The mean at each level of a factor, over all levels of the others."""

    name: str
    rows: tuple[tuple[str, Mapping[str, Any], figures.Span], ...]
    """Level, its mean, and where it is drawn."""
    ticks: tuple[figures.Tick, ...]


@dataclasses.dataclass(frozen=True)
class Design:
    """A factorial design as the page shows it."""

    metric: str
    sentences: tuple[str, ...]
    factors: tuple[FactorPicture, ...]
    forest: figures.Forest | None
    notes: tuple[str, ...]


def design_view(found: Mapping[str, Any] | None, *, confidence_level: float) -> Design | None:
    """
    Lay out a factorial analysis; None where there is none.

    Parameters
    ----------
    found : mapping or None
        What `scripts.comparison.design.analyse_design` gives.
    confidence_level : float
        Of the run.
    """
    if not found or found["reason"]:
        return None
    rows = [{**_unit(found), **_row(contrast)} for contrast in found["contrasts"]]
    return Design(
        metric=found["metric"],
        sentences=tuple(_sentences(found, significance_level(confidence_level))),
        factors=tuple(_picture(factor, _unit(found)) for factor in found["factors"]),
        forest=figures.forest(rows, group="group", margin=None) if rows else None,
        notes=tuple(_notes(found)),
    )


def factor_name(name: str) -> str:
    """
    Name a factor in a sentence.

    Examples
    --------
    >>> factor_name("top_p"), factor_name("prompt")
    ('top p', 'prompt')
    """
    return name.replace("_", " ")


def level_name(level: Any) -> str:
    """
    Name a level.

    Examples
    --------
    >>> level_name(0.7), level_name(1.0), level_name(None), level_name("concise")
    ('0.7', '1', 'the default', 'concise')
    """
    if level is None:
        return "the default"
    return str(level).lower() if isinstance(level, bool) else brief(level)


def _sentences(found: Mapping[str, Any], alpha: float) -> Iterator[str]:
    """Say of each factor whether it does anything, and of each pair whether one changes the other."""
    n = plural(found["n_items"], "question")
    for test in found["tests"]:
        p_value = finite(test["p_adjusted"])
        names = [factor_name(name) for name in test["factors"]]
        if p_value is None:
            yield f"{' and '.join(names).capitalize()}: not tested ({test['method'].removeprefix('none: ')})."
        elif len(names) == 1:
            yield _factor_sentence(found, test, n, is_clear=p_value < alpha)
        elif p_value < alpha:
            yield f"The effect of {names[0]} depends on {names[1]} ({p_words(p_value)})."
        else:
            yield (
                f"No sign among {n} that the effect of {names[0]} depends on {names[1]} ({p_words(p_value)})."
            )


def _factor_sentence(found: Mapping[str, Any], test: Mapping[str, Any], n: str, *, is_clear: bool) -> str:
    name = test["factors"][0]
    said = p_words(test["p_adjusted"])
    if not is_clear:
        return f"{factor_name(name).capitalize()} changes nothing that {n} could show ({said})."
    effects = [
        contrast
        for contrast in found["contrasts"]
        if tuple(contrast["factors"]) == (name,) and contrast["kind"] == "main effect"
    ]
    largest = max(effects, key=lambda contrast: abs(contrast["estimate"]))
    where = f"{level_name(largest['levels'][0])} against {level_name(largest['references'][0])}"
    return (
        f"{factor_name(name).capitalize()} makes a difference ({said}): {where}, an estimated "
        f"{signed(largest['estimate'], found)}{unit_words(found)} "
        f"({limits(largest['low'], largest['high'], found)})."
    )


def _row(contrast: Mapping[str, Any]) -> dict[str, Any]:
    """Give a contrast the fields of an effect, with the interval that goes with its adjusted p-value."""
    together = (contrast["simultaneous_low"], contrast["simultaneous_high"])
    low, high = together if None not in together else (contrast["low"], contrast["high"])
    return {
        "group": KINDS[contrast["kind"]],
        "label": _label(contrast),
        "difference": contrast["estimate"],
        "low": low,
        "high": high,
        "p_value": contrast["p_adjusted"],
    }


def _label(contrast: Mapping[str, Any]) -> str:
    """
    Name a contrast.

    Examples
    --------
    >>> _label({"kind": "main effect", "factors": ("prompt",), "levels": ("a",), "references": ("b",)})
    'prompt: a − b'
    """
    names = [factor_name(name) for name in contrast["factors"]]
    levels = [level_name(level) for level in contrast["levels"]]
    if contrast["kind"] == "trend":
        return f"{names[0]}: per unit, {levels[0]} to {levels[-1]}"
    pairs = [
        f"{level} − {level_name(other)}" for level, other in zip(levels, contrast["references"], strict=True)
    ]
    named = [f"{name}: {pair}" for name, pair in zip(names, pairs, strict=True)]
    return " × ".join(named)


def _unit(found: Mapping[str, Any]) -> dict[str, Any]:
    """How numbers of the metric are read."""
    return {name: found[name] for name in ("is_share", "unit") if name in found}


def _picture(factor: Mapping[str, Any], unit: Mapping[str, Any]) -> FactorPicture:
    means = [{**unit, **mean} for mean in factor["means"]]
    bars = figures.bars(means)
    levels = [level_name(level) for level in factor["levels"]]
    return FactorPicture(
        factor_name(factor["name"]),
        tuple(zip(levels, means, bars.spans, strict=True)),
        bars.ticks,
    )


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    items = plural(found["n_items"], "question")
    yield (
        f"Over {items} for which all {count(found['n_cells'])} trials of the cross have a score"
        + (f", in {count(found['n_clusters'])} clusters" if found["n_clusters"] < found["n_items"] else "")
        + ". Contrasts are averaged over all levels of the other factors; their intervals hold all together, "
        "their p-values are adjusted for each other."
    )
    parts = [part for part in found["shares"] if finite(part["share"]) is not None]
    if parts:
        named = ", ".join(
            f"{' × '.join(map(factor_name, part['factors']))} {share(part['share'])}" for part in parts
        )
        yield f"Of the variation between the trials' means, in per cent: {named}."
    if found["left_out"]:
        yield f"Not part of the cross: {_left_out(found['left_out'])}."


def _left_out(trials: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{brief(trial['trial'])} ({trial['reason']})" for trial in trials[:8]) + (
        f"; and {count(len(trials) - 8)} more" if len(trials) > 8 else ""
    )
