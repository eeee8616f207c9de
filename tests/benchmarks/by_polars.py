"""Six of the counts tables as Polars counts them, for the month; runs in an environment of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

_ONE = ("market", "customer")


def tables(known: dict[str, Any], part: Callable[[str], None]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield each table's name and how it is written."""
    facts = pl.DataFrame(
        [{name: value for name, value in market.items() if name != "offsets"} for market in known["markets"]]
    )
    facts = facts.rename({"code": "market"}).with_columns(pl.col("market").cast(pl.Categorical))
    days = _days(known, facts)
    part("days")
    for name, table in _counted(days, facts):
        part(name)
        yield name, table.with_columns(pl.col("market").cast(pl.String)).write_parquet
        part("written")


def _days(known: dict[str, Any], facts: pl.DataFrame) -> pl.DataFrame:
    cents = (pl.col("amount") * 100).cast(pl.Int64), (pl.col("refunded_amount") * 100).cast(pl.Int64).fill_null(0)
    kept = (
        pl.scan_parquet(known["files"])
        .select(
            pl.col("market").cast(pl.Categorical),
            pl.col("customer_id").alias("customer"),
            pl.col("ordered_at").dt.epoch("us").alias("us"),
            cents[0].alias("gross_minor"),
            cents[1].alias("refunded_minor"),
            "cancelled",
        )
        .filter(~pl.col("cancelled") & (pl.col("gross_minor") > pl.col("refunded_minor")))
        .join(facts.lazy().select("market", "zone", "as_of_us"), on="market")
        .filter(pl.col("us") < pl.col("as_of_us"))
        .drop("cancelled", "as_of_us")
        .collect()
    )
    local = [
        own.with_columns(
            pl.from_epoch("us", time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone).alias("local")
        )
        for (zone,), own in kept.partition_by("zone", as_dict=True).items()
    ]
    return (
        pl.concat(
            [own.with_columns(pl.col("local").dt.date().alias("date")).drop("local", "zone", "us") for own in local]
        )
        .with_columns(
            day=pl.col("date").to_physical(),
            month=pl.col("date").dt.year().cast(pl.Int32) * 12 + pl.col("date").dt.month() - 1,
        )
        .lazy()
        .group_by(*_ONE, "day", "month")
        .agg(pl.len().alias("n_orders"), pl.col("gross_minor").sum(), pl.col("refunded_minor").sum())
        .with_columns(revenue_minor=pl.col("gross_minor") - pl.col("refunded_minor"))
        .sort(*_ONE, "day")
        .collect()
    )


def _counted(days: pl.DataFrame, facts: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    months = (
        days.lazy()
        .group_by(*_ONE, "month")
        .agg(pl.col("n_orders", "revenue_minor").sum())
        .sort(*_ONE, "month")
        .collect()
    )
    lives = (
        days.lazy()
        .group_by(*_ONE)
        .agg(
            first_day=pl.col("day").min(),
            last_day=pl.col("day").max(),
            first_month=pl.col("month").min(),
            last_month_active=pl.col("month").max(),
            n_days=pl.len().cast(pl.Int64),
            n_orders=pl.col("n_orders").sum(),
            revenue_minor=pl.col("revenue_minor").sum(),
        )
        .join(facts.lazy(), on="market")
        .collect()
    )
    yield (
        "cohort_counts",
        months.lazy()
        .with_columns(cohort=pl.col("month").min().over(_ONE))
        .with_columns(age=pl.col("month") - pl.col("cohort"))
        .group_by("market", "cohort", "age")
        .agg(pl.len().alias("n_active"), pl.col("n_orders", "revenue_minor").sum())
        .collect(),
    )
    yield (
        "last_seen_counts",
        lives.lazy()
        .group_by("market", cohort="first_month", last_age=pl.col("last_month_active") - pl.col("first_month"))
        .agg(pl.len().alias("n_customers"))
        .collect(),
    )
    yield "gap_counts", _gaps(days, lives)
    covered, as_of = pl.col("last_day") + pl.col("window_days"), pl.col("as_of_day")
    yield (
        "lifetime_counts",
        lives.lazy()
        .group_by("market", duration_days=pl.min_horizontal(covered, as_of) - pl.col("first_day"))
        .agg(n_ended=(covered < as_of).sum(), n_running=(covered >= as_of).sum())
        .collect(),
    )
    yield (
        "rfm_counts",
        lives.lazy()
        .group_by(
            "market",
            frequency=pl.col("n_days") - 1,
            recency=(pl.col("last_day") - pl.col("first_day")) // 7,
            age=(as_of - pl.col("first_day")) // 7,
        )
        .agg(pl.len().alias("n_customers"), pl.col("n_orders", "revenue_minor").sum())
        .collect(),
    )
    yield "revenue_counts", _revenue(months, facts)


def _gaps(days: pl.DataFrame, lives: pl.DataFrame) -> pl.DataFrame:
    closed = (
        days.lazy()
        .select(
            "market",
            nth=pl.int_range(pl.len()).over(_ONE).clip(upper_bound=5),
            gap_days=(pl.col("day") - pl.col("day").shift().over(_ONE)).cast(pl.Int64),
            n_closed=1,
            n_open=0,
        )
        .drop_nulls("gap_days")
    )
    last = lives.lazy().select(
        "market",
        nth=pl.col("n_days").clip(upper_bound=5),
        gap_days=(pl.col("as_of_day") - pl.col("last_day")).cast(pl.Int64),
        n_closed=0,
        n_open=1,
    )
    return (
        pl.concat([closed, last])
        .group_by("market", "nth", "gap_days")
        .agg(pl.col("n_closed", "n_open").sum())
        .collect()
    )


def _revenue(months: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    month, now = pl.col("month"), pl.col("revenue_minor")
    steps = months.lazy().with_columns(
        before=month.shift().over(_ONE), after=month.shift(-1).over(_ONE), then=now.shift().over(_ONE)
    )
    stayed = pl.col("before") == month - 1
    moved = steps.group_by("market", period="month").agg(
        expansion_minor=(now - pl.col("then")).clip(lower_bound=0).filter(stayed).sum(),
        contraction_minor=(pl.col("then") - now).clip(lower_bound=0).filter(stayed).sum(),
        reactivated_minor=now.filter(pl.col("before") < month - 1).sum(),
        new_minor=now.filter(pl.col("before").is_null()).sum(),
        closing_minor=now.sum(),
    )
    opened = steps.group_by("market", period=month + 1).agg(
        opening_minor=now.sum(), lapsed_minor=now.filter((pl.col("after") == month + 1).not_().fill_null(True)).sum()
    )
    return (
        pl.concat([moved, opened], how="diagonal_relaxed")
        .group_by("market", "period")
        .agg(pl.all().sum())
        .join(facts.lazy().select("market", "last_month"), on="market")
        .filter(pl.col("period") <= pl.col("last_month"))
        .drop("last_month")
        .collect()
    )
