"""CDNOW's 1/10 sample by customer, as the papers have it: purchase days, weeks, calibrated on 1997-01-01 to 09-30."""

import pandas as pd
import pytest
from by_customer import FIRST, LAST, by_customer, days_of


@pytest.fixture(scope="session")
def cdnow_days(shared) -> pd.DataFrame:
    """Return the purchase days of the 1/10 sample."""
    return days_of(shared / "data" / "cdnow_sample.parquet")


@pytest.fixture(scope="session")
def cdnow(cdnow_days) -> pd.DataFrame:
    """Return the 2,357 customers of the calibration, one row each."""
    return by_customer(cdnow_days, last=(LAST - FIRST).days)


@pytest.fixture(scope="session")
def cdnow_spend(cdnow_days) -> pd.DataFrame:
    """Return what the 946 repeat buyers spent on their repeat days, one row each."""
    known = cdnow_days[cdnow_days["day"] <= (LAST - FIRST).days]
    repeats = known[known["day"] > known.groupby("customer_id")["day"].transform("min")]
    spent = repeats.groupby("customer_id")["value"].agg(["size", "sum"])
    return pd.DataFrame({"n_days": spent["size"], "n_customers": 1, "value": spent["sum"]})
