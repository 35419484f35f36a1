"""The scorers of a dataset, as the configuration describes them, and the metrics that they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scripts.comparison.metrics import BY_NAME, METRICS, Better, Metric
from scripts.errors import shorten
from scripts.experiment.schema import did_you_mean
from scripts.experiment.scorer_sources import resolve_spec
from scripts.experiment.settings import Settings

if TYPE_CHECKING:
    from scripts.scorers import Scorer


def scorer_specs(entry: Mapping[str, Any]) -> list[Any]:
    """
    List the scorers of a dataset, as the configuration writes them.

    Examples
    --------
    >>> scorer_specs({"scorer": "numeric"}), scorer_specs({"scorers": ["numeric", "contains"]})
    (['numeric'], ['numeric', 'contains'])
    """
    return list(entry["scorers"]) if "scorers" in entry else [entry["scorer"]]


def resolved_specs(settings: Settings, dataset: str) -> list[Any]:
    """
    List the scorers of a dataset with what they refer to beside the configuration.

    Raises
    ------
    ConfigError
        If that is not there, or will not do.
    """
    entry = settings.config["datasets"][dataset]
    if "scorers" not in entry:
        return [resolve_spec(settings, dataset, entry["scorer"], "datasets", dataset, "scorer")]
    return [
        resolve_spec(settings, dataset, spec, "datasets", dataset, "scorers", place)
        for place, spec in enumerate(entry["scorers"])
    ]


def make_scorer(settings: Settings, dataset: str) -> Scorer:
    """
    Build a dataset's scorer.

    Raises
    ------
    ConfigError
        If there is no such scorer, or an option of it is wrong.
    """
    from scripts.scorers import build_scorer
    from scripts.scorers.several import build_several

    is_several = "scorers" in settings.config["datasets"][dataset]
    declared = declared_metrics(settings)
    specs = resolved_specs(settings, dataset)
    try:
        return build_several(specs, declared) if is_several else build_scorer(specs[0], declared)
    except ValueError as error:
        key = "scorers" if is_several else "scorer"
        raise settings.error(str(error), "datasets", dataset, key, fix="Correct the scorer.") from None


def declared_metrics(settings: Settings) -> dict[str, Metric]:
    """
    Read the metrics that the configuration declares.

    Raises
    ------
    ConfigError
        If one bears the name of a built-in metric, or its range is none.
    """
    found = {}
    for name, about in (settings.config.get("metrics") or {}).items():
        if name in BY_NAME:
            raise settings.error(
                f"{name!r} is built in, and cannot be declared", "metrics", name, fix="Choose another name."
            )
        limits = about["range"]
        if limits is not None and not limits[0] < limits[1]:
            raise settings.error(
                f"is {limits}", "metrics", name, "range", fix="Write the smaller value first, as in [0, 1]."
            )
        found[name] = Metric(
            name,
            name.replace("_", " ").capitalize(),
            "Declared in the configuration.",
            Better(about["better"]),
            range=None if limits is None else (float(limits[0]), float(limits[1])),
            is_compared=True,
            margin=about["margin"],
        )
    return found


def run_metrics(settings: Settings) -> tuple[Metric, ...]:
    """
    List the metrics of the run's scorers: the built-in ones, those of the scorers in use, those declared.

    Raises
    ------
    ConfigError
        As `make_scorer`; and if a metric of the family is none of them, or trials are not compared on it.
    """
    found = {metric.name: metric for metric in METRICS}
    for dataset in settings.config["datasets"]:
        for metric in getattr(make_scorer(settings, dataset), "METRICS", ()):
            found.setdefault(metric.name, metric)
    found |= declared_metrics(settings)
    _check_family(settings, tuple(found.values()))
    return tuple(found.values())


def _check_family(settings: Settings, metrics: Sequence[Metric]) -> None:
    allowed = [metric.name for metric in metrics if metric.is_compared]
    for place, name in enumerate(settings.config["stats"]["family"]):
        if name not in allowed:
            raise settings.error(
                f"is {name!r}{did_you_mean(name, allowed)}",
                "stats",
                "family",
                place,
                fix=f"Allowed: {shorten(allowed, limit=12)}.",
            )
