"""What the speed of an analysis is held against makes the same integers as the kit, on the whole sample."""

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.config import Markets

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import by_analyst as analyst

AS_OF = "2026-01-01"
COHORTS = ["market", "cohort", "age", "n_active"]
SETS = ["n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session() -> analyst.Session:
    return analyst.opened(as_of=AS_OF)


@pytest.fixture(scope="module")
def sample() -> ingest.Source:
    return ingest.source("sample")


def closed(source: ingest.Source, table: str, *, grain: str) -> pd.DataFrame:
    """Return the closed rows of markets that the kit counts."""
    rows = counts.count(source, as_of=AS_OF, grains=[grain], tables=[table]).tables[table]
    return rows[(rows["complete"] == 1) & rows["market"].isin(list(source.markets))]


def of_customers(sample: ingest.Source, customers: pd.DataFrame, folder: Path) -> ingest.Source:
    """Return the sample with the orders of some customers alone, in the market that knows them."""
    orders = pd.read_parquet(analyst.DATA / "sample" / "orders.parquet", dtype_backend="pyarrow")
    known_in = orders["customer_id"].astype("str").map(customers["market"])
    orders[(known_in == orders["market"].astype("str")).to_numpy()].to_parquet(folder / "orders.parquet")
    return replace(sample, files={**sample.files, "orders": str(folder / "orders.parquet")})


def equal(answer: pd.DataFrame, expected: pd.DataFrame, columns: list[str]) -> None:
    rows = [
        table[columns].astype({"market": "str"}).sort_values(columns, ignore_index=True)
        for table in (analyst.integers(answer), expected)
    ]
    assert len(rows[0]) > 50
    pd.testing.assert_frame_equal(*rows)


def test_the_first_cohort_table_is_the_kits(session, sample):
    equal(analyst.first_cohort_table(session), closed(sample, "cohort_counts", grain="month"), COHORTS)


def test_the_cohort_table_of_weeks_is_the_kits(session, sample):
    equal(analyst.changed_grain(session), closed(sample, "cohort_counts", grain="week"), COHORTS)


def test_the_customer_sets_by_another_window_are_the_kits(session, sample):
    windows = {code: market.model_copy(update={"activity_window_days": 60}) for code, market in sample.markets.items()}
    rows = closed(
        replace(sample, markets=Markets(windows, where="markets.toml")), "activity_counts", grain="quarter"
    ).query("rule == 'window'")
    equal(analyst.changed_window(session), rows, ["market", "period", *SETS])


def test_the_cohort_table_of_a_segment_is_the_kits(session, sample, tmp_path):
    customers = session.customers[session.customers["acquisition_channel"] == analyst.CHANNEL]
    rows = closed(of_customers(sample, customers, tmp_path), "cohort_counts", grain="month")
    equal(analyst.segment(session), rows, COHORTS)


@pytest.mark.parametrize("tier", ["silver", "gold", "platinum"])
def test_the_cohort_table_of_a_tier_is_the_kits(session, sample, tmp_path, tier):
    customers = session.customers[session.customers["loyalty_tier"] == tier]
    rows = closed(of_customers(sample, customers, tmp_path), "cohort_counts", grain="month")
    equal(analyst.segments(session).loc[tier], rows, COHORTS)
