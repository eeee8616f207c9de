"""Does every engine watch the same customers, and count the same for models? The risk and the worth are made up."""

import duckdb
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.config import project_root
from retention_kit.counts import prelude, watch
from retention_kit.counts.patterns import worth_counts
from retention_kit.ingest.tables import TABLES

KEYS = ["market", "frequency", "recency", "age"]
FEW = "RIGHT(customer_id, 1) = '7'"
"""A tenth of the sample's customers."""


def made_up(patterns: pd.DataFrame) -> pd.DataFrame:
    silence = (patterns["age"] - patterns["recency"] + 1) / (patterns["age"] + 2)
    return patterns.assign(lapse=silence, orders_if_here=(patterns["frequency"] + 1) / 3)


def watched(source, folder) -> tuple[list[pd.DataFrame], pd.DataFrame | None]:
    with counts.engine(source, as_of="2026-01-01", grains=["quarter"]) as engine:
        now = made_up(engine.collect(counts.sql("rfm_counts")))
        term = {"margin": 0.4, "effect": 0.1, "cost_minor": 60, "n_offers": 20}
        tables = [watch.watch_counts(engine, now, terms=dict.fromkeys(now["market"].unique(), term))]
        prelude.hold_out(engine, 13)
        prelude.load_bins(engine)
        tables += [engine.collect(counts.sql(name)) for name in counts.PURCHASE_TABLES]
        tables += [worth_counts(engine, now[KEYS].assign(expected_orders=1.7, value_base_minor=812.5, own_weight=0.31))]
        then = made_up(engine.collect(counts.sql("holdout_counts")))
        tables += [watch.offer_counts(engine)]
        tables += [watch.past_list_counts(engine, then, holdout_weeks=13, capacity=30)]
        tables += [watch.watch_list(engine, market="NL")]
        limits = {"as_of_day": 20454, "capacity": 5, "again_after_days": 30}
        return tables, watch.keep_list(engine, folder=folder, market="NL", **limits)


@pytest.mark.slow
def test_customers_are_watched_alike_where_they_lie(shelf, tmp_path, monkeypatch):
    monkeypatch.setenv(watch.KEY_VARIABLE, "of sixteen bytes or more")
    sample = project_root() / "data" / "sample"
    profile = (project_root() / "data" / "sources" / "sample.toml").read_text(encoding="utf-8")
    for table in TABLES:
        few = "TRUE" if table == "exchange_rates" else FEW
        duckdb.sql(f"COPY (FROM '{sample}/{table}.parquet' WHERE {few}) TO '{tmp_path}/{table}.parquet'")
    lying = shelf.source(profile, {table: shelf.lay(table, f"FROM '{tmp_path}/{table}.parquet'") for table in TABLES})
    (tmp_path / "few.toml").write_text(profile.replace('"../sample/', '"'), encoding="utf-8")
    embedded, kept = watched(ingest.source(str(tmp_path / "few.toml")), tmp_path / "alerts")
    there, kept_there = watched(lying, tmp_path / "alerts there")
    for found, expected in zip(there, embedded, strict=True):
        pd.testing.assert_frame_equal(found, expected)
    assert len(kept) == 1
    assert kept_there is None  # an engine that is only read keeps no list
    assert not (tmp_path / "alerts there").exists()
