"""Every check beyond the schema, before anything runs: what is found later costs money."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import ConfigError, DataError, PipelineError, shorten
from scripts.experiment.dataset_scorer import make_scorer
from scripts.experiment.datasets import OWN_FIELDS, read_items
from scripts.experiment.prompts import Prompt, check_fields, find_prompt, load_template, used_fields
from scripts.experiment.schema import did_you_mean, explain_schema_error
from scripts.experiment.settings import Settings
from scripts.money.price_book import check_price_names, find_price, price_line, provider_name
from scripts.providers import PROVIDERS, provider_class
from scripts.providers.options import provider_schema
from scripts.records import Item
from scripts.scorers import Scorer
from scripts.scorers.python import PythonScorer

MAX_SHAPES = 1024
"""How many kinds of items (by the fields that templates use) each prompt is tried on."""


def check_settings(settings: Settings, *, needs_keys: bool = True) -> list[PipelineError]:
    """
    Check everything that can be checked without asking a provider.

    Parameters
    ----------
    settings : Settings
        The configuration.
    needs_keys : bool
        Whether a provider's key that is missing is an error; else it is a warning.

    Returns
    -------
    list of PipelineError
        Warnings: what may be meant so.

    Raises
    ------
    PipelineError
        For the first thing that is wrong.
    """
    _check_folder(settings)
    for name in settings.config["providers"]:
        _check_provider(settings, name)
    for model in settings.config["models"]:
        _check_model(settings, model)
    prompts = _check_templates(settings)
    _check_trials(settings)
    warnings = list(check_price_names(settings))
    _check_prices(settings)
    _check_decisions(settings)
    samples, item_ids = _read_datasets(settings, prompts)
    _check_subgroups(settings, samples)
    _check_prompts(settings, samples)
    for model in dict.fromkeys(trial.model for trial in settings.trials):
        provider_class(settings.config["models"][model]["provider"]).check(settings, model, item_ids)
    return warnings + _check_keys(settings, needs_keys=needs_keys)


def _check_keys(settings: Settings, *, needs_keys: bool) -> list[PipelineError]:
    """Look for the providers' keys; where none is needed yet, what is wrong with them is a warning."""
    warnings: list[PipelineError] = []
    models = dict.fromkeys(trial.model for trial in settings.trials)
    for name in dict.fromkeys(settings.config["models"][model]["provider"] for model in models):
        try:
            provider_class(name).check_key()
        except ConfigError as error:
            if needs_keys:
                raise
            warnings.append(error)
    return warnings


def _check_folder(settings: Settings) -> None:
    folder = Path(settings.config["experiments_dir"])
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            raise settings.error(f"{part} is not a folder", "experiments_dir", fix="Name another folder.")


def _check_provider(settings: Settings, name: str) -> None:
    if name not in PROVIDERS:
        raise _unknown_provider(settings, name, "providers", name)
    given = settings.config["providers"][name]
    _check_part(settings, provider_schema(name)["settings"], given, "providers", name)


def _check_model(settings: Settings, model: str) -> None:
    options = settings.config["models"][model]
    name = options["provider"]
    if name not in PROVIDERS:
        raise _unknown_provider(settings, name, "models", model, "provider")
    _check_part(settings, provider_schema(name)["model"], options, "models", model)
    if "recorded" in options:
        settings.find_file(options["recorded"], "models", model, "recorded")


def _check_part(settings: Settings, schema: Mapping[str, Any], value: Any, *keys: str) -> None:
    import jsonschema

    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        what, path, fix = explain_schema_error(error)
        raise settings.error(what, *keys, *path, fix=fix)


def _unknown_provider(settings: Settings, name: str, *keys: str) -> Exception:
    return settings.error(
        f"unknown provider {name!r}{did_you_mean(name, list(PROVIDERS))}",
        *keys,
        fix=f"Known: {', '.join(PROVIDERS)}.",
    )


def _check_trials(settings: Settings) -> None:
    """Refuse what a provider would refuse."""
    for trial in settings.trials:
        adapter = provider_class(settings.config["models"][trial.model]["provider"])
        for key, value in trial.sampling.items():
            if adapter.parameters is not None and value is not None and key not in adapter.parameters:
                raise settings.error(
                    f"{adapter.name} does not take {key!r}{did_you_mean(key, sorted(adapter.parameters))}",
                    "sampling",
                    key,
                    fix=f"It takes: {shorten(adapter.parameters, limit=20)}.",
                )
        if adapter.needs_texts and "user" not in settings.config["prompts"][trial.prompt]:
            raise settings.error(
                "has no user text",
                "prompts",
                trial.prompt,
                fix=f"Add `user:`; {adapter.name} has to send something.",
            )


def _check_prices(settings: Settings) -> None:
    """Refuse a model that nobody can price."""
    for model in dict.fromkeys(trial.model for trial in settings.trials):
        adapter = provider_class(settings.config["models"][model]["provider"])
        priced = settings.config["allow_unpriced"] or not adapter.is_paid
        if not priced and find_price(settings.config, model) is None:
            raise settings.error(
                f"the model {provider_name(settings.config, model)!r} has no price",
                "models",
                model,
                fix=f"{price_line(settings.config, model)}; or set allow_unpriced: true (the cost is null then).",
            )


def _check_decisions(settings: Settings) -> None:
    """Refuse a decision about a shard of no trial, and two about one shard."""
    adopted, resubmitted = settings.config["adopt"], settings.config["resubmit"]
    named = [("adopt", shard) for shard in adopted] + [("resubmit", shard) for shard in resubmitted]
    for key, shard in named:
        trial = shard.rpartition("/")[0]
        if trial not in settings.trial_by_name:
            hint = did_you_mean(trial, list(settings.trial_by_name))
            raise settings.error(f"no trial is called {trial!r}{hint}", key, fix="Copy it from the message.")
    if both := set(adopted) & set(resubmitted):
        raise settings.error(
            f"{shorten(both)} stands under adopt as well", "resubmit", fix="Either its batch is there or not."
        )


def _check_templates(settings: Settings) -> dict[str, Prompt]:
    """Find and compile every template, also those that no trial uses yet."""
    prompts = {name: find_prompt(settings, name) for name in settings.config["prompts"]}
    for prompt in prompts.values():
        for path in prompt.texts:
            load_template(path)
    return prompts


def _read_datasets(
    settings: Settings, prompts: Mapping[str, Prompt]
) -> tuple[list[Item], dict[str, frozenset[str]]]:
    """Read every item of every dataset once; keep their ids, and one item of each shape."""
    grouping = settings.config["stats"]["subgroups"]
    in_texts = (used_fields(path) for prompt in prompts.values() for path in prompt.texts)
    used = sorted(frozenset(grouping).union(*in_texts))
    shapes: dict[Any, Item] = {}
    item_ids: dict[str, frozenset[str]] = {}
    for name, entry in settings.config["datasets"].items():
        ids: set[str] = set()
        scorer = make_scorer(settings, name)
        path = settings.find_file(entry["path"], "datasets", name, "path")
        for item in read_items(path):
            if not ids or not isinstance(scorer, PythonScorer):  # a user's function may take its time
                _check_can_score(scorer, item, path)
            for key in grouping:
                _check_can_group(key, item, path)
            ids.add(item.id)
            fields = tuple(type(item.fields.get(key, ...)) for key in used)
            shape = (name, fields, item.context is None, bool(item.choices))
            if shape not in shapes and len(shapes) < MAX_SHAPES:
                shapes[shape] = item
        item_ids[name] = frozenset(ids)
    return list(shapes.values()), item_ids


def _check_subgroups(settings: Settings, samples: list[Item]) -> None:
    """Refuse a field that no item has; the samples have every field that is asked for."""
    known = sorted({key for item in samples for key in item.fields})
    for place, key in enumerate(settings.config["stats"]["subgroups"]):
        if key in OWN_FIELDS or key == "dataset":
            raise settings.error(
                f"{key!r} is not a further field of the items",
                "stats",
                "subgroups",
                place,
                fix="Leave it out; datasets and unanswerable items are groups anyway.",
            )
        if key not in known:
            raise settings.error(
                f"no item has a field {key!r}{did_you_mean(key, known)}",
                "stats",
                "subgroups",
                place,
                fix=f"Fields seen: {shorten(known, limit=20) or 'none'}.",
            )


def _check_can_group(key: str, item: Item, path: Path) -> None:
    """Refuse a value that makes no group: a list, an object, or an infinity."""
    value = item.fields.get(key)
    is_number = isinstance(value, int | float) and (value != value or abs(value) <= sys.float_info.max)
    if value is not None and not isinstance(value, str) and not is_number:
        raise DataError(
            f"the field {key!r} is {value!r:.40}, which makes no group",
            where=f"{path}, item {item.id!r}",
            fix="Use a text, true or false, or a number; or leave it out of stats.subgroups.",
        )


def _check_prompts(settings: Settings, samples: list[Item]) -> None:
    fields = {key for item in samples for key in item.fields} - set(OWN_FIELDS)
    for name in dict.fromkeys(trial.prompt for trial in settings.trials):
        prompt = find_prompt(settings, name)
        for path in prompt.texts:
            check_fields(path, fields)
        for item in samples:
            prompt.messages(item)


def _check_can_score(scorer: Scorer, item: Item, path: Path) -> None:
    """Refuse an item that its scorer can make nothing of, such as a text where a number is due."""
    try:
        scorer.score(item.answers[0] if item.answers else "", item)
    except ValueError as error:
        raise DataError(
            str(error), where=f"{path}, item {item.id!r}", fix="Correct the item, or choose another scorer."
        ) from None
