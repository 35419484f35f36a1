"""What an output was made from: a digest of its settings and, for phases that cost nothing, of the code."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.experiment.dataset_scorer import make_scorer, resolved_specs
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256
from scripts.money.price_book import find_price
from scripts.providers import make_provider
from scripts.records import Item, Trial, digest
from scripts.reporting.embed import items_budget
from scripts.run.phase_code import phase_code_digest
from scripts.scorers.python import PythonScorer
from scripts.scorers.several import each_scorer

NOBODY = Item("", "", ())


def made_from(settings: Settings, phase: str, unit: str) -> str:
    """
    Digest of everything that one output is made from besides its input files.

    Parameters
    ----------
    settings : Settings
        The present configuration.
    phase : str
        One of `PHASES`.
    unit : str
        A dataset (prepare) or a trial; an empty text means the whole run (report).
    """
    about: dict[str, Any] = {"phase": phase, "code": phase_code_digest(phase)}
    config = settings.config
    if phase == "prepare":
        source = settings.find_file(config["datasets"][unit]["path"], "datasets", unit, "path")
        about |= {"source": cached_sha256(source), "limit_items": config["limit_items"]}
    elif phase == "build":
        about |= _request_facts(settings, settings.trial_by_name[unit])
    elif phase == "score":
        scorers = {name: resolved_specs(settings, name) for name in config["datasets"]}
        modules = {name: _user_modules(settings, name) for name in scorers}
        about |= {"scorers": scorers, "modules": modules, "score": config["score"]}
        about |= {"metrics": config["metrics"]}
    elif phase == "stats":
        names = ("confidence_level", "resamples", "equivalence_margin", "subgroups", "monitoring")
        options = {name: config["stats"][name] for name in names} | {"metrics": config["metrics"]}
        baseline = settings.trial_by_name[unit].baseline
        about |= {**options, "seed": config["seed"], "baseline": baseline}
        about |= {"prices": [_price_facts(settings, name) for name in (unit, baseline) if name]}
    elif phase == "costs":
        about |= {"price": _price_facts(settings, unit)}
    elif phase == "report":
        about |= {"stats": config["stats"], "seed": config["seed"]}
        if unit:
            about |= {"items_budget": items_budget(len(settings.trials))}
        trials = settings.trials if not unit else (settings.trial_by_name[unit],)
        about |= {"trials": [_trial_facts(trial) for trial in trials]}
    return digest(about)


def _price_facts(settings: Settings, trial: str) -> Mapping[str, Any] | None:
    """Rates of a trial's model; the same rates on another day are the same price."""
    price = find_price(settings.config, settings.trial_by_name[trial].model)
    return dataclasses.replace(price, as_of=None).to_json() if price else None


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


def _user_modules(settings: Settings, dataset: str) -> list[str]:
    """Digests of the files behind scorers of the user's own (``python: module:function``)."""
    # imports the modules also where only the working directory has them
    own = [one for one in each_scorer(make_scorer(settings, dataset)) if isinstance(one, PythonScorer)]
    sources = (getattr(sys.modules[one.function.partition(":")[0]], "__file__", None) for one in own)
    return [cached_sha256(Path(source)) for source in sources if source]
