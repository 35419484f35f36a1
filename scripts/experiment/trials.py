"""From a sweep, a table or a list to trials: slugs, baselines, duplicates."""

from __future__ import annotations

import csv
import dataclasses
import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ConfigError, shorten
from scripts.experiment.schema import config_schema, did_you_mean, explain_schema_error
from scripts.experiment.strict_yaml import read_scalar
from scripts.files import atomic_open, read_json, write_json
from scripts.records import Trial, digest

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

FORMS = ("sweep", "table", "list")
NOT_SAMPLING = ("model", "prompt", "replicates")
MAX_SLUG = 180
MAX_TRIALS = 10_000
"""More trials than this are a mistake in a sweep: Snakemake takes a minute to plan so many."""

SAFE_VALUE = re.compile(r"(?!.*(\.\.|__))[A-Za-z0-9._+-]+")

Row = tuple[dict[str, Any], tuple[str | int, ...], str]
"""A trial's factors as written, their configuration key, and the place for messages."""

Fail = Callable[[str, str, str], ConfigError]
"""Makes the error of a trial from what is wrong, which key, and what to do."""


def expand_trials(settings: Settings) -> tuple[Trial, ...]:
    """
    List every trial of a configuration once, each with its baseline.

    Raises
    ------
    ConfigError
        For an unknown factor, model or prompt, a value that is not allowed, or a baseline that matches
        no trial.
    """
    forms = [form for form in FORMS if form in settings.config["trials"]]
    if len(forms) != 1:
        seen = " and ".join(forms) or "none"
        raise settings.error(
            f"needs exactly one of {', '.join(FORMS)}; seen: {seen}", "trials", fix="Keep one of them."
        )
    trials: dict[str, Trial] = {}
    for factors, keys, place in _rows(settings, forms[0]):
        trial = _make_trial(settings, factors, keys, place)
        trials.setdefault(digest(trial.factors), trial)
        if len(trials) > MAX_TRIALS:
            raise settings.error(
                f"makes more than {MAX_TRIALS:,} trials",
                "trials",
                forms[0],
                fix="Vary fewer factors at once, or split the experiment into several runs.",
            )
    return _with_baselines(settings, list(trials.values()))


def slug(trial: Trial, defaults: Mapping[str, Any]) -> str:
    """
    Name a trial readably and without collisions.

    Model, prompt and temperature always; another setting only where it differs from the configuration's
    default, so that adding a factor to a sweep renames no existing trial.

    Examples
    --------
    >>> trial = Trial("", "gpt", "control", {"temperature": 0.75, "top_p": 0.9}, replicates=3)
    >>> slug(trial, {"temperature": 0.0, "top_p": None, "replicates": 1})
    'gpt__control__t0.75__top_p-0.9__replicates-3'
    """
    parts = [trial.model, trial.prompt]
    for key, value in sorted(trial.factors.items(), key=lambda pair: pair[0] != "temperature"):
        if key == "temperature" and value is not None:
            parts.append(f"t{_value_text(value)}")
        elif key not in {"model", "prompt"} and not _is_default(key, value, defaults):
            parts.append(f"{key}-{_value_text(value)}")
    name = "__".join(parts)
    if len(name) > MAX_SLUG:
        name = f"{name[: MAX_SLUG - 14]}__{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name


def _is_default(key: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    return key in defaults and digest(value) == digest(defaults[key])  # to Python, True == 1


def write_trials(trials: Sequence[Trial], path: Path) -> None:
    """Write ``trials.tsv``: a row per trial, a column per factor."""
    columns = list(dict.fromkeys(itertools.chain.from_iterable(trial.factors for trial in trials)))
    with atomic_open(path) as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(["trial", *columns, "baseline"])
        for trial in trials:
            cells = ("" if trial.factors.get(key) is None else trial.factors[key] for key in columns)
            writer.writerow([trial.name, *cells, trial.baseline or ""])


def write_trial(trial: Trial, path: Path) -> None:
    """Write ``trial.json``: what one trial is, for its jobs."""
    write_json(path, dataclasses.asdict(trial))


def read_trial(path: Path) -> Trial:
    """Read ``trial.json``."""
    return Trial(**read_json(path))


def _value_text(value: Any) -> str:
    text = "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    # A text that looks like a number, like true or like none must not pass for it.
    is_plain = not isinstance(value, str) or (text != "none" and read_scalar(text) == text)
    if is_plain and SAFE_VALUE.fullmatch(text) and len(text) <= 40:
        return text
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:24]
    return f"{readable}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _rows(settings: Settings, form: str) -> Iterator[Row]:
    if form == "sweep":
        sweep = settings.config["trials"]["sweep"]
        for values in itertools.product(*sweep.values()):
            yield dict(zip(sweep, values, strict=True)), ("trials", "sweep"), ""
    elif form == "list":
        for position, factors in enumerate(settings.config["trials"]["list"]):
            yield dict(factors), ("trials", "list", position), ""
    else:
        yield from _table_rows(settings)


def _table_rows(settings: Settings) -> Iterator[Row]:
    path = settings.find_file(settings.config["trials"]["table"], "trials", "table")
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, delimiter="\t", strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(header, f"{path}, line 1")
            n_rows = 0
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    n_rows += 1
                    place = f"{path}, line {reader.line_num}"
                    yield _table_factors(settings, header, cells, place), ("trials", "table"), place
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"is not a tab-separated table ({error})",
            where=str(path),
            fix="Save it again as UTF-8, separated by tabs.",
        ) from None
    if not n_rows:
        raise ConfigError("holds no trials", where=str(path), fix="Write one trial per line.")


def _check_header(header: Sequence[str], place: str) -> None:
    for column in header:
        if header.count(column) > 1:
            raise ConfigError(f"duplicate column {column!r}", where=place, fix="Keep one of them.")


def _table_factors(
    settings: Settings, header: Sequence[str], cells: Sequence[str], place: str
) -> dict[str, Any]:
    if len(cells) != len(header):
        raise ConfigError(
            f"has {len(cells)} cells, but the header has {len(header)} columns",
            where=place,
            fix="Separate the cells with one tab each.",
        )
    named = {key: cell.strip() for key, cell in zip(header, cells, strict=True) if cell.strip()}
    if "baseline" in named and "baseline" not in settings.config["trials"]:
        raise ConfigError(
            "the column 'baseline' is not supported",
            where=f"{place}: baseline",
            fix="Name the factors that differ under trials.baseline, such as {prompt: control}.",
        )
    return {
        key: read_scalar(cell, key=key) for key, cell in named.items() if key not in {"trial", "baseline"}
    }


def _make_trial(
    settings: Settings, factors: Mapping[str, Any], keys: tuple[str | int, ...], place: str
) -> Trial:
    def fail(what: str, key: str, fix: str) -> ConfigError:
        if place:
            return ConfigError(what, where=f"{place}: {key}", fix=fix)
        return settings.error(what, *keys, key, fix=fix)

    sampling = settings.config["sampling"]
    known = ("model", "prompt", *sampling)
    for key in factors:
        if key not in known:
            raise fail(
                f"unknown factor {key!r}{did_you_mean(key, known)}",
                key,
                f"Known: {', '.join(known)}; declare another one under sampling.",
            )
    values = {**sampling, **factors}
    for key, section in (("model", "models"), ("prompt", "prompts")):
        values[key] = _find_name(values.get(key), list(settings.config[section]), section, key, fail)
    if not settings.is_checked:
        _check_sampling(values, fail)
    values = {key: _plain_number(value) for key, value in values.items()}
    trial = Trial(
        "",
        values["model"],
        values["prompt"],
        {key: value for key, value in values.items() if key not in NOT_SAMPLING},
        values["replicates"],
    )
    defaults = {key: _plain_number(value) for key, value in sampling.items()}
    return dataclasses.replace(trial, name=slug(trial, defaults))


def _find_name(value: Any, names: Sequence[str], section: str, key: str, fail: Fail) -> str:
    """Find a model or prompt by its name; if there is only one, the name may be left out."""
    if value is None and len(names) == 1:
        return names[0]
    if value in names:
        return str(value)
    what = f"is {value!r}, which is not defined under {section}{did_you_mean(str(value), names)}"
    raise fail(
        "is missing" if value is None else what, key, f"Name one of {section}: {shorten(names, limit=12)}."
    )


def _check_sampling(values: Mapping[str, Any], fail: Fail) -> None:
    """Apply the rules of the section ``sampling`` to each trial's values."""
    for key, value in values.items():
        found = _find_fault(key, isinstance(value, bool), value)
        if found is not None:
            raise fail(found[0], key, found[1])


@functools.lru_cache(maxsize=4096)
def _find_fault(key: str, is_bool: bool, value: Any) -> tuple[str, str] | None:
    """Check one value; the trials of a sweep share most of theirs, and `is_bool` tells True from 1."""
    import jsonschema

    rules = config_schema()["properties"]["sampling"]["properties"]
    rule = rules.get(key, config_schema()["$defs"]["factor"])
    for error in jsonschema.Draft202012Validator(rule).iter_errors(value):
        what, _, fix = explain_schema_error(error)
        return what, fix
    return None


def _plain_number(value: Any) -> Any:
    """Make 0, 0.0 and -0.0 one temperature, so that they are one trial."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _with_baselines(settings: Settings, trials: list[Trial]) -> tuple[Trial, ...]:
    wanted = settings.config["trials"].get("baseline")
    if not wanted:
        return tuple(trials)
    known = set(itertools.chain.from_iterable(trial.factors for trial in trials))
    for key in wanted:
        if key not in known:
            raise settings.error(
                f"unknown factor {key!r}{did_you_mean(str(key), sorted(known))}",
                "trials",
                "baseline",
                key,
                fix=f"Known: {shorten(known, limit=12)}.",
            )
    plain = {key: _plain_number(value) for key, value in wanted.items()}
    by_factors = {digest(trial.factors): trial.name for trial in trials}
    paired: list[Trial] = []
    for trial in trials:
        baseline = by_factors.get(digest({**trial.factors, **plain}))
        paired.append(dataclasses.replace(trial, baseline=None if baseline == trial.name else baseline))
    lonely = [trial.name for trial in trials if digest({**trial.factors, **plain}) not in by_factors]
    if lonely:
        text = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise settings.error(
            f"no trial is the baseline ({text}) of {shorten(lonely)}",
            "trials",
            "baseline",
            fix="Add that trial to the sweep, table or list, or name another baseline.",
        )
    return tuple(paired)
