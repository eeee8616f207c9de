"""Six of the counts tables as pandas counts them, for the month."""

from collections.abc import Callable, Iterator
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

_COLUMNS = ["customer_id", "market", "ordered_at", "amount", "refunded_amount", "cancelled"]
_ONE = ["market", "customer"]


def tables(known: dict[str, Any], part: Callable[[str], None]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield each table's name and how it is written."""
    kept = _kept(known)
    facts = pd.DataFrame(known["markets"]).drop(columns="offsets").rename(columns={"code": "market"})
    days = kept.groupby([*_ONE, "day", "month"], as_index=False, observed=True).agg(
        n_orders=("minor", "size"), gross_minor=("gross", "sum"), refunded_minor=("refunded", "sum")
    )
    days["revenue_minor"] = days["gross_minor"] - days["refunded_minor"]
    days = days.sort_values([*_ONE, "day"])
    part("days")
    for name, table in _counted(days, facts):
        part(name)
        yield name, partial(table.astype({"market": str}).to_parquet, index=False)
        part("written")


def _kept(known: dict[str, Any]) -> pd.DataFrame:
    table = pq.read_table(sorted(glob(known["files"])), columns=_COLUMNS)
    cents = {
        name: pc.cast(pc.multiply(pc.cast(table[name], "double"), 100.0), "double")
        for name in ("amount", "refunded_amount")
    }
    orders = pd.DataFrame(
        {
            "market": pd.Categorical(table["market"].to_pandas()),
            "customer": pd.factorize(table["customer_id"].to_pandas())[0],
            "at": table["ordered_at"].to_pandas(),
            "gross": np.rint(cents["amount"].to_numpy()).astype("int64"),
            "refunded": np.rint(pc.fill_null(cents["refunded_amount"], 0.0).to_numpy()).astype("int64"),
            "cancelled": table["cancelled"].to_pandas(),
        }
    )
    del table
    as_of = {market["code"]: pd.Timestamp(market["as_of_us"], unit="us", tz="UTC") for market in known["markets"]}
    orders = orders[~orders["cancelled"] & (orders["gross"] > orders["refunded"])].drop(columns="cancelled")
    parts = []
    for market in known["markets"]:
        own = orders[(orders["market"] == market["code"]) & (orders["at"] < as_of[market["code"]])]
        local = own["at"].dt.tz_convert(market["zone"]).dt.tz_localize(None)
        parts.append(
            own.drop(columns="at").assign(
                day=local.dt.normalize().astype("datetime64[s]").astype("int64") // 86_400,
                month=local.dt.year * 12 + local.dt.month - 1,
                minor=own["gross"] - own["refunded"],
            )
        )
    return pd.concat(parts, ignore_index=True)


def _counted(days: pd.DataFrame, facts: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    grouped = {"as_index": False, "observed": True}
    months = days.groupby([*_ONE, "month"], **grouped).agg(
        n_orders=("n_orders", "sum"),
        n_order_days=("day", "size"),
        gross_minor=("gross_minor", "sum"),
        refunded_minor=("refunded_minor", "sum"),
        revenue_minor=("revenue_minor", "sum"),
    )
    before = months.groupby(_ONE, observed=True)["month"]
    months["cohort"] = before.transform("min")
    lives = days.groupby(_ONE, **grouped).agg(
        first_day=("day", "min"),
        last_day=("day", "max"),
        first_month=("month", "min"),
        last_active=("month", "max"),
        n_days=("day", "size"),
        n_orders=("n_orders", "sum"),
        revenue_minor=("revenue_minor", "sum"),
    )
    lives = lives.merge(facts, on="market")
    yield (
        "cohort_counts",
        months.assign(age=months["month"] - months["cohort"])
        .groupby(["market", "cohort", "age"], **grouped)
        .agg(n_active=("month", "size"), n_orders=("n_orders", "sum"), revenue_minor=("revenue_minor", "sum")),
    )
    yield (
        "last_seen_counts",
        lives.assign(cohort=lives["first_month"], last_age=lives["last_active"] - lives["first_month"])
        .groupby(["market", "cohort", "last_age"], **grouped)
        .agg(n_customers=("customer", "size")),
    )
    yield "gap_counts", _gaps(days, lives, grouped)
    covered = lives["last_day"] + lives["window_days"]
    ended = covered < lives["as_of_day"]
    yield (
        "lifetime_counts",
        lives.assign(
            duration_days=np.minimum(covered, lives["as_of_day"]) - lives["first_day"], ended=ended, running=~ended
        )
        .groupby(["market", "duration_days"], **grouped)
        .agg(n_ended=("ended", "sum"), n_running=("running", "sum")),
    )
    yield (
        "rfm_counts",
        lives.assign(
            frequency=lives["n_days"] - 1,
            recency=(lives["last_day"] - lives["first_day"]) // 7,
            age=(lives["as_of_day"] - lives["first_day"]) // 7,
        )
        .groupby(["market", "frequency", "recency", "age"], **grouped)
        .agg(n_customers=("customer", "size"), n_orders=("n_orders", "sum"), revenue_minor=("revenue_minor", "sum")),
    )
    yield "revenue_counts", _revenue(months, facts, grouped)


def _gaps(days: pd.DataFrame, lives: pd.DataFrame, grouped: dict[str, bool]) -> pd.DataFrame:
    of_one = days.groupby(_ONE, observed=True)
    gaps = pd.DataFrame({"market": days["market"], "nth": of_one.cumcount(), "gap_days": of_one["day"].diff()}).dropna()
    closed = gaps.assign(nth=gaps["nth"].clip(upper=5), gap_days=gaps["gap_days"].astype("int64"))
    last = pd.DataFrame(
        {
            "market": lives["market"],
            "nth": lives["n_days"].clip(upper=5),
            "gap_days": lives["as_of_day"] - lives["last_day"],
        }
    )
    both = pd.concat([closed.assign(n_closed=1, n_open=0), last.assign(n_closed=0, n_open=1)])
    return both.groupby(["market", "nth", "gap_days"], **grouped)[["n_closed", "n_open"]].sum()


def _revenue(months: pd.DataFrame, facts: pd.DataFrame, grouped: dict[str, bool]) -> pd.DataFrame:
    of_one = months.groupby(_ONE, observed=True)
    before, after = of_one["month"].shift(), of_one["month"].shift(-1)
    then, now = of_one["revenue_minor"].shift().fillna(0).astype("int64"), months["revenue_minor"]
    stayed, month = before == months["month"] - 1, months["month"]
    moved = pd.DataFrame(
        {
            "market": months["market"],
            "period": month,
            "expansion_minor": np.where(stayed, (now - then).clip(lower=0), 0),
            "contraction_minor": np.where(stayed, (then - now).clip(lower=0), 0),
            "reactivated_minor": np.where(before < month - 1, now, 0),
            "new_minor": np.where(before.isna(), now, 0),
            "closing_minor": now,
        }
    )
    opened = pd.DataFrame(
        {
            "market": months["market"],
            "period": month + 1,
            "opening_minor": now,
            "lapsed_minor": np.where(after == month + 1, 0, now),
        }
    )
    summed = pd.concat([moved, opened]).fillna(0).groupby(["market", "period"], **grouped).sum()
    last = facts.set_index("market")["last_month"]
    return summed[summed["period"] <= summed["market"].astype(str).map(last)]
