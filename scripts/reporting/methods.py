"""The methods of a run as one paragraph that can stand in a paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.records import FAILED_OUTCOMES
from scripts.reporting import leaderboard, sentences
from scripts.reporting.page_content import Methods
from scripts.reporting.tables import brief, count, level, plural, visible

MAX_NAMED = 12
"""Further comparisons are counted, not named."""


def methods_paragraph(
    run: Mapping[str, Any], methods: Methods, costs: Mapping[str, Mapping[str, Any]]
) -> str:
    """
    Tell in one paragraph what was asked of whom, how it was compared, and with what.

    Parameters
    ----------
    run : mapping
        What ``summary.json`` holds.
    methods : Methods
        Every setting that a number depends on.
    costs : mapping
        What ``costs.json`` holds, by trial.
    """
    parts = (
        _design(run, methods),
        _models(run, methods, costs),
        _settings(run),
        _comparisons(run),
        _failures(run),
        _statistics(run, methods),
        _prices(costs),
        _software(run, methods),
    )
    return visible(" ".join(part for part in parts if part))


def _design(run: Mapping[str, Any], methods: Methods) -> str:
    trials = run["trials"]
    sizes = {name: part["n_items"] for trial in trials for name, part in trial["by_dataset"].items()}
    datasets = _listed(
        f"{name} ({plural(n, 'question')}, scored by {methods.scorers.get(name, 'an unrecorded scorer')})"
        for name, n in sizes.items()
    )
    n_requests = count(sum(trial["n_requests"] for trial in trials))
    limited = (
        ""
        if methods.limit_items is None
        else (f" Only the first {plural(methods.limit_items, 'question')} of each dataset were used.")
    )
    return (
        f"{plural(len(trials), 'trial')}, each a model with a prompt and decoding settings, answered the "
        f"same questions of {plural(len(sizes), 'dataset')}: {datasets}; "
        f"{n_requests} requests in all.{limited}"
    )


def _models(run: Mapping[str, Any], methods: Methods, costs: Mapping[str, Mapping[str, Any]]) -> str:
    theirs = {cost["model"]: cost["provider_model"] for cost in costs.values() if cost.get("provider_model")}
    models = dict.fromkeys(trial["model"] for trial in run["trials"])
    prompts = dict.fromkeys(trial["prompt"] for trial in run["trials"])
    named = []
    for model in models:
        facts = [methods.providers[model]] if model in methods.providers else []
        facts += [theirs[model]] if theirs.get(model) not in (None, model) else []
        named.append(f"{model} ({', '.join(facts)})" if facts else str(model))
    return f"Models: {_listed(named)}. Prompts: {_listed(prompts)}."


def _settings(run: Mapping[str, Any]) -> str:
    parts = []
    for name in leaderboard.other_factors(run):
        values = dict.fromkeys(trial.get(name) for trial in run["trials"])
        shown = _listed("the provider's default" if value is None else brief(value) for value in values)
        parts.append(f"{name.replace('_', ' ')} {shown}")
    return f"Settings: {'; '.join(parts)}." if parts else ""


def _comparisons(run: Mapping[str, Any]) -> str:
    pairs = list(dict.fromkeys((row["trial"], row["baseline"]) for row in run["effects"]))
    if not pairs:
        return "No trial was compared with another."
    named = "; ".join(f"{one} with {other}" for one, other in pairs[:MAX_NAMED])
    more = f" and {count(len(pairs) - MAX_NAMED)} more" if len(pairs) > MAX_NAMED else ""
    return f"Comparisons are paired, each trial with its baseline, question by question: {named}{more}."


def _failures(run: Mapping[str, Any]) -> str:
    totals = {
        name: sum(trial["outcomes"][name] for trial in run["trials"]) for name in sorted(FAILED_OUTCOMES)
    }
    said = _listed(f"{count(n)} {name}" for name, n in totals.items() if n)
    rule = "A request without an answer has no score, and its question is left out of the comparison."
    return f"{rule} Requests without an answer: {said}." if said else f"{rule} There were none."


def _statistics(run: Mapping[str, Any], methods: Methods) -> str:
    metrics = (metric for trial in run["trials"] for metric in trial["metrics"].values())
    intervals = sentences.used(metric["method"] for metric in metrics)
    parts = [
        "The unit is the question, or the cluster it belongs to; replicates are averaged first.",
        f"Intervals are at {level(run['confidence_level'])}: of means {intervals}"
        + (
            f", of differences {sentences.used(row['interval_method'] for row in run['effects'])}."
            if run["effects"]
            else "."
        ),
    ]
    if run["effects"]:
        parts.append(f"Tests are two-sided: {sentences.used(row['test'] for row in run['effects'])}.")
        parts.append(sentences.multiplicity(methods))
        parts.append(sentences.verdict_rule(run["confidence_level"], methods.equivalence_margin))
    parts.append(f"Resampling: {count(methods.resamples)} resamples, seed {methods.seed}.")
    return " ".join(parts)


def _prices(costs: Mapping[str, Mapping[str, Any]]) -> str:
    sources = dict.fromkeys(
        f"{price['source']}" + (f", as of {price['as_of']}" if price["as_of"] is not None else "")
        for cost in costs.values()
        if (price := cost.get("price"))
    )
    return f"Prices: {'; '.join(sources)}." if sources else "No price was used."


def _software(run: Mapping[str, Any], methods: Methods) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in methods.versions.items())
    return f"Run {run['run_id']}, with {versions or 'unrecorded versions'}."


def _listed(names: Iterable[Any]) -> str:
    texts: Sequence[str] = [str(name) for name in names]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
