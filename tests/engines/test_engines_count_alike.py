"""Does every engine count the same integers? No tolerance, and no difference in the order of rows."""

from collections.abc import Mapping

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from log_batches import batches
from order_logs import N_LOGS, counted_in, logs_every_day, random_logs

from retention_kit import counts, ingest
from retention_kit.config import project_root
from retention_kit.counts import COUNTS_TABLES, FURTHER_TABLES
from retention_kit.errors import DataError
from retention_kit.ingest.tables import TABLES

SOURCES = project_root() / "data" / "sources"
COUNTED = (*COUNTS_TABLES, *FURTHER_TABLES)
AS_OF, GRAINS = "2026-01-01", ["month", "quarter"]


def assert_equal(found: Mapping[str, pd.DataFrame], expected: Mapping[str, pd.DataFrame]) -> None:
    assert list(found) == list(expected)
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, obj=name)


@pytest.fixture(scope="session")
def sample_of_all_tables() -> counts.Counted:
    return counts.count(ingest.source("sample"), as_of=AS_OF, grains=GRAINS)


@pytest.mark.slow
def test_random_logs_are_counted_alike(kind, engine):
    drawn = []

    @logs_every_day(6)
    @given(random_logs())
    def draw(log):
        drawn.append(log)

    draw()
    alone = [] if kind == "spark" else drawn[:10]  # one by one costs Spark some ten seconds each
    with counts.DuckDB() as embedded:
        for log in [*alone, *batches(drawn, most=70 if kind == "spark" else 20)]:
            assert_equal(counted_in(engine, log, COUNTED), counted_in(embedded, log, COUNTED))


@pytest.mark.slow
def test_the_sample_is_counted_alike_where_it_lies(shelf, sample_of_all_tables):
    folder = project_root() / "data" / "sample"
    tables = {table: shelf.lay(table, f"FROM '{folder}/{table}.parquet'") for table in TABLES}
    text = (SOURCES / "sample.toml").read_text(encoding="utf-8")
    source = shelf.source(text, tables)
    found = counts.count(source, as_of=AS_OF, grains=GRAINS)
    assert_equal(found.tables, sample_of_all_tables.tables)
    assert found.findings.rows == sample_of_all_tables.findings.rows


@pytest.mark.skipif(not N_LOGS, reason="asked for by make test-engines")
def test_order_lines_of_online_retail_are_counted_alike_where_they_lie(shelf, shared):
    path = shared / "data" / "online_retail_raw.parquet"
    text = (SOURCES / "online_retail.toml").read_text(encoding="utf-8")
    columns = "InvoiceNo, Quantity, InvoiceDate, UnitPrice, CustomerID, Country"
    name = shelf.lay("invoices", f"SELECT {columns} FROM '{path}'")
    asked = {"as_of": "2011-12-10", "grains": GRAINS}
    found = counts.count(shelf.source(text, {"orders": name}), **asked)
    expected = counts.count(ingest.source("online_retail", files={"orders": str(path)}), **asked)
    assert_equal(found.tables, expected.tables)
    assert found.findings.rows == expected.findings.rows


def test_a_value_that_fits_no_number_is_told_without_itself(shelf):
    orders = (
        "SELECT 'o' AS order_id, 'c' AS customer_id, 'NL' AS market, 'EUR' AS currency, "
        "TIMESTAMPTZ '2025-01-01 12:00:00+00' AS ordered_at, 'ten euros' AS amount"
    )
    profile = '[orders]\ncolumns = { amount = "CAST(amount AS DOUBLE)" }\n'
    source = shelf.source(profile, {"orders": shelf.lay("worded", orders)})
    with pytest.raises(DataError) as raised:
        counts.count(source, as_of="2025-02-01", grains=["month"])
    assert str(raised.value) == (
        "orders: an expression of company.toml fails on some row.\n"
        "  try:   TRY_CAST instead of CAST, or a CASE that leaves such rows out, so that they are counted"
    )


def test_a_fingerprint_changes_with_the_rows(shelf):
    def fingerprint(n: int) -> str:
        orders = (
            "SELECT 'o' || i AS order_id, 'c' AS customer_id, 'NL' AS market, 'EUR' AS currency, "
            "TIMESTAMPTZ '2025-01-01 12:00:00+00' AS ordered_at, CAST(10 AS DECIMAL(12, 2)) AS amount "
            f"FROM range({n}) AS t(i)"
        )
        return counts.fingerprint(shelf.source("[orders]\n", {"orders": shelf.lay("changing", orders)}))

    assert fingerprint(3) != fingerprint(4)


def test_nothing_stays_in_the_database(shelf, engine):
    if shelf.kind != "postgresql":
        pytest.skip("only PostgreSQL has a database to leave something in")
    before = engine.names()
    orders = (
        "SELECT 'o' AS order_id, 'c' AS customer_id, 'NL' AS market, TIMESTAMP '2025-01-01' AS ordered_at, "
        "10 AS amount, 'EUR' AS currency"
    )
    source = shelf.source('[orders]\ntime_zone = "market"\n', {"orders": shelf.lay("few", orders)})
    counts.count(source, as_of="2025-02-01", grains=["month"])
    assert sorted(set(engine.names()) - set(before)) == ["company.few"]


@pytest.mark.slow
def test_a_duckdb_file_is_counted_alike(tmp_path, sample_of_all_tables):
    from database_files import Shelf

    file = tmp_path / "company.duckdb"
    duckdb.connect(str(file)).close()
    shelf = Shelf("duckdb", f"duckdb://{file}", tmp_path)
    folder = project_root() / "data" / "sample"
    tables = {table: shelf.lay(table, f"FROM '{folder}/{table}.parquet'") for table in TABLES}
    source = shelf.source((SOURCES / "sample.toml").read_text(encoding="utf-8"), tables)
    assert_equal(counts.count(source, as_of=AS_OF, grains=GRAINS).tables, sample_of_all_tables.tables)
