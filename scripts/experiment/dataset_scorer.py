"""The scorer of a dataset, as the configuration describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.experiment.settings import Settings

if TYPE_CHECKING:
    from scripts.scorers import Scorer


def make_scorer(settings: Settings, dataset: str) -> Scorer:
    """
    Build a dataset's scorer.

    Raises
    ------
    ConfigError
        If there is no such scorer, or an option of it is wrong.
    """
    from scripts.scorers import build_scorer

    spec = settings.config["datasets"][dataset]["scorer"]
    try:
        return build_scorer(spec)
    except ValueError as error:
        raise settings.error(str(error), "datasets", dataset, "scorer", fix="Correct the scorer.") from None
