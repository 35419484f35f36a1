"""What each item of a trial cost, from the tokens that the provider counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scripts.comparison.item_scores import KEY
from scripts.files import read_parquet
from scripts.money.billed import TOKENS, is_failed, list_attempts, price_each
from scripts.money.price import Price

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (*KEY, "request_key", "outcome", "usage_by_attempt", *TOKENS)


def cost_items(outcomes: Path, price: Price | None) -> pd.DataFrame:
    """
    Price each item: all attempts at all its replicates.

    Items that share a request share its cost.  A request that failed and was not billed cost nothing; what an
    answer without a count of tokens cost is not known.

    Returns
    -------
    DataFrame
        By dataset and item_id, sorted: ``usd`` (NaN: not known) and ``n_requests``.
    """
    import numpy as np

    table = read_parquet(outcomes, COLUMNS)
    rows = table.select([*KEY, "request_key"]).to_pandas()
    attempts = list_attempts(table).select([*TOKENS, "request_key"]).to_pandas()
    dollars = np.nan if price is None else price_each(attempts, price)
    by_key = attempts.assign(usd=dollars).groupby("request_key")["usd"].sum(min_count=1)
    n_sharing = rows.groupby("request_key")["request_key"].transform("size")
    usd = (rows["request_key"].map(by_key) / n_sharing).to_numpy(float)
    if price is not None:
        usd = np.where(np.isnan(usd) & is_failed(table).to_numpy(), 0.0, usd)
    # A mean over the replicates is NaN as soon as one of them is: their sum is what is known of all.
    by_item = rows.assign(usd=usd, is_known=~np.isnan(usd)).groupby(KEY, sort=True)
    costs: pd.DataFrame = by_item.agg(
        usd=("usd", "sum"), is_known=("is_known", "all"), n_requests=("usd", "size")
    )
    costs.loc[~costs.pop("is_known"), "usd"] = np.nan
    return costs
