"""Phase report: a page about each trial; a page, a summary and tables about the run."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import platform
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scripts
from scripts.analysis.omnibus import omnibus_test
from scripts.comparison.cost_effectiveness import compare_costs
from scripts.comparison.item_scores import (
    EFFECT_METRICS,
    KEY,
    add_items,
    applicable,
    average_replicates,
    by_dataset,
    read_items,
    read_scores,
)
from scripts.errors import user_errors
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings, read_run_settings
from scripts.files import read_json, write_json, write_text
from scripts.records import RUN_OUTPUTS, Trial
from scripts.reporting.embed import items_budget, unpack
from scripts.reporting.examples import read_questions
from scripts.reporting.page_content import Methods, PromptText, RunPage, TrialPage
from scripts.reporting.pages import render_drawing, render_run_page, render_trial_page, warm_up
from scripts.reporting.question_selection import TrialFiles
from scripts.reporting.stats_tables import stats_tables
from scripts.reporting.summary import (
    EFFECT_COLUMNS,
    TrialResult,
    build_summary,
    cost_per_correct,
    effect_rows,
    leaderboard_columns,
    leaderboard_rows,
)
from scripts.reporting.tables import csv_text
from scripts.reporting.views import run_drawings
from scripts.run.job import Job, phase_job, phase_parser, trial_job

if TYPE_CHECKING:
    import pandas as pd

MIN_OMNIBUS = 3
"""Trials from which on a test of all at once says something that no effect says."""

COST_PARTS = ("cost_usd", "reason", "cost_per_request_usd", "n_attempts", "repeated", "failed", "reused")
"""What the summary has of a trial's ``costs.json``."""

__all__ = ["main", "report_run", "report_trial", "warm_up"]


def run_inputs(settings: Settings) -> list[Path]:
    """List the files that the run's page is made from."""
    folders = [settings.run_root / "trials" / trial.name for trial in settings.trials]
    files = (
        "stats/stats.json",
        "costs/costs.json",
        "report/report.html",
        "score/scores.parquet",
        "parse/outcomes.parquet",
    )
    return [*_prepared(settings), *(folder / file for folder in folders for file in files)]


def trial_inputs(settings: Settings, trial: Trial) -> list[Path]:
    """List the files that a trial's page is made from."""
    folder = settings.run_root / "trials"
    inputs = _prepared(settings)
    inputs += [folder / trial.name / "stats" / "stats.json", folder / trial.name / "costs" / "costs.json"]
    for name in filter(None, (trial.name, trial.baseline)):
        inputs += [folder / name / "score" / "scores.parquet", folder / name / "parse" / "outcomes.parquet"]
    return inputs


def report_trial(settings: Settings, trial: Trial, *, out: Path) -> None:
    """Write the page about one trial."""
    folder = settings.run_root / "trials"
    prepared = settings.run_root / "datasets"
    datasets = {name: prepared / f"{name}.parquet" for name in settings.config["datasets"]}
    prompt = find_prompt(settings, trial.prompt)
    texts = {"system": prompt.system, "user": prompt.user}
    page = TrialPage(
        run_id=settings.run_id,
        factors=trial.factors,
        stats=read_json(folder / trial.name / "stats" / "stats.json"),
        costs=read_json(folder / trial.name / "costs" / "costs.json"),
        prompts=tuple(
            PromptText(role, path.read_text(encoding="utf-8")) for role, path in texts.items() if path
        ),
        questions=read_questions(
            _files(folder / trial.name),
            baseline=_files(folder / trial.baseline) if trial.baseline else None,
            datasets=datasets,
        ),
        items_budget=items_budget(len(settings.trials)),
        equivalence_margin=settings.config["stats"]["equivalence_margin"],
    )
    write_text(out, render_trial_page(page))


def report_run(settings: Settings, *, out: Path) -> None:
    """Write the page about the run beside ``summary.json``, the two tables and the figures."""
    options = settings.config["stats"]
    results = [_read_result(settings, trial) for trial in settings.trials]
    summary = build_summary(
        results,
        run_id=settings.run_id,
        confidence_level=options["confidence_level"],
        adjustment=options["adjustment"],
        family=options["family"],
        margin=options["equivalence_margin"],
        max_error_rate=settings.config["max_error_rate"],
        omnibus=compare_all(settings),
    )
    costs = {trial.name: result.costs or {} for trial, result in zip(settings.trials, results, strict=True)}
    summary |= summarise_costs(summary, costs)
    summary["cost_effectiveness"] = compare_costs(
        settings.trials,
        settings.run_root / "trials",
        {name: cost.get("price") for name, cost in costs.items()},
        _prepared(settings),
        confidence_level=options["confidence_level"],
    )
    write_json(out.with_name("summary.json"), summary)
    leaders = csv_text(leaderboard_rows(summary), leaderboard_columns(summary))
    write_text(out.with_name("leaderboard.csv"), leaders)
    write_text(out.with_name("effects.csv"), csv_text(effect_rows(summary), EFFECT_COLUMNS))
    pages = (
        settings.run_root / "trials" / trial.name / "report" / "report.html" for trial in settings.trials
    )
    questions = tuple(found for page in pages if (found := unpack(page.read_text(encoding="utf-8"))))
    further = stats_tables([result.stats for result in results])
    page = RunPage(summary, costs, _methods(settings), questions, further)
    for name, drawing in run_drawings(page).items():
        write_text(out.parent / "figures" / f"{name}.svg", render_drawing(drawing))
    write_text(out, render_run_page(page))


def summarise_costs(
    summary: Mapping[str, Any], costs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """
    Put together what a run cost and the rates of it, for ``summary.json``.

    Parameters
    ----------
    summary : mapping
        What `build_summary` gives.
    costs : mapping
        What ``costs.json`` holds, by trial.

    Returns
    -------
    dict
        ``costs``: the total of what is known, and by trial the dollars per request and per correct answer,
        and those of repeated and failed attempts.  ``prices``: the rates by the configuration's model name.
    """
    known = [Decimal(str(trial["cost_usd"])) for trial in summary["trials"] if trial["cost_usd"] is not None]
    return {
        "costs": {
            "total_usd": float(sum(known)) if known else None,
            "n_unknown": len(summary["trials"]) - len(known),
            "trials": {
                trial["trial"]: {
                    "cost_per_correct_usd": cost_per_correct(trial),
                    **{name: costs[trial["trial"]].get(name) for name in COST_PARTS},
                }
                for trial in summary["trials"]
            },
        },
        "prices": {cost["model"]: cost["price"] for cost in costs.values() if cost},
    }


def compare_all(settings: Settings) -> list[dict[str, Any]]:
    """Test all trials at once, by dataset and metric; with fewer than three there is nothing to add."""
    names = [trial.name for trial in settings.trials]
    if len(names) < MIN_OMNIBUS:
        return []
    items = read_items(_prepared(settings))
    paths = [settings.run_root / "trials" / name / "score" / "scores.parquet" for name in names]
    means = [average_replicates(read_scores(path), EFFECT_METRICS).set_index(KEY) for path in paths]
    tests = []
    for metric in EFFECT_METRICS:
        columns = {str(place): frame[metric] for place, frame in enumerate(means)}
        scores = add_items(_side_by_side(columns), items)
        for dataset, part in by_dataset(scores):
            if part[list(columns)].notna().any(axis=None):
                complete = applicable(part, list(columns))
                found = omnibus_test(complete[list(columns)].to_numpy(float), complete["cluster"].tolist())
                about = {"dataset": dataset, "metric": metric, "n_trials": len(names)}
                tests.append({**about, **dataclasses.asdict(found)})
    return tests


def _side_by_side(columns: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
    """A row per item, a column per trial."""
    import pandas as pd

    return pd.concat(columns, axis=1).reset_index()


def _prepared(settings: Settings) -> list[Path]:
    return [settings.run_root / "datasets" / f"{name}.parquet" for name in settings.config["datasets"]]


def _files(folder: Path) -> TrialFiles:
    return TrialFiles(folder / "score" / "scores.parquet", folder / "parse" / "outcomes.parquet")


def _read_result(settings: Settings, trial: Trial) -> TrialResult:
    folder = settings.run_root / "trials" / trial.name
    return TrialResult(
        trial.factors, read_json(folder / "stats" / "stats.json"), read_json(folder / "costs" / "costs.json")
    )


def _methods(settings: Settings) -> Methods:
    options = settings.config["stats"]
    versions = {name: importlib.metadata.version(name) for name in ("scipy", "statsmodels", "snakemake")}
    return Methods(
        scorers={name: _scorer_name(entry["scorer"]) for name, entry in settings.config["datasets"].items()},
        resamples=options["resamples"],
        seed=settings.config["seed"],
        adjustment=options["adjustment"],
        family=tuple(options["family"]),
        equivalence_margin=options["equivalence_margin"],
        versions={"trialmake": scripts.__version__, "python": platform.python_version(), **versions},
        providers={name: model["provider"] for name, model in settings.config["models"].items()},
        limit_items=settings.config["limit_items"],
    )


def _scorer_name(spec: Any) -> str:
    if isinstance(spec, str):
        return spec
    options = ", ".join(f"{key}={value}" for key, value in spec.items() if key != "name")
    return f"{spec.get('name', 'python')} ({options})" if options else str(spec.get("name", "python"))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page about a trial or the run (the command of rules ``report`` and ``run_report``)."""
    parser = phase_parser("report", "Write the page about a trial, or about the whole run.", unit="")
    parser.add_argument("--trial", help="name of the trial; without it, the whole run")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = parser.parse_args(argv)
    with user_errors():
        settings = read_run_settings(options.run)
    if options.trial is None:
        outputs = [options.out.parent / name for name in RUN_OUTPUTS]
        with phase_job(_run_job(options, run_inputs(settings), outputs)):
            report_run(settings, out=options.out)
        return 0
    trial = settings.trial(options.trial)
    inputs = trial_inputs(settings, trial)
    with phase_job(trial_job("report", options, inputs=inputs, outputs=[options.out])):
        report_trial(settings, trial, out=options.out)
    return 0


def _run_job(options: argparse.Namespace, inputs: Sequence[Path], outputs: Sequence[Path]) -> Job:
    folder = options.out.parent
    return Job("report", options.run, folder, "", tuple(inputs), tuple(outputs), options.made_from)


if __name__ == "__main__":
    sys.exit(main())
