"""The back-test badge: a forecast made some weeks ago, beside what happened, and beside two that need no model.

A forecast that a naive one beats by more than chance is not to be shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.errors import MetricError
from retention_kit.messages import Message
from retention_kit.models.holdout import HoldoutResult
from retention_kit.models.money import MoneyTest
from retention_kit.models.patterns import patterns
from retention_kit.models.pooling import MarketModel, pooled_purchases
from retention_kit.models.purchases import CONF_LEVEL, DEFAULT_LAW
from retention_kit.models.seasons import Seasons

_MOST_SHOWN = 7
LEAST_LATER = 30
"""Order days in the hold-out below which a forecast cannot be judged."""


@dataclass(frozen=True)
class BackTest(HoldoutResult):
    """A forecast of order days in a hold-out, what was made of them, and what two naive forecasts said.

    `last_period`: the same customers order as often again as in the period as long before. `steady_ratio`: every
    customer goes on at the order value × frequency of those who ordered in it; in money, over the revenue made.
    `buckets`: by repeat orders before the hold-out, 7 being 7 or more. `tracked` and `tracked_actual` are all repeat
    orders of the customers, from their first order to the end of the hold-out, as the model expects them of new ones,
    and as they were made.
    """

    weeks: int
    split_day: int
    n_customers: int
    actual: int
    forecast: float
    lower: float
    upper: float
    last_period: int
    steady_ratio: float | None
    tracked: float
    tracked_actual: int
    buckets: pd.DataFrame
    money: MoneyTest | None = None

    @property
    def tracked_error(self) -> float:
        """Return how far all repeat orders since the first one are off, over what was made."""
        return self.tracked / self.tracked_actual - 1 if self.tracked_actual else 0.0

    def _naive_errors(self) -> list[float]:
        of_money = [] if self.steady_ratio is None else [self.steady_ratio - 1]
        return [self.off(self.last_period), *of_money]

    def _by_chance(self) -> float:
        return 1 / np.sqrt(self.actual)


def back_test(
    holdout_counts: pd.DataFrame,
    model: MarketModel,
    *,
    weeks: int,
    split_day: int,
    seasons: Seasons,
    conf_level: float = CONF_LEVEL,
) -> BackTest:
    """Return how a model fitted before the hold-out forecast it.

    Parameters
    ----------
    holdout_counts : of one market, from `counts.holdout_counts`.
    model : fitted on the same patterns, from `back_tested_models`.
    weeks : length of the hold-out.
    split_day : its first day, since 1970-01-01.
    seasons : known before it.

    Raises
    ------
    MetricError : fewer than 30 order days in the hold-out.
    """
    actual = int(holdout_counts["n_later"].sum())
    if actual < LEAST_LATER:
        raise MetricError(
            Message(
                "Fewer than {n} orders in the {weeks} weeks held out, too few to judge a forecast.",
                n=LEAST_LATER,
                weeks=weeks,
            ),
            to_try="a longer hold-out, or a market with more orders",
        )
    known = seasons.adjusted(patterns(holdout_counts), as_of_day=split_day)
    ahead = seasons.weeks(split_day, weeks)
    bucket = np.minimum(known.x, _MOST_SHOWN).astype(int)
    table, total = model.model.bucket_orders(known, bucket, weeks=ahead, conf_level=conf_level)
    made = holdout_counts[holdout_counts["n_customers"] > 0]
    made = made.groupby(made["frequency"].clip(upper=_MOST_SHOWN))["n_later"].sum()
    table = table.assign(actual=made.reindex(table["bucket"]).to_numpy())
    expected, lower, upper = total
    ages, which = np.unique(known.T + ahead, return_inverse=True)
    tracked = model.model.repeat_orders(ages)["repeat_orders"].to_numpy()[which]
    return BackTest(
        weeks=weeks,
        split_day=split_day,
        n_customers=int(known.n_customers),
        actual=actual,
        forecast=expected,
        lower=lower,
        upper=upper,
        last_period=int(holdout_counts["n_before"].sum()),
        steady_ratio=_steady_ratio(holdout_counts),
        tracked=float((tracked * known.n).sum()),
        tracked_actual=int((known.x * known.n).sum()) + actual,
        buckets=table,
    )


def back_tested_models(
    holdout_counts: Mapping[str, pd.DataFrame],
    *,
    names: Mapping[str, str],
    split_days: Mapping[str, int],
    seasons: Mapping[str, Seasons],
    law: str = DEFAULT_LAW,
) -> dict[str, MarketModel]:
    """Return the models of all markets as they would have been fitted when the hold-out began.

    Parameters and errors as of `pooled_purchases`; `holdout_counts` and the others are by market.
    """
    known = {
        market: seasons[market].adjusted(patterns(rows), as_of_day=split_days[market])
        for market, rows in holdout_counts.items()
    }
    return pooled_purchases(known, names=names, law=law)


def _steady_ratio(holdout_counts: pd.DataFrame) -> float | None:
    """Return order value × frequency × time of every customer over the revenue that was made; None without revenue."""
    if "before_minor" not in holdout_counts:
        return None
    totals = holdout_counts[["n_customers", "n_active_before", "before_minor", "later_minor"]].sum()
    if totals["n_active_before"] == 0 or totals["later_minor"] <= 0:
        return None
    of_one = totals["before_minor"] / totals["n_active_before"]
    return float(of_one * totals["n_customers"] / totals["later_minor"])
