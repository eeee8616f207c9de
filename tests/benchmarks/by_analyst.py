"""What a good analyst writes by hand with pandas: orders read and prepared once, then a few lines a question.

It counts what the kit counts: an order is kept when it was made before the market's own midnight of `as_of`, was not
cancelled, has a positive amount and was not wholly refunded by then. Days, ISO weeks and months are those of the
market's clock. Periods are numbered as the kit numbers them, and a cell whose period is not over is absent.
"""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

DATA = Path(__file__).parents[2] / "data"
WINDOW_DAYS = 60
CHANNEL = "email_partner"
ORDERS = ["customer_id", "market", "ordered_at", "amount", "refunded_amount", "refunded_at", "cancelled"]


@dataclass(frozen=True)
class Session:
    """The kept orders, a row each: market, customer_id, customer (one of a market), day, week, month; and `as_of`."""

    orders: pd.DataFrame
    as_of: str

    @cached_property
    def customers(self) -> pd.DataFrame:
        """Read what is known of the sample's customers, when it is first asked for."""
        columns = ["market", "customer_id", "acquisition_channel", "loyalty_tier"]
        return pd.read_parquet(DATA / "sample" / "customers.parquet", columns=columns).set_index("customer_id")

    def known(self, column: str) -> pd.Series:
        """Return what is known of the customer of each order; nothing in a market to which he moved."""
        ids = self.orders["customer_id"]
        is_home = ids.map(self.customers["market"]).astype("str") == self.orders["market"].astype("str")
        return ids.map(self.customers[column]).where(is_home)


def opened(*, as_of: str) -> Session:
    """Read the sample's orders and prepare them."""
    table = pq.read_table(DATA / "sample" / "orders.parquet", columns=ORDERS)
    table = table.filter(pc.and_(pc.invert(table["cancelled"]), pc.greater(table["amount"], 0)))
    orders = pd.DataFrame(
        {
            "market": table["market"].dictionary_encode().to_pandas(),
            "customer_id": table["customer_id"].dictionary_encode().to_pandas(),
            "at": table["ordered_at"].to_pandas(),
            "amount": table["amount"].cast("double").to_pandas(),
            "refunded": table["refunded_amount"].cast("double").fill_null(0).to_pandas(),
            "refunded_at": table["refunded_at"].to_pandas(),
        }
    )
    zones = {code: market["time_zone"] for code, market in tomllib.loads((DATA / "markets.toml").read_text()).items()}
    kept = pd.concat(_kept(own, zones[market], as_of) for market, own in orders.groupby("market", observed=True))
    kept["customer"] = kept["customer_id"].cat.codes * len(zones) + kept["market"].cat.codes
    return Session(kept, as_of)


def _kept(orders: pd.DataFrame, zone: str, as_of: str) -> pd.DataFrame:
    """Return the kept orders of one market, with their local day, week and month."""
    end = pd.Timestamp(as_of, tz=zone)
    refunded = orders["refunded"].where(~(orders["refunded_at"] >= end), 0)
    kept = orders[(orders["at"] < end) & (orders["amount"] > refunded)]
    local = kept["at"].dt.tz_convert(zone).dt.tz_localize(None).to_numpy()
    day = local.astype("datetime64[D]").astype("int64")
    return kept[["market", "customer_id"]].assign(
        day=day, week=(day + 3) // 7, month=local.astype("datetime64[M]").astype("int64") + 1970 * 12
    )


def cohort_table(orders: pd.DataFrame, *, grain: str, as_of: str) -> pd.DataFrame:
    """Return the customers active at each age: a row for each market and cohort, a column for each age.

    A closed cell that nobody was active in is 0, and one that is not over is NaN.
    """
    active = orders[["market", "customer", grain]].drop_duplicates()
    cohort = active.groupby("customer")[grain].transform("min")
    table = (
        active.assign(cohort=cohort, age=active[grain] - cohort)
        .groupby(["market", "cohort", "age"], observed=True)
        .size()
        .unstack(fill_value=0)
    )
    now = _period_of(as_of, grain=grain)
    cohorts = table.index.get_level_values("cohort").to_numpy()
    ages = np.arange(now - cohorts.min())
    return table.reindex(columns=ages, fill_value=0).where(cohorts[:, None] + ages < now)


def first_cohort_table(session: Session) -> pd.DataFrame:
    """Return the cohort table of months."""
    return cohort_table(session.orders, grain="month", as_of=session.as_of)


def market_table(session: Session) -> pd.DataFrame:
    """Return Denmark's cohort table of months, as shares of each cohort."""
    orders = session.orders[session.orders["market"] == "DK"]
    table = cohort_table(orders, grain="month", as_of=session.as_of)
    return table.div(table[0], axis=0)


def changed_grain(session: Session) -> pd.DataFrame:
    """Return the cohort table of ISO weeks."""
    return cohort_table(session.orders, grain="week", as_of=session.as_of)


def changed_window(session: Session) -> pd.DataFrame:
    """Return the customer sets of each closed quarter, a customer being active for 60 days after an order."""
    first = np.datetime64(int(session.orders["month"].min() // 3 * 3) - 1970 * 12, "M")
    starts = np.arange(first, np.datetime64(session.as_of, "M") + 1, 3)
    return pd.concat(
        _customer_sets(orders, starts.astype("datetime64[D]")).assign(market=market)
        for market, orders in session.orders.groupby("market", observed=True)
    )


def _customer_sets(orders: pd.DataFrame, starts: np.ndarray) -> pd.DataFrame:
    """Return one market's customer sets of the quarters between one start and the next."""
    customer, day = pd.factorize(orders["customer"])[0], orders["day"].to_numpy()
    first_day = orders.groupby(customer)["day"].min().to_numpy()
    boundaries = starts.astype("int64")
    active = np.zeros((len(boundaries), len(first_day)), dtype=bool)
    for is_active, boundary in zip(active, boundaries, strict=True):
        is_active[customer[(day >= boundary - WINDOW_DAYS) & (day < boundary)]] = True
    at_start, at_end = active[:-1], active[1:]
    new = at_end & (first_day >= boundaries[:-1, None])
    return pd.DataFrame(
        {
            "period": starts[:-1].astype("datetime64[M]").astype("int64") // 3 + 1970 * 4,
            "n_start": at_start.sum(axis=1),
            "n_end": at_end.sum(axis=1),
            "n_new": new.sum(axis=1),
            "n_retained": (at_start & at_end).sum(axis=1),
            "n_reactivated": (at_end & ~at_start & ~new).sum(axis=1),
            "n_lapsed": (at_start & ~at_end).sum(axis=1),
        }
    )


def segment(session: Session) -> pd.DataFrame:
    """Return the cohort table of months of the customers who came by a partner's e-mail."""
    channel = session.known("acquisition_channel")
    return cohort_table(session.orders[channel == CHANNEL], grain="month", as_of=session.as_of)


def segments(session: Session) -> pd.DataFrame:
    """Return the cohort table of months of each loyalty tier, one below the other; who has none is in no tier."""
    tier = session.known("loyalty_tier")
    tables = {
        name: cohort_table(orders, grain="month", as_of=session.as_of) for name, orders in session.orders.groupby(tier)
    }
    return pd.concat(tables, names=["loyalty_tier"])


def integers(answer: pd.DataFrame) -> pd.DataFrame:
    """Return an answer's integers as rows: those of a cohort table's closed cells, or those of quarters."""
    if answer.columns.name == "age":
        answer = answer.stack().dropna().rename("n_active").reset_index()
    return answer.astype(dict.fromkeys(answer.select_dtypes("number"), "int64")).astype({"market": "str"})


def _period_of(day: str, *, grain: str) -> int:
    """Return the number of the week or month that a day is in."""
    if grain == "week":
        return (int(np.datetime64(day, "D").astype("int64")) + 3) // 7
    return int(np.datetime64(day, "M").astype("int64")) + 1970 * 12
