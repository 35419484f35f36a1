"""Phase report: a page about each trial; a page, a summary and tables about the run."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scripts
from scripts.clock import now
from scripts.comparison.cost_effectiveness import compare_costs
from scripts.comparison.cost_sums import summarise_costs
from scripts.comparison.design import analyse_design
from scripts.comparison.leaderboard import place_trials
from scripts.comparison.omnibus import compare_all
from scripts.comparison.run_scores import Key, RunScores, pair_trials, read_run_scores
from scripts.comparison.simultaneous import detectable_differences, simultaneous_intervals
from scripts.errors import user_errors
from scripts.experiment.dataset_scorer import run_metrics
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings, read_run_settings
from scripts.files import read_json, write_json, write_text
from scripts.records import RUN_OUTPUTS, Trial
from scripts.reporting.embed import items_budget, unpack
from scripts.reporting.examples import read_questions
from scripts.reporting.leaderboard import leaderboard_columns, leaderboard_rows
from scripts.reporting.page_content import Methods, PromptText, RunPage, TrialPage
from scripts.reporting.pages import render_drawing, render_run_page, render_trial_page, warm_up
from scripts.reporting.question_selection import TrialFiles
from scripts.reporting.stats_tables import stats_tables
from scripts.reporting.summary import (
    EFFECT_COLUMNS,
    Together,
    TrialResult,
    build_summary,
    effect_rows,
)
from scripts.reporting.tables import csv_text
from scripts.reporting.views import run_drawings
from scripts.run.job import Job, phase_job, phase_parser, trial_job
from scripts.run.looks import looks_words, record_look
from scripts.run.paths import RunPaths

__all__ = ["main", "report_run", "report_trial", "warm_up"]


def run_inputs(settings: Settings) -> list[Path]:
    """List the files that the run's page is made from."""
    phases = ("stats", "costs", "report", "score", "parse")
    outputs = (settings.paths.output(phase, trial.name) for trial in settings.trials for phase in phases)
    return [*_prepared(settings), *outputs]


def trial_inputs(settings: Settings, trial: Trial) -> list[Path]:
    """List the files that a trial's page is made from."""
    paths = settings.paths
    inputs = [*_prepared(settings), paths.output("stats", trial.name), paths.output("costs", trial.name)]
    for name in filter(None, (trial.name, trial.baseline)):
        inputs += [paths.output("score", name), paths.output("parse", name)]
    return inputs


def report_trial(settings: Settings, trial: Trial, *, out: Path) -> None:
    """Write the page about one trial."""
    paths = settings.paths
    prompt = find_prompt(settings, trial.prompt)
    texts = {"system": prompt.system, "user": prompt.user}
    page = TrialPage(
        run_id=settings.run_id,
        factors=trial.factors,
        stats=read_json(paths.output("stats", trial.name)),
        costs=read_json(paths.output("costs", trial.name)),
        prompts=tuple(
            PromptText(role, path.read_text(encoding="utf-8")) for role, path in texts.items() if path
        ),
        questions=read_questions(
            _files(paths, trial.name),
            baseline=_files(paths, trial.baseline) if trial.baseline else None,
            datasets={name: paths.dataset(name) for name in settings.config["datasets"]},
        ),
        items_budget=items_budget(len(settings.trials)),
        equivalence_margin=settings.config["stats"]["equivalence_margin"],
    )
    write_text(out, render_trial_page(page))


def report_run(settings: Settings, *, out: Path) -> None:
    """Write the page about the run beside ``summary.json``, the two tables and the figures."""
    options = settings.config["stats"]
    results = [_read_result(settings, trial) for trial in settings.trials]
    compared = {metric.name: metric for metric in run_metrics(settings) if metric.is_compared}
    scores = read_run_scores(settings.trials, settings.paths, _prepared(settings), compared)
    summary = build_summary(
        results,
        run_id=settings.run_id,
        confidence_level=options["confidence_level"],
        adjustment=options["adjustment"],
        family=options["family"],
        margin=options["equivalence_margin"],
        max_unpaired=options["max_unpaired"],
        together=_together(settings, scores),
    )
    costs = {trial.name: result.costs or {} for trial, result in zip(settings.trials, results, strict=True)}
    summary |= summarise_costs(summary, costs)
    summary["cost_effectiveness"] = compare_costs(
        settings.trials,
        settings.paths,
        {name: cost.get("price") for name, cost in costs.items()},
        _prepared(settings),
        confidence_level=options["confidence_level"],
    )
    looks = record_look(
        settings.paths,
        n_questions=len(scores.items),
        n_requests=sum(trial["n_requests"] for trial in summary["trials"]),
        at=now(),
    )
    is_anytime = options["monitoring"] == "anytime"
    summary["looks"] = {
        "monitoring": options["monitoring"],
        "n_questions": [look.n_questions for look in looks],
        "note": looks_words(looks, is_anytime=is_anytime),
    }
    write_json(out.with_name("summary.json"), summary)
    leaders = csv_text(leaderboard_rows(summary), leaderboard_columns(summary))
    write_text(out.with_name("leaderboard.csv"), leaders)
    write_text(out.with_name("effects.csv"), csv_text(effect_rows(summary), EFFECT_COLUMNS))
    pages = (settings.paths.output("report", trial.name) for trial in settings.trials)
    questions = tuple(found for page in pages if (found := unpack(page.read_text(encoding="utf-8"))))
    further = stats_tables([result.stats for result in results])
    page = RunPage(summary, costs, _methods(settings), questions, further)
    for name, drawing in run_drawings(page).items():
        write_text(settings.paths.figure(name), render_drawing(drawing))
    write_text(out, render_run_page(page))


def _together(settings: Settings, scores: RunScores) -> Together:
    """Look at all comparisons and trials of the run together."""
    options = settings.config["stats"]
    drawing = {
        "confidence_level": options["confidence_level"],
        "resamples": options["resamples"],
        "seed": settings.config["seed"],
    }
    families = [
        list(pair_trials(scores, settings.trials, [scores.metrics[name] for name in names]))
        for names in (options["family"], [name for name in scores.means if name not in options["family"]])
    ]
    detectable: dict[Key, Any] = {}
    for members in families if options["monitoring"] == "single" else []:
        detectable |= detectable_differences(
            scores,
            members,
            confidence_level=options["confidence_level"],
            adjustment=options["adjustment"],
            resamples=options["resamples"],
        )
    # An interval that holds with all others goes with verdicts that bound the chance of any false one.
    has_intervals = options["adjustment"] in ("holm", "bonferroni") and options["monitoring"] == "single"
    headline = (*options["family"], "correct")[0]
    return Together(
        omnibus=compare_all(scores),
        simultaneous=simultaneous_intervals(scores, families[0], **drawing) if has_intervals else {},
        detectable=detectable,
        leaderboard=place_trials(scores, headline, **drawing),
        design=analyse_design(
            scores,
            settings.trials,
            headline,
            references=settings.config["trials"].get("baseline") or {},
            **drawing,
        ),
    )


def _prepared(settings: Settings) -> list[Path]:
    return settings.paths.prepared(settings.config["datasets"])


def _files(paths: RunPaths, trial: str) -> TrialFiles:
    return TrialFiles(paths.output("score", trial), paths.output("parse", trial))


def _read_result(settings: Settings, trial: Trial) -> TrialResult:
    stats, costs = (read_json(settings.paths.output(phase, trial.name)) for phase in ("stats", "costs"))
    return TrialResult(trial.factors, stats, costs)


def _methods(settings: Settings) -> Methods:
    options = settings.config["stats"]
    versions = {name: importlib.metadata.version(name) for name in ("scipy", "statsmodels", "snakemake")}
    return Methods(
        scorers={
            name: ", ".join(map(_scorer_name, entry["scorers"] if "scorers" in entry else [entry["scorer"]]))
            for name, entry in settings.config["datasets"].items()
        },
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
    return Job("report", options.run, "", tuple(inputs), tuple(outputs), options.made_from)


if __name__ == "__main__":
    sys.exit(main())
