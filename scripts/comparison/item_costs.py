"""What each item of a trial cost, from the tokens that the provider counted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.comparison.item_scores import KEY
from scripts.files import read_parquet
from scripts.money.billed import TOKENS, is_failed, list_attempts, price_each
from scripts.money.price import Price

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

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
    n_sharing = rows.groupby("request_key")["request_key"].transform("size").to_numpy(float)
    usd = price_requests(table, price) / n_sharing
    # A mean over the replicates is NaN as soon as one of them is: their sum is what is known of all.
    by_item = rows.assign(usd=usd, is_known=~np.isnan(usd)).groupby(KEY, sort=True)
    costs: pd.DataFrame = by_item.agg(
        usd=("usd", "sum"), is_known=("is_known", "all"), n_requests=("usd", "size")
    )
    costs.loc[~costs.pop("is_known"), "usd"] = np.nan
    return costs


def price_requests(table: Any, price: Price | None) -> NDArray[np.float64]:
    """
    Price the request of each row of a table of outcomes, all attempts together, in dollars.

    A request that failed and was not billed cost nothing; NaN: not known.
    """
    import numpy as np

    attempts = list_attempts(table).select([*TOKENS, "request_key"]).to_pandas()
    dollars = np.nan if price is None else price_each(attempts, price)
    by_key = attempts.assign(usd=dollars).groupby("request_key")["usd"].sum(min_count=1)
    usd: NDArray[np.float64] = table["request_key"].to_pandas().map(by_key).to_numpy(float)
    return usd if price is None else np.where(np.isnan(usd) & is_failed(table).to_numpy(), 0.0, usd)
