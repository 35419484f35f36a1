"""What an output was made from: a digest of its settings and, for phases that cost nothing, of the code."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings, make_scorer
from scripts.files import PROJECT_ROOT, cached_sha256
from scripts.money.price_book import find_price
from scripts.providers import make_provider
from scripts.records import Item, Trial, digest
from scripts.reporting.embed import items_budget
from scripts.scorers.python import PythonScorer

CODE = {
    "parse": (
        "parse",
        "replies",
        "providers/base",
        "providers/chat",
        "providers/responses",
        "providers/anthropic_rows",
        "providers/fireworks_rows",
        "providers/mistral_rows",
    ),
    "score": ("score", "scorers"),
    "stats": ("stats", "trial_stats", "effect_stats", "item_scores", "analysis"),
    "costs": ("costs", "attempts", "pricing", "rates"),
    "report": (
        "report",
        "reporting",
        "item_scores",
        "item_costs",
        "attempts",
        "cost_comparison",
        "rates",
        "analysis",
    ),
}
"""Code that a phase's outputs hang on; none for the phases before money is spent: an edit must not resend."""

NOBODY = Item("", "", ())


def made_from(settings: Settings, phase: str, unit: str) -> str:
    """
    Digest of all that one output is made from beside its input files.

    Parameters
    ----------
    settings : Settings
        The present configuration.
    phase : str
        One of `PHASES`.
    unit : str
        A dataset (prepare) or a trial; an empty text is the whole run (report).
    """
    about: dict[str, Any] = {"phase": phase, "code": code_digest(*CODE.get(phase, ()))}
    config = settings.config
    if phase == "prepare":
        source = settings.find_file(config["datasets"][unit]["path"], "datasets", unit, "path")
        about |= {"source": cached_sha256(source), "limit_items": config["limit_items"]}
    elif phase == "build":
        about |= _request_facts(settings, settings.trial_by_name[unit])
    elif phase == "score":
        scorers = {name: entry["scorer"] for name, entry in config["datasets"].items()}
        modules = {name: _user_module(settings, name) for name in scorers}
        about |= {"scorers": scorers, "modules": modules, "score": config["score"]}
    elif phase == "stats":
        names = ("confidence_level", "resamples", "equivalence_margin", "subgroups")
        options = {name: config["stats"][name] for name in names}
        about |= {**options, "seed": config["seed"], "baseline": settings.trial_by_name[unit].baseline}
    elif phase == "costs":
        price = find_price(config, settings.trial_by_name[unit].model)
        # the same rates on another day are the same price
        about |= {"price": dataclasses.replace(price, as_of=None).to_json() if price else None}
    elif phase == "report":
        about |= {"stats": config["stats"], "seed": config["seed"]}
        if unit:
            about |= {"items_budget": items_budget(len(settings.trials))}
        else:
            about |= {"max_error_rate": config["max_error_rate"]}  # what is called unbalanced
        trials = settings.trials if not unit else (settings.trial_by_name[unit],)
        about |= {"trials": [_trial_facts(trial) for trial in trials]}
    return digest(about)


@functools.cache
def code_digest(*names: str) -> str:
    """Digest of modules and packages under ``scripts/``, by their paths there without an ending."""
    code = hashlib.sha256()
    for name in names:
        path = PROJECT_ROOT / "scripts" / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                code.update(str(file.relative_to(PROJECT_ROOT)).encode())
                code.update(file.read_bytes())
    return code.hexdigest()


def _trial_facts(trial: Trial) -> dict[str, Any]:
    return {"trial": trial.name, "baseline": trial.baseline, "factors": trial.factors}


def _request_facts(settings: Settings, trial: Trial) -> Mapping[str, Any]:
    prompt = find_prompt(settings, trial.prompt)
    texts = [path and cached_sha256(path) for path in (prompt.system, prompt.user)]
    body = make_provider(settings, trial.model).body([], trial, "", NOBODY)
    return {
        "body": body,
        "texts": texts,
        "replicates": trial.replicates,
        "datasets": list(settings.config["datasets"]),
    }


def _user_module(settings: Settings, dataset: str) -> str | None:
    """Digest of the file behind a scorer of the user's own (``python: module:function``)."""
    scorer = make_scorer(settings, dataset)  # imports the module also where only the working directory has it
    if not isinstance(scorer, PythonScorer):
        return None
    source = getattr(sys.modules[scorer.function.partition(":")[0]], "__file__", None)
    return cached_sha256(Path(source)) if source else None
