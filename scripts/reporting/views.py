"""What the templates are given: each page's record, turned into rows, pictures and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from scripts.comparison import metrics
from scripts.records import Outcome
from scripts.reporting import (
    drawings,
    embed,
    figures,
    gaps,
    leaderboard,
    quantities,
    reading_notes,
    robustness,
    sentences,
    spending,
    trial_notes,
)
from scripts.reporting.design import design_view
from scripts.reporting.examples import group_examples
from scripts.reporting.methods import methods_paragraph
from scripts.reporting.page_content import ExampleGroup, RunPage, TrialPage
from scripts.reporting.stats_tables import stats_tables
from scripts.reporting.tables import MISSING, brief, count, finite, level, plural

MAX_FINDINGS = 24
"""Further findings are folded away."""

RUN_ITEMS_BUDGET = 720_000
"""The most bytes of the run's page that questions and answers take, all comparisons together."""

RUN_SHORTEST_TEXT = 350
"""On the run's page rather fewer questions than shorter texts: the trials' pages have the others."""

GROUP_TITLES = {
    "gained": "Gained",
    "lost": "Lost",
    "right": "Right",
    "wrong": "Wrong",
    "abstained": "Abstained",
    "failed": "Without a complete answer",
}
"""Headings of the kinds of examples."""

GROUP_NOTES = {
    "gained": "The trial scores higher than its baseline.",
    "lost": "The trial scores lower than its baseline.",
    "right": "Scored as correct.",
    "wrong": "Scored as wrong.",
    "abstained": "The whole answer is an abstention.",
    "failed": "Truncated, refused, errored, expired or missing.",
}


def trial_url(trial: str) -> str:
    """Address of a trial's page, seen from the run's page."""
    return f"../trials/{quote(trial, safe='')}/report/report.html"


def run_view(page: RunPage) -> dict[str, Any]:
    """Everything that the run's template names."""
    board = leaderboard.leaderboard_rows(page.summary)
    trials = {trial["trial"]: trial for trial in page.summary["trials"]}
    ranked = [trials[row["trial"]] for row in board]
    overall = [effect for effect in page.summary["effects"] if effect["dataset"] == "all"]
    headline = page.methods.family[0] if page.methods.family else "correct"
    costs = [(row, page.costs.get(row["trial"])) for row in board]
    prices = spending.price_sources(page.costs.values())
    found = sentences.findings(overall, metric=headline, confidence_level=page.summary["confidence_level"])
    return {
        **_together(page.summary),
        "run_id": page.summary["run_id"],
        "generated_at": page.generated_at,
        "confidence_level": page.summary["confidence_level"],
        "margin": page.methods.equivalence_margin,
        "headline": headline,
        "facts": _run_facts(page),
        "findings": found[:MAX_FINDINGS],
        "further_findings": found[MAX_FINDINGS:],
        "uncompared": _uncompared(ranked),
        "gaps": gaps.comparison_gaps(
            overall, headline, without_score={trial["trial"]: trial["without_score"] for trial in ranked}
        ),
        "reading": reading_notes.reading_warnings(ranked),
        "omnibus": sentences.omnibus_words(
            page.summary.get("omnibus", ()), headline, confidence_level=page.summary["confidence_level"]
        ),
        "forests": _forests(overall, page),
        "other_effects": [row for row in overall if row.get("family") == "exploratory"],
        "board": board,
        "ranked": ranked,
        **_factors(page.summary),
        "bars": figures.bars([trial["metrics"]["correct"] for trial in ranked]),
        "bounds": _bounds(ranked),
        "drawings": run_drawings(page),
        "stacks": [(trial, figures.stack(trial["outcomes"])) for trial in ranked],
        "outcomes": [outcome.value for outcome in Outcome],
        "behaviour": _behaviour(ranked),
        "design": design_view(page.summary.get("design"), confidence_level=page.summary["confidence_level"]),
        "usage": quantities.usage_rows(ranked, overall),
        "usage_names": quantities.USAGE_NAMES,
        "notes": _missing_notes(ranked),
        "datasets": _datasets(page.summary, ranked, headline),
        "costs": costs,
        "token_columns": spending.token_columns(cost for _, cost in costs),
        "extras": spending.extra_rows((row["trial"], cost) for row, cost in costs),
        "worth": spending.worth_rows(
            page.summary.get("cost_effectiveness") or {}, [row["trial"] for row in board]
        ),
        "reused_note": spending.reused_note(cost for _, cost in costs),
        "reasons": {trial["trial"]: trial["cost_reason"] for trial in ranked},
        "total": spending.cost_total(page.summary["trials"]),
        "prices": prices,
        "price_rows": spending.price_rows(prices),
        "methods": sentences.methods_notes(page.summary, page.methods),
        "paragraph": methods_paragraph(page.summary, page.methods, page.costs),
        "stats_tables": page.stats_tables,
        "blocks": _run_blocks(page.questions),
    }


def _together(run: Mapping[str, Any]) -> dict[str, Any]:
    """What was found by looking at all trials together."""
    placed = run.get("leaderboard") or {}
    return {
        "looks": (run.get("looks") or {}).get("note", ""),
        "placed": placed,
        "places": placed.get("places") or {},
        "design": design_view(run.get("design"), confidence_level=run["confidence_level"]),
    }


def run_drawings(page: RunPage) -> dict[str, drawings.Drawing]:
    """Every figure of the run's page as a drawing of its own, by name."""
    return drawings.run_drawings(
        page.summary, family=page.methods.family, margin=page.methods.equivalence_margin
    )


def trial_view(page: TrialPage) -> dict[str, Any]:
    """Everything that the trial's template names."""
    stats = page.stats
    examples = group_examples(page.questions)
    effects = list(stats["effects"])
    shares = [row for row in effects if row.get("is_share", True) is not False]
    headline = next((row for row in effects if row["dataset"] == "all" and row["metric"] == "correct"), None)
    correct = stats["metrics"].get("correct")
    return {
        "run_id": page.run_id,
        "trial": stats["trial"],
        "baseline": stats["baseline"],
        "confidence_level": stats["confidence_level"],
        "margin": page.equivalence_margin,
        "factors": [(name, factor_text(value)) for name, value in page.factors.items()],
        "prompts": page.prompts,
        "stats": stats,
        "headline": headline,
        "correct": correct,
        "scores": _score_rows(stats),
        "classified": [
            (name, part["classification"])
            for name, part in stats["by_dataset"].items()
            if part.get("classification")
        ],
        "forest": figures.forest(shares, group="dataset", margin=page.equivalence_margin) if shares else None,
        "effects": effects,
        "precision": [
            note
            for note in (
                trial_notes.sharing_note(stats),
                trial_notes.bounds_note(stats),
                *trial_notes.precision_notes(stats),
            )
            if note
        ],
        "answering": trial_notes.answering_notes(stats),
        "risk": trial_notes.risk_drawing(stats),
        "subgroups": _subgroups(effects, stats["confidence_level"]),
        "checks": _checks(headline, effects, stats["confidence_level"]),
        "gaps": gaps.comparison_gaps(
            ({**row, "trial": stats["trial"], "baseline": stats["baseline"]} for row in effects[:1]),
            effects[0]["metric"] if effects else "",
            without_score={stats["trial"]: stats.get("without_score") or {}},
        ),
        "reading": reading_notes.reading_notes(stats),
        "stack": figures.stack(stats["outcomes"]),
        "drawings": _trial_drawings(page),
        "outcomes": [outcome.value for outcome in Outcome],
        "costs": page.costs,
        "cost_facts": _cost_facts(page),
        "price_rows": spending.price_rows(spending.price_sources([page.costs or {}])),
        "stats_tables": stats_tables([stats]),
        "examples": examples,
        "has_replicates": _has_replicates(examples),
        "block": _trial_block(page) if page.questions.examples else None,
        "group_titles": GROUP_TITLES,
        "group_notes": GROUP_NOTES,
    }


def _subgroups(effects: Sequence[Mapping[str, Any]], confidence_level: float) -> list[trial_notes.Subgroups]:
    found = (trial_notes.subgroups(row, confidence_level=confidence_level) for row in effects)
    return [part for part in found if part is not None]


def _cost_facts(page: TrialPage) -> list[tuple[str, str, float | None]]:
    cost = page.costs
    if cost is None:
        return []
    has_score = "correct" in page.stats["metrics"]
    trial = {**page.stats, "cost_usd": finite(cost["cost_usd"])}
    return spending.fact_rows(cost, leaderboard.cost_per_correct(trial) if has_score else None)


def _checks(
    headline: Mapping[str, Any] | None, effects: Sequence[Mapping[str, Any]], confidence_level: float
) -> list[robustness.Checks]:
    """Checks of every effect, those of the headline first."""
    ordered = sorted(effects, key=lambda row: row is not headline)
    found = (robustness.checks(row, confidence_level=confidence_level) for row in ordered)
    return [part for part in found if part is not None]


def _trial_drawings(page: TrialPage) -> dict[str, drawings.Drawing]:
    stats = page.stats
    effects = [{**row, "trial": stats["trial"], "baseline": stats["baseline"]} for row in stats["effects"]]
    confidence = level(stats["confidence_level"])
    margin = page.equivalence_margin
    return {
        "forest": drawings.forest_drawing(effects, group="dataset", margin=margin, confidence=confidence),
        "outcomes": drawings.outcomes_drawing([stats]),
    }


def _trial_block(page: TrialPage) -> dict[str, str]:
    names = {"trial": page.stats["trial"], "baseline": page.stats["baseline"]}
    return _block_view(embed.fit(embed.columns(page.questions, **names), budget=page.items_budget), **names)


def _run_blocks(questions: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Give the questions of each comparison (of each trial, where nothing is compared) a like share."""
    shown = [value for value in questions if value["baseline"] is not None] or list(questions)
    share = RUN_ITEMS_BUDGET // max(8, len(shown))
    fitted = (embed.fit(value, budget=share, shortest=RUN_SHORTEST_TEXT) for value in shown)
    return [
        _block_view(block, trial=value["trial"], baseline=value["baseline"])
        for value, block in zip(shown, fitted, strict=True)
    ]


def _block_view(block: embed.Block, *, trial: str, baseline: str | None) -> dict[str, str]:
    label = brief(trial) if baseline is None else f"{brief(trial)} against {brief(baseline)}"
    notes = []
    if block.n_shown < block.n_items:
        left_out = plural(block.n_items - block.n_shown, "question")
        notes.append(
            f"Not shown: {left_out} of the trial; those that differ come first; every kind is represented."
        )
    if block.is_cut:
        context = embed.context_limit(block.text_limit)
        also = "" if context == block.text_limit else f", contexts to {count(context)}"
        notes.append(f"Long texts are cut to {count(block.text_limit)} characters{also}.")
    return {"data": block.data, "label": label, "note": " ".join(notes), "href": f"{trial_url(trial)}#items"}


def factor_text(value: Any) -> str:
    """
    A factor's value as the configuration would have it.

    Examples
    --------
    >>> factor_text(None), factor_text(0.0), factor_text(True)
    ('—', '0', 'true')
    """
    if value is None:
        return MISSING
    return str(value).lower() if isinstance(value, bool) else brief(value)


def _run_facts(page: RunPage) -> list[tuple[str, Any]]:
    trials = page.summary["trials"]
    datasets = {name: part["n_items"] for trial in trials for name, part in trial["by_dataset"].items()}
    return [
        ("Trials", len(trials)),
        ("Datasets", len(datasets)),
        ("Questions", sum(datasets.values())),
        ("Requests", sum(trial["n_requests"] for trial in trials)),
        ("Comparisons", len({(row["trial"], row["baseline"]) for row in page.summary["effects"]})),
    ]


def _factors(run: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Factors that tell the trials apart, and those that all trials share."""
    names = ["model", "prompt", *leaderboard.other_factors(run)]
    values = {name: [trial.get(name) for trial in run["trials"]] for name in names}
    shared = [name for name in names if all(value == values[name][0] for value in values[name])]
    return {
        "factors": [name for name in names if name not in shared],
        "shared": [(name, values[name][0]) for name in shared],
    }


def _uncompared(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Trials without a baseline that are nobody's baseline either."""
    baselines = {trial["baseline"] for trial in trials}
    return [
        trial["trial"] for trial in trials if trial["baseline"] is None and trial["trial"] not in baselines
    ]


def _forests(overall: Sequence[Mapping[str, Any]], page: RunPage) -> list[tuple[str, figures.Forest]]:
    drawn = []
    for metric in page.methods.family:
        effects = figures.by_difference(row for row in overall if row["metric"] == metric)
        if effects:
            margin = effects[0].get("margin", page.methods.equivalence_margin)
            drawn.append((metric, figures.forest(effects, group="baseline", margin=margin)))
    return drawn


def _bounds(trials: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, float, float]]:
    """Trials that lack scores: for how many questions, and the mean at worst and at best."""
    rows = []
    for trial in trials:
        part = (trial["analyses"].get("bounds") or {}).get("correct") or {}
        if part.get("n_incomplete") and finite(part["lowest"]) is not None:
            rows.append((trial["trial"], part["n_incomplete"], part["lowest"], part["highest"]))
    return rows


def _behaviour(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Metrics of scorers other than `correct`, in the order in which they first appear."""
    passed_over = {"correct", *quantities.USAGE_NAMES}
    return [
        name for name in dict.fromkeys(n for t in trials for n in t["metrics"]) if name not in passed_over
    ]


def _missing_notes(trials: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why a mean is not there, once for each metric and reason."""
    notes = [
        f"{metrics.heading(name)} ({sentences.reason(metric['method'])})"
        for trial in trials
        for name, metric in trial["metrics"].items()
        if metric["mean"] is None and name not in quantities.USAGE_NAMES
    ]
    return list(dict.fromkeys(notes))


def _datasets(
    run: Mapping[str, Any], ranked: Sequence[Mapping[str, Any]], headline: str
) -> list[dict[str, Any]]:
    effects = {(row["trial"], row["dataset"]): row for row in run["effects"] if row["metric"] == headline}
    names = dict.fromkeys(name for trial in ranked for name in trial["by_dataset"])
    tables = []
    for name in names:
        parts = [(trial, trial["by_dataset"][name]) for trial in ranked if name in trial["by_dataset"]]
        parts.sort(key=lambda pair: _descending(pair[1]["metrics"]["correct"]["mean"]))
        bars = figures.bars([part["metrics"]["correct"] for _, part in parts])
        rows = [
            (trial, part, span, effects.get((trial["trial"], name)))
            for (trial, part), span in zip(parts, bars.spans, strict=True)
        ]
        tables.append({"name": name, "n_items": parts[0][1]["n_items"], "rows": rows, "ticks": bars.ticks})
    return tables


def _descending(mean: float | None) -> tuple[bool, float]:
    return mean is None, -(mean or 0.0)


def _score_rows(stats: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    parts = [(name, part["metrics"]) for name, part in stats["by_dataset"].items()]
    return [("all", stats["metrics"]), *parts] if len(parts) != 1 else parts


def _has_replicates(groups: Sequence[ExampleGroup]) -> bool:
    return any(example.replicate for group in groups for example in group.examples)
