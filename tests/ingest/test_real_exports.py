import duckdb
import pandas as pd
import pytest

from retention_kit import ingest
from retention_kit.config import project_root

DATA = project_root().parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data: real exports are read in place")


def reference(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / "reference" / f"{name}.csv")


def loaded(name: str, **files: str) -> tuple[ingest.Source, ingest.Findings, duckdb.DuckDBPyConnection]:
    source = ingest.source(name, files={table: str(DATA / f"{file}.parquet") for table, file in files.items()})
    connection = duckdb.connect()
    return source, ingest.load(source, connection), connection


@pytest.fixture(scope="module")
def online_retail():
    source, findings, connection = loaded("online_retail", orders="online_retail_raw")
    with connection:
        yield source, findings, connection


def test_online_retail_equals_the_reference_in_every_country(online_retail):
    source, _, connection = online_retail
    rows = connection.sql(
        "SELECT market, count(DISTINCT customer_id), count(*), sum(amount_minor) FROM orders "
        "WHERE NOT cancelled AND amount_minor > 0 GROUP BY market"
    ).fetchall()
    expected = reference("orI_country").query("country != 'ALL'")
    assert {code: (n, orders, int(minor)) for code, n, orders, minor in rows} == {
        source.markets.by_written_name[row.country]: (row.customers, row.orders, round(row.revenue * 1000))
        for row in expected.itertuples()
    }


def test_online_retail_gb_is_exact_to_the_tenth_of_a_penny(online_retail):
    _, _, connection = online_retail
    assert connection.sql(
        "SELECT count(DISTINCT customer_id), count(*), sum(amount_minor)::BIGINT FROM orders "
        "WHERE NOT cancelled AND amount_minor > 0 AND market = 'GB'"
    ).fetchall() == [(3920, 16646, 7_308_391_554)]


def test_online_retail_knows_all_38_names_and_london_time(online_retail):
    source, _, connection = online_retail
    assert len(source.markets) == 38
    written = duckdb.sql(f"SELECT DISTINCT Country FROM '{DATA / 'online_retail_raw.parquet'}'").fetchall()
    assert {name for (name,) in written} <= set(source.markets.by_written_name)
    # the shop's clock said 12:50 on the last day, and 10:16 on the first of summer time, 2011-03-27
    times = "max(make_timestamp(ordered_us)), min(make_timestamp(ordered_us)) FILTER (ordered_us >= 1301184000000000)"
    last, first = connection.sql(f"SELECT {times} FROM orders").fetchall()[0]
    assert (f"{last:%Y-%m-%d %H:%M}", f"{first:%Y-%m-%d %H:%M}") == ("2011-12-09 12:50", "2011-03-27 09:16")


def test_online_retail_findings_add_up_to_the_quirks(online_retail):
    _, findings, connection = online_retail
    quirks = reference("orI_quirks").set_index("quirk")["value"]
    found = {finding.reason: finding.n for finding in findings.rows}
    anonymous_left_out = duckdb.sql(
        f"SELECT count(*) FROM '{DATA / 'online_retail_raw.parquet'}' "
        "WHERE CustomerID IS NULL AND NOT (InvoiceNo LIKE 'C%' OR (Quantity > 0 AND UnitPrice > 0))"
    ).fetchall()[0][0]
    assert found["no_customer_id"] + anonymous_left_out == int(quirks["null_customer"])
    assert set(found) == {"left_out", "no_customer_id"}
    totals = reference("orI_totals").set_index("filter")
    cancelled = connection.sql(
        "SELECT count(*), count(DISTINCT customer_id), sum(amount_minor)::BIGINT FROM orders WHERE cancelled"
    ).fetchall()
    row = totals.loc["cancellations_only (C, id not null)"]
    assert cancelled == [(row.invoices, row.customers, round(row.revenue * 1000))]


@pytest.mark.parametrize("which", ["master", "sample"])
def test_cdnow_equals_the_reference_and_keeps_what_cost_nothing(which):
    source, findings, connection = loaded("cdnow", orders=f"cdnow_{which}")
    told = reference("cdnow").query("name.str.contains('rows|customers|revenue')").set_index("name")["value"]
    expected = told.astype(float)
    with connection:
        rows, customers, minor = connection.sql(
            "SELECT count(*), count(DISTINCT customer_id), sum(amount_minor)::BIGINT FROM orders"
        ).fetchall()[0]
    assert source.free_orders == "kept"
    assert (rows, customers) == (expected[f"{which}_rows"], expected[f"{which}_customers"])
    assert minor == round(expected[f"{which}_revenue"] * 100)
    assert [(finding.reason, finding.n) for finding in findings.rows] == [
        ("zero_amount", expected[f"{which}_zero_value_rows"])
    ]


def test_chinook_equals_the_reference_in_every_country():
    source, findings, connection = loaded("chinook", orders="chinook_invoices", customers="chinook_customers")
    with connection:
        rows = connection.sql(
            "SELECT market, count(DISTINCT customer_id), count(*), sum(amount_minor)::BIGINT FROM orders GROUP BY 1"
        ).fetchall()
        n_customers = connection.sql("SELECT count(*) FROM customers").fetchall()
    assert findings.rows == ()
    assert n_customers == [(59,)]
    assert {code: tuple(counted) for code, *counted in rows} == {
        source.markets.by_written_name[row.billingcountry]: (row.customers, row.invoices, round(row.revenue * 100))
        for row in reference("chinook_country").itertuples()
    }


def test_the_sample_is_read_whole():
    with duckdb.connect() as connection:
        findings = ingest.load(ingest.source("sample"), connection)
        tables = connection.sql("SELECT count(*) FROM duckdb_tables() WHERE estimated_size > 0").fetchall()
    assert [finding.text for finding in findings.rows if finding.severity == "refused"] == []
    assert tables == [(8,)]
