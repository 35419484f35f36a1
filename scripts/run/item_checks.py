"""What can be found wrong with items and prompts before anything is sent."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from scripts.errors import DataError, PipelineError, shorten
from scripts.experiment.dataset_scorer import make_scorer
from scripts.experiment.datasets import OWN_FIELDS, find_own_field
from scripts.experiment.placeholders import check_asks
from scripts.experiment.prompts import Prompt, check_fields, find_prompt, load_template, used_fields
from scripts.experiment.schema import did_you_mean
from scripts.experiment.settings import Settings
from scripts.records import Item
from scripts.run.dataset_reading import FindAlike, Reading, read_dataset
from scripts.scorers import Scorer
from scripts.scorers.numeric import Numeric
from scripts.scorers.python import PythonScorer
from scripts.scorers.several import each_scorer
from scripts.scorers.text import find_alike


def find_prompts(settings: Settings) -> dict[str, Prompt]:
    """Find and compile every template, also those that no trial uses yet."""
    prompts = {name: find_prompt(settings, name) for name in settings.config["prompts"]}
    for prompt in prompts.values():
        for path in prompt.texts:
            load_template(path)
    return prompts


def read_datasets(settings: Settings, prompts: Mapping[str, Prompt], *, with_ids: bool) -> dict[str, Reading]:
    """
    Check the items that the run takes of every dataset: rows, scorers, groups.

    Parameters
    ----------
    settings, prompts
        The configuration and its prompts.
    with_ids : bool
        Whether every item's id is needed.

    Raises
    ------
    PipelineError
        For the first item that will not do.
    """
    used = sorted(_fields_in_use(settings, prompts))
    return {
        name: read_dataset(
            settings,
            name,
            used,
            check=_make_check(settings, name),
            find_alike=_make_find_alike(settings, name),
            with_ids=with_ids,
        )
        for name in settings.config["datasets"]
    }


def check_items(
    settings: Settings, prompts: Mapping[str, Prompt], readings: Mapping[str, Reading], asking: Iterable[str]
) -> list[PipelineError]:
    """
    Check what the datasets hold against all that names their fields.

    Parameters
    ----------
    settings, prompts, readings
        The configuration, its prompts, and what its datasets hold.
    asking : iterable of str
        Prompts whose texts are sent.

    Returns
    -------
    list of PipelineError
        Warnings: what may be meant so.

    Raises
    ------
    PipelineError
        For the first thing that is wrong.
    """
    used = _fields_in_use(settings, prompts)
    warnings = [warning for name in readings for warning in _check_columns(settings, name, readings, used)]
    warnings += [_describe_alike(settings, name, readings[name]) for name in readings if readings[name].alike]
    samples = [item for reading in readings.values() for item in reading.samples]
    _check_subgroups(settings, samples)
    fields = {key for reading in readings.values() for key in reading.fields}
    for name in dict.fromkeys(trial.prompt for trial in settings.trials):
        for path in prompts[name].texts:
            check_fields(path, fields)
        for item in samples:
            prompts[name].messages(item)
    for name in asking:
        for dataset, reading in readings.items():
            warning = check_asks(settings, prompts[name], dataset, reading.different)
            if warning is not None:
                fix = "Let the prompt tell these questions apart, if it should."
                warnings.append(settings.error(warning, "prompts", name, fix=fix))
    return warnings


def _fields_in_use(settings: Settings, prompts: Mapping[str, Prompt]) -> frozenset[str]:
    """Fields that some template or the statistics name."""
    in_texts = (used_fields(path) for prompt in prompts.values() for path in prompt.texts)
    return frozenset(settings.config["stats"]["subgroups"]).union(*in_texts)


def _make_check(settings: Settings, name: str) -> Callable[[Item, Path], None]:
    scorers = each_scorer(make_scorer(settings, name))
    grouping = settings.config["stats"]["subgroups"]
    was_asked: list[bool] = []

    def check(item: Item, path: Path) -> None:
        for scorer in scorers:
            if not was_asked or not isinstance(scorer, PythonScorer):  # a user's function may take its time
                _check_can_score(scorer, item, path)
        was_asked.append(True)
        for key in grouping:
            _check_can_group(key, item, path)

    return check


def _make_find_alike(settings: Settings, name: str) -> FindAlike:
    """Compare an item's texts as its scorer does; numbers, and what a user's function sees, are not texts."""
    scorer = each_scorer(make_scorer(settings, name))[0]
    if isinstance(scorer, PythonScorer | Numeric):
        return lambda item: None
    return functools.partial(find_alike, squad=getattr(scorer, "squad", False))


def _describe_alike(settings: Settings, name: str, reading: Reading) -> PipelineError:
    """Warn of items of which two options, or two accepted answers, cannot be told apart."""
    item_id, one, other = reading.alike
    more = f"; {reading.n_alike} items have such texts" if reading.n_alike > 1 else ""
    return DataError(
        f"{one!r:.80} and {other!r:.80} become the same text when answers are compared{more}",
        where=f"{settings.config['datasets'][name]['path']}, item {item_id!r}",
        fix="A reply that means one counts as the other, too: write them apart, or choose another scorer.",
    )


def _check_columns(
    settings: Settings, name: str, readings: Mapping[str, Reading], used: frozenset[str]
) -> list[PipelineError]:
    """Refuse a field that is surely meant to be one of a dataset's own; warn of one that may be."""
    reading = readings[name]
    warnings: list[PipelineError] = []
    for key in sorted(reading.fields - used):
        own, is_sure = find_own_field(key)
        if (
            own is None
            or own in reading.own
            or own not in {"context", "choices", "cluster", "is_unanswerable"}
        ):
            continue
        error = DataError(
            f"the field {key!r} is none that a dataset has; did you mean {own!r}?",
            where=settings.config["datasets"][name]["path"],
            fix=f"Rename it to {own}; or, if it is something else, give it another name.",
        )
        if is_sure:
            raise error
        warnings.append(error)
    return warnings


def _check_subgroups(settings: Settings, samples: list[Item]) -> None:
    """Refuse a field that no item has; the samples have every field that is asked for."""
    known = sorted({key for item in samples for key in item.fields})
    for place, key in enumerate(settings.config["stats"]["subgroups"]):
        if key in OWN_FIELDS or key == "dataset":
            raise settings.error(
                f"{key!r} is not one of the dataset's own fields",
                "stats",
                "subgroups",
                place,
                fix="Leave it out; datasets and unanswerable items are always groups.",
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
    """Refuse a value that cannot form a group: a list, an object, or an infinity."""
    value = item.fields.get(key)
    is_number = isinstance(value, int | float) and (value != value or abs(value) <= sys.float_info.max)
    if value is not None and not isinstance(value, str) and not is_number:
        raise DataError(
            f"the field {key!r} is {value!r:.40}, which cannot form a group",
            where=f"{path}, item {item.id!r}",
            fix="Use a text, true or false, or a number; or leave it out of stats.subgroups.",
        )


def _check_can_score(scorer: Scorer, item: Item, path: Path) -> None:
    """Refuse an item that its scorer cannot use, such as a text where a number is expected."""
    try:
        scorer.score(item.answers[0] if item.answers else "", item)
    except ValueError as error:
        raise DataError(
            str(error), where=f"{path}, item {item.id!r}", fix="Correct the item, or choose another scorer."
        ) from None
