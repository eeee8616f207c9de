"""The simulated company as files: the contract's tables, small, the same each time, and of any size."""

import tomllib
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retention_kit.config import project_root, read_markets
from retention_kit.errors import UsageError
from retention_kit.ingest import load, source
from retention_kit.ingest.tables import TABLES, Kind
from retention_kit.simulate.benchmark import write_orders
from retention_kit.simulate.sample import sample_company, write_sample
from retention_kit.simulate.tables import History, history
from retention_kit.simulate.truths import truth

SAMPLE = project_root() / "data" / "sample"

TYPES = {
    Kind.ID: pa.types.is_string,
    Kind.TEXT: pa.types.is_string,
    Kind.MARKET: pa.types.is_string,
    Kind.INSTANT: lambda kind: pa.types.is_timestamp(kind) and kind.tz == "UTC",
    Kind.DATE: pa.types.is_date,
    Kind.MONEY: pa.types.is_decimal,
    Kind.NUMBER: lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind),
    Kind.FLAG: pa.types.is_boolean,
}


@pytest.fixture(scope="module")
def past() -> History:
    return history(np.random.default_rng(5), sample_company())


@pytest.fixture(scope="module")
def connection():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS FROM '{SAMPLE / table}.parquet'")
    yield connection
    connection.close()


def number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return connection.execute(sql).fetchone()[0]


def test_the_committed_sample_is_at_most_six_megabytes():
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) <= 6_000_000


@pytest.mark.parametrize("table", TABLES)
def test_each_table_has_the_columns_of_the_contract(table):
    schema = pq.read_schema(SAMPLE / f"{table}.parquet")
    assert schema.names == [column.name for column in TABLES[table]]
    for column in TABLES[table]:
        assert TYPES[column.kind](schema.field(column.name).type), column.name


@pytest.mark.parametrize("table", TABLES)
def test_no_required_value_is_missing(table, connection):
    for column in TABLES[table]:
        if column.required:
            assert number(connection, f"SELECT count(*) FROM {table} WHERE {column.name} IS NULL") == 0


@pytest.mark.slow
def test_the_same_seed_writes_the_same_bytes(tmp_path):
    first, second = write_sample(tmp_path / "a", seed=3), write_sample(tmp_path / "b", seed=3)
    assert set(first) == {*TABLES, "truth"}
    for name in first:
        assert first[name].read_bytes() == second[name].read_bytes(), name


def test_another_seed_makes_another_company_with_the_same_truths(past):
    committed = tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))
    other = truth(past)
    for code in committed["markets"]:
        shares = committed["markets"][code]["second_order_day_within_90_days"]
        assert other[f"markets.{code}"][1]["second_order_day_within_90_days"] == pytest.approx(shares, abs=0.02)
    for name, values in committed["effects"].items():
        assert other[f"effects.{name}"][1]["effect"] == pytest.approx(values["effect"], abs=0.01)


def test_ids_are_unique(connection):
    for table, key in [
        ("orders", "order_id"),
        ("customers", "customer_id"),
        ("subscriptions", "subscription_id"),
    ]:
        assert number(connection, f"SELECT count(*) - count(DISTINCT {key}) FROM {table}") == 0
    assert number(connection, "SELECT count(*) - count(DISTINCT (date, currency)) FROM exchange_rates") == 0
    assert number(connection, "SELECT count(*) - count(DISTINCT customer_id) FROM assignments") == 0


@pytest.mark.parametrize("table", ["orders", "engagement", "tickets", "surveys", "assignments", "subscriptions"])
def test_every_row_belongs_to_a_known_customer(table, connection):
    orphans = f"SELECT count(*) FROM {table} ANTI JOIN customers USING (customer_id)"
    assert number(connection, orphans) == 0


def test_some_customers_registered_and_never_ordered(connection):
    assert number(connection, "SELECT count(*) FROM customers ANTI JOIN orders USING (customer_id)") > 300


def test_referred_customers_name_an_earlier_one_of_their_market(connection):
    share, other_market, later = connection.execute("""
        SELECT count(referrer.customer_id) / (SELECT count(*) FROM customers),
               count(*) FILTER (referrer.market <> customer.market),
               count(*) FILTER (first_order.at < referrer_order.at)
        FROM customers AS customer
        JOIN customers AS referrer ON referrer.customer_id = customer.referred_by
        JOIN (SELECT customer_id, min(ordered_at) AS at FROM orders GROUP BY ALL) AS first_order
          ON first_order.customer_id = customer.customer_id
        JOIN (SELECT customer_id, min(ordered_at) AS at FROM orders GROUP BY ALL) AS referrer_order
          ON referrer_order.customer_id = referrer.customer_id
    """).fetchone()
    assert 0.04 < share < 0.08
    assert (other_market, later) == (0, 0)


def test_what_follows_an_order_comes_after_it(connection):
    assert number(connection, "SELECT count(*) FROM orders WHERE refunded_at <= ordered_at") == 0
    assert number(connection, "SELECT count(*) FROM orders WHERE delivered_at <= ordered_at") == 0
    assert number(connection, "SELECT count(*) FROM orders WHERE refunded_amount > amount") == 0
    assert number(connection, "SELECT count(*) FROM orders WHERE cancelled AND delivered_at IS NOT NULL") == 0
    assert number(connection, "SELECT count(*) FROM tickets WHERE first_response_at < opened_at") == 0
    assert number(connection, "SELECT count(*) FROM tickets WHERE resolved_at < first_response_at") == 0
    assert number(connection, "SELECT count(*) FROM subscriptions WHERE ended_at <= started_at") == 0


def test_yen_have_no_decimals(connection):
    fractions = """
        SELECT count(*) FROM orders WHERE currency = 'JPY'
        AND (amount % 1 <> 0 OR discount_amount % 1 <> 0 OR coalesce(refunded_amount, 0) % 1 <> 0)
    """
    assert number(connection, fractions) == 0
    costs = "SELECT count(*) FROM customers WHERE market = 'JP' AND acquisition_cost % 1 <> 0"
    assert number(connection, costs) == 0


def test_every_order_has_an_exchange_rate_on_its_day(connection):
    without = """
        SELECT count(*) FROM orders
        ANTI JOIN exchange_rates AS r ON r.currency = orders.currency AND r.date = CAST(ordered_at AS DATE)
    """
    assert number(connection, without) == 0
    assert number(connection, "SELECT count(*) FROM exchange_rates WHERE NOT rate > 0") == 0
    assert number(connection, "SELECT count(*) FROM exchange_rates WHERE currency = 'EUR' AND rate <> 1") == 0


def test_some_orders_are_paid_in_another_currency_than_the_market_s(connection):
    foreign = dict(
        connection.execute("""
            SELECT market, count(*) FROM orders
            WHERE (market, currency) IN (('DK', 'EUR'), ('RO', 'EUR'), ('CN', 'USD'), ('BR', 'USD')) GROUP BY ALL
        """).fetchall()
    )
    assert set(foreign) == {"DK", "RO", "CN", "BR"}
    assert min(foreign.values()) > 50


def test_not_a_row_of_the_sample_is_refused():
    with duckdb.connect() as connection:
        findings = load(source(str(SAMPLE)), connection)
        n_orders = number(connection, "SELECT count(*) FROM orders")
    assert [row for row in findings.rows if row.severity == "refused"] == []
    assert n_orders == pq.read_metadata(SAMPLE / "orders.parquet").num_rows


# ---- benchmarks


def test_a_benchmark_folder_is_read_as_any_other(tmp_path):
    write_orders(tmp_path, n_orders=2_000, n_markets=20, seed=1, chunk=5_000)
    with duckdb.connect() as connection:
        findings = load(source(str(tmp_path)), connection)
        assert number(connection, "SELECT count(*) FROM orders") == 2_000
    assert [row for row in findings.rows if row.severity == "refused"] == []


def test_a_company_of_any_size_is_written_in_parts(tmp_path):
    files = write_orders(tmp_path, n_orders=20_000, n_markets=23, seed=1, chunk=8_000)
    assert len(files) >= 3
    everything = f"'{tmp_path}/orders/*.parquet'"
    with duckdb.connect() as connection:
        n, n_ids, n_markets = connection.execute(
            f"SELECT count(*), count(DISTINCT order_id), count(DISTINCT market) FROM {everything}"
        ).fetchone()
        shared = number(
            connection,
            f"SELECT count(*) FROM (SELECT customer_id FROM read_parquet({everything}, filename = true) "
            "GROUP BY ALL HAVING count(DISTINCT filename) > 1)",
        )
        columns = {row[0] for row in connection.execute(f"DESCRIBE FROM {everything}").fetchall()}
    assert (n, n_ids, n_markets, shared) == (20_000, 20_000, 23, 0)
    assert {column.name for column in TABLES["orders"] if column.required} <= columns
    markets = read_markets(tmp_path / "markets.toml")
    assert len(markets) == 23
    assert markets["NL-2"].name == "Netherlands 2"


def test_a_small_part_of_a_company_is_the_same_company(tmp_path):
    small = write_orders(tmp_path / "small", n_orders=6_000, n_markets=2, seed=1, chunk=3_000)
    large = write_orders(tmp_path / "large", n_orders=9_000, n_markets=2, seed=1, chunk=3_000)
    assert small[0].read_bytes() == large[0].read_bytes()


def test_impossible_sizes_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError) as told:
        write_orders(tmp_path / "none", n_orders=0)
    assert str(told.value) == "n_orders cannot be 0.\n  try:   1 to 1,000,000,000"
    assert not Path(tmp_path / "none").exists()


def test_orders_already_there_are_left_alone(tmp_path):
    (tmp_path / "bench" / "orders").mkdir(parents=True)
    with pytest.raises(UsageError) as told:
        write_orders(tmp_path / "bench", n_orders=10)
    assert str(told.value) == (
        "The folder 'bench' holds orders already.\n  try:   another folder, or remove its 'orders'"
    )
