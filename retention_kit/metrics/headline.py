"""A headline: one number of a market, with all that is needed to argue with it, and how it is made of counts."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from retention_kit.messages import N_, Message
from retention_kit.metrics.intervals import CONF_LEVEL, LEAST_FOR_MONEY, bootstrap_interval
from retention_kit.metrics.registry import METRICS
from retention_kit.metrics.rows import where
from retention_kit.periods import date_of

ORDER = (
    "customers",
    "orders",
    "revenue",
    "active_customers",
    "customer_retention_rate",
    "textbook_retention_rate",
    "churn_rate",
    "textbook_churn_rate",
    "repeat_customer_rate_by_days",
    "repeat_customer_rate",
    "net_revenue_retention",
    "gross_revenue_retention",
    "activity_window",
    "purchase_frequency",
    "purchase_frequency_per_year",
    "average_order_value",
    "revenue_per_customer",
    "purchase_frequency_per_period",
    "customer_lifespan",
    "clv_simple",
    "cltv",
)
"""The headlines, in the order a reader meets them."""
_PLAIN_LABELS = {
    "customers": N_("Customers"),
    "orders": N_("Orders"),
    "revenue": N_("Net revenue"),
    "active_customers": N_("Active customers"),
    "purchase_frequency_per_year": N_("Purchase frequency per year"),
    "revenue_per_customer": N_("Net revenue per customer so far"),
    "purchase_frequency_per_period": N_("Orders per active customer and period"),
    "customer_lifespan": N_("Customer lifespan"),
}
"""Names of numbers that no metric makes."""
PLAIN_DEFINITIONS = {
    "customers": N_("Customers with at least one kept order."),
    "orders": N_("Kept orders: not cancelled, not fully refunded, with a positive amount."),
    "revenue": N_("Amounts of kept orders less refunds, in the market's currency."),
    "active_customers": N_("Customers with a kept order in the activity window before the end of the period."),
    "purchase_frequency_per_year": N_("Kept orders over customers with at least one, in the year before as_of."),
    "revenue_per_customer": N_("Net revenue of kept orders over customers with at least one, up to as_of."),
    "purchase_frequency_per_period": N_("Kept orders of a period over customers with one in it, summed over a year."),
    "customer_lifespan": N_("How long a customer stays: as stated, else 1 / churn rate (rule 'period') of a year."),
}


@dataclass(frozen=True)
class Headline:
    """One number of a market, with all that is needed to argue with it.

    `n` is the number of customers it is about. `value` is None where the number is hidden (it would tell of a few) or
    cannot be had; `note` then says why. `window` is half open: its last date is not in it.
    """

    id: str
    label: str
    value: float | None
    unit: str
    definition: str
    window: str
    as_of: str
    n: int | None = None
    lower: float | None = None
    upper: float | None = None
    conf_level: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    currency: str | None = None
    note: str = ""
    hidden: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)

    def hidden_with(self, needs: Iterable[Hashable], secret: frozenset[Hashable], *, min_cell: int) -> "Headline":
        """Return it, or without any number where a count that it needs is hidden: its own n is small, or another."""
        if secret.isdisjoint(needs) and not 0 < (self.n or 0) < min_cell:
            return self
        numbers = dict.fromkeys(["value", "n", "lower", "upper", "conf_level", "numerator", "denominator"])
        is_small = 0 < (self.n or 0) < min_cell
        why = (
            Message("hidden: fewer than {n} customers", n=min_cell)
            if is_small
            else Message("hidden: it would tell of fewer than {n} customers", n=min_cell)
        )
        return replace(self, **numbers, hidden=True, note=why)


def label_of(name: str) -> str:
    """Return a headline's name for a reader."""
    return METRICS[name].label if name in METRICS else _PLAIN_LABELS[name]


def headline(name: str, number: float | None, **facts: Any) -> Headline:
    """Return the headline of a name; absent where the number is None or NaN."""
    definition = METRICS[name].definition if name in METRICS else PLAIN_DEFINITIONS[name]
    absent = number is None or pd.isna(number)
    return Headline(
        id=name, label=label_of(name), value=None if absent else float(number), definition=definition, **facts
    )


def units(grain: str) -> Message:
    """Return the periods of a grain as a fact of a message: months."""
    return Message(f"{grain}s")


def window_of(row: pd.Series) -> str:
    """Return the window of a row of `order_counts`, half open."""
    return f"{date_of(row['first_day'])} to {date_of(row['next_day'])}"


def money_interval(
    tables: Mapping[str, pd.DataFrame], *, grain: str, numerator: str, denominator: str, per_unit: int = 1
) -> dict[str, float]:
    """Return the interval of a ratio over customers as facts of a headline; none for few customers.

    Below a hundred customers the interval of so skew a quantity is too short to be honest: it is left out.
    """
    drawn = where(tables["bucket_counts"], grain=grain)
    if drawn["n_customers"].sum() < LEAST_FOR_MONEY:
        return {}
    found = bootstrap_interval(drawn, numerator=numerator, denominator=denominator)
    lower, upper = found.loc[0, ["lower", "upper"]] / per_unit
    return {"lower": float(lower), "upper": float(upper), "conf_level": CONF_LEVEL}


def share_headline(name: str, row: pd.Series, *, count: str, n: str, facts: dict[str, Any]) -> Headline:
    """Return the headline of a share: its interval, numerator, denominator, and n, the denominator."""
    of = int(row[n])
    if of == 0:
        nobody = {"n": 0, "note": N_("nobody to take a share of")}
        return headline(name, None, unit="share", **facts | nobody)
    return headline(
        name,
        row[name],
        unit="share",
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        conf_level=CONF_LEVEL,
        numerator=int(row[count]),
        denominator=of,
        **facts | {"n": of},
    )
