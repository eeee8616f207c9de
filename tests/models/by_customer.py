"""From purchase days to rows and patterns like those of rfm_counts, by plain pandas."""

from pathlib import Path

import pandas as pd

FIRST = pd.Timestamp("1997-01-01")
LAST = pd.Timestamp("1997-09-30")
KEYS = ["unit_days", "frequency", "recency", "age"]


def days_of(path: Path) -> pd.DataFrame:
    """Return one row per customer and purchase day: `customer_id`, `day` since 1997-01-01, `value`."""
    rows = pd.read_parquet(path)
    rows["day"] = (pd.to_datetime(rows["date"]) - FIRST).dt.days
    return rows.groupby(["customer_id", "day"], as_index=False)["value"].sum()


def by_customer(days: pd.DataFrame, *, last: int) -> pd.DataFrame:
    """Return a row like those of rfm_counts for each customer, by days, observed up to and with a day."""
    known = days[days["day"] <= last].groupby("customer_id")["day"].agg(["min", "max", "size"])
    return pd.DataFrame(
        {
            "unit_days": 1,
            "frequency": known["size"] - 1,
            "recency": known["max"] - known["min"],
            "age": last - known["min"],
            "n_customers": 1,
        }
    )


def weighted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the same customers as patterns with their numbers."""
    return rows.groupby(KEYS, as_index=False)["n_customers"].sum()


def weekly(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the same patterns in whole weeks, as `counts.rfm_counts` has them: age to the first day not observed."""
    return weighted(rows.assign(unit_days=7, recency=rows["recency"] // 7, age=(rows["age"] + 1) // 7))
