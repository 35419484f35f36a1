"""Every check beyond the schema, before anything runs: what is found later costs money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.errors import ConfigError, PipelineError, shorten
from scripts.experiment.dataset_scorer import run_metrics
from scripts.experiment.schema import did_you_mean, explain_schema_error
from scripts.experiment.settings import Settings
from scripts.money.price_book import check_price_names, find_price, price_line, provider_name
from scripts.providers import PROVIDERS, Provider, provider_class
from scripts.providers.options import provider_schema
from scripts.run.folder import iterate_runs
from scripts.run.item_checks import check_items, find_prompts, read_datasets


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
    _check_cases(settings)
    for name in settings.config["providers"]:
        _check_provider(settings, name)
    for model in settings.config["models"]:
        _check_model(settings, model)
    prompts = find_prompts(settings)
    run_metrics(settings)
    _check_trials(settings)
    warnings = list(check_price_names(settings))
    _check_prices(settings)
    _check_decisions(settings)
    adapters = {trial.model: _adapter(settings, trial.model) for trial in settings.trials}
    with_ids = any(adapter.needs_item_ids for adapter in adapters.values())
    readings = read_datasets(settings, prompts, with_ids=with_ids)
    asking = dict.fromkeys(trial.prompt for trial in settings.trials if adapters[trial.model].needs_texts)
    warnings += check_items(settings, prompts, readings, asking)
    item_ids = {name: frozenset(reading.ids) for name, reading in readings.items() if reading.is_whole}
    for model, adapter in adapters.items():
        adapter.check(settings, model, item_ids)
    return warnings + _check_keys(set(adapters.values()), needs_keys=needs_keys)


def _check_cases(settings: Settings) -> None:
    """Refuse names that differ by upper and lower case only: on many disks they are one file."""
    for section in ("datasets", "prompts", "models"):
        _refuse_twins(settings, settings.config[section], section)
    _refuse_twins(settings, settings.trial_by_name, "trials")
    root = settings.run_root
    for other in iterate_runs([root.parent]):
        if other.name != root.name and other.name.casefold() == root.name.casefold():
            raise settings.error(
                f"{settings.run_id!r} differs only by upper and lower case from a run that is there: {other}",
                "run_id",
                fix="Write it as that run does, or choose another name.",
            )


def _refuse_twins(settings: Settings, names: Iterable[str], section: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise settings.error(
                f"the names {twin!r} and {name!r} differ only by upper and lower case",
                section,
                fix="Choose names that differ otherwise: on many disks these are one file.",
            )


def _adapter(settings: Settings, model: str) -> type[Provider]:
    return provider_class(settings.config["models"][model]["provider"])


def _check_keys(adapters: Iterable[type[Provider]], *, needs_keys: bool) -> list[PipelineError]:
    """Look for the providers' keys; where none is needed yet, what is wrong with them is a warning."""
    warnings: list[PipelineError] = []
    for adapter in sorted(adapters, key=lambda adapter: adapter.name):
        try:
            adapter.check_key()
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
        adapter = _adapter(settings, trial.model)
        for key, value in trial.sampling.items():
            if adapter.parameters is not None and value is not None and key not in adapter.parameters:
                raise settings.error(
                    f"{adapter.name} does not support {key!r}{did_you_mean(key, sorted(adapter.parameters))}",
                    "sampling",
                    key,
                    fix=f"It supports: {shorten(adapter.parameters, limit=20)}.",
                )
        if adapter.needs_texts and "user" not in settings.config["prompts"][trial.prompt]:
            raise settings.error(
                "has no user text",
                "prompts",
                trial.prompt,
                fix=f"Add `user:`; {adapter.name} needs something to send.",
            )


def _check_prices(settings: Settings) -> None:
    """Refuse a model that nobody can price."""
    for model in dict.fromkeys(trial.model for trial in settings.trials):
        adapter = _adapter(settings, model)
        priced = settings.config["allow_unpriced"] or not adapter.is_paid
        if not priced and find_price(settings.config, model) is None:
            raise settings.error(
                f"the model {provider_name(settings.config, model)!r} has no price",
                "models",
                model,
                fix=f"{price_line(settings.config, model)}; or set allow_unpriced: true "
                "(its cost is then null).",
            )


def _check_decisions(settings: Settings) -> None:
    """Refuse a decision about an unknown trial's shard, and two decisions about the same shard."""
    adopted, resubmitted = settings.config["adopt"], settings.config["resubmit"]
    named = [("adopt", shard) for shard in adopted] + [("resubmit", shard) for shard in resubmitted]
    for key, shard in named:
        trial = shard.rpartition("/")[0]
        if trial not in settings.trial_by_name:
            hint = did_you_mean(trial, list(settings.trial_by_name))
            raise settings.error(f"there is no trial {trial!r}{hint}", key, fix="Copy it from the message.")
    if both := set(adopted) & set(resubmitted):
        raise settings.error(
            f"{shorten(both)} is listed under adopt as well",
            "resubmit",
            fix="Keep one of them: either its batch exists or it does not.",
        )
