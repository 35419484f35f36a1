"""What every answer took, whatever its score: its length, and its cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.comparison.item_costs import price_requests
from scripts.comparison.item_scores import KEY
from scripts.files import read_parquet
from scripts.money.billed import TOKENS
from scripts.money.price import Price

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

COLUMNS = (*KEY, "replicate", "request_key", "outcome", "usage_by_attempt", *TOKENS)


def read_usage(outcomes: Path, price: Price | None) -> pd.DataFrame:
    """
    Read what each request took.

    Parameters
    ----------
    outcomes : Path
        ``outcomes.parquet`` of a trial.
    price : Price or None
        Of its model; None: there is none, and no cost is known.

    Returns
    -------
    DataFrame
        A row per request, with the metrics `scripts.comparison.metrics.USAGE`: tokens and characters of the
        answer (NaN without one, or where the provider gave no count), and the dollars of all attempts.
    """
    import numpy as np

    table = read_parquet(outcomes, COLUMNS)
    rows: pd.DataFrame = table.select([*KEY, "replicate"]).to_pandas()
    characters = _count_characters(outcomes)
    tokens = table["output_tokens"].to_pandas().to_numpy(float)
    return rows.assign(
        output_tokens=np.where(np.isnan(characters), np.nan, tokens),
        characters=characters,
        usd_per_answer=price_requests(table, price),
    )


def _count_characters(outcomes: Path) -> NDArray[np.float64]:
    """Length of each text, NaN where there is none, without holding all texts at once."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(outcomes) as file:
        batches = file.iter_batches(columns=["text"])
        lengths = [pc.utf8_length(batch["text"]).to_pandas().to_numpy(float) for batch in batches]
    return np.concatenate(lengths) if lengths else np.empty(0)
