"""What a wrong URL, a missing driver, an engine that is away, or tables that do not fit say to the reader."""

import importlib
import sys

import duckdb
import pytest
from click.testing import CliRunner
from database_files import Shelf

from retention_kit import counts, ingest
from retention_kit.cli import main
from retention_kit.counts import engine_of
from retention_kit.counts.engines import shown_url
from retention_kit.errors import KitError

ORDERS = (
    "SELECT 'o1' AS order_id, 'ana' AS customer_id, 'NL' AS market, TIMESTAMP '2025-01-01 12:00:00' AS ordered_at, "
    "CAST(10.005 AS DECIMAL(12, 3)) AS amount, 'EUR' AS currency"
)


@pytest.fixture
def company(tmp_path) -> Shelf:
    """Return a file of DuckDB's as a company's database."""
    file = tmp_path / "company.duckdb"
    duckdb.connect(str(file)).close()
    return Shelf("duckdb", f"duckdb://{file}", tmp_path)


def said(act) -> str:
    with pytest.raises(KitError) as raised:
        act()
    return str(raised.value)


def of_orders(company: Shelf, query: str, profile: str = '[orders]\ntime_zone = "UTC"\n', **asked) -> ingest.Source:
    return company.source(profile, {"orders": company.lay("orders", query)}, **asked)


def error_of(source: ingest.Source) -> str:
    said_ = said(lambda: counts.count(source, as_of="2026-01-01", grains=["month"]))
    return said_.replace(shown_url(source.engine), "ENGINE")


def test_an_unknown_scheme_names_the_near_miss():
    assert said(lambda: engine_of("postgressql://ana@db/shop")) == (
        "There is no engine 'postgressql://'.\n"
        "  found: 'duckdb://', 'postgresql://', 'spark://', 'sc://', 'sail://'\n"
        "  try:   'postgresql://'"
    )


def test_a_word_is_no_engine():
    assert said(lambda: engine_of("our warehouse")) == (
        "An engine is named by a URL.\n"
        "  found: 'duckdb://', 'postgresql://', 'spark://', 'sc://', 'sail://'\n"
        "  try:   one of the URLs above"
    )


@pytest.mark.parametrize(
    ("url", "driver", "extra"),
    [
        ("postgresql://db/shop", "psycopg", "postgres"),
        ("spark://local", "pyspark", "spark"),
        ("sail://local", "pysail", "sail"),
    ],
)
def test_a_missing_driver_names_the_extra_that_brings_it(monkeypatch, url, driver, extra):
    monkeypatch.setitem(sys.modules, driver, None)  # as an import sees a package that is not there
    assert said(lambda: engine_of(url)) == (
        f"The driver '{driver}' is not installed.\n  try:   pip install 'retention-kit[{extra}]'"
    )


def test_a_server_that_is_away_is_told_without_the_password():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    text = said(lambda: engine_of("postgresql://ana:s3cret@127.0.0.1:1/shop?connect_timeout=2"))
    assert text.startswith("The engine postgresql://ana@127.0.0.1:1/shop cannot be reached.\n  found: ")
    assert text.endswith("\n  try:   check that it runs, and its host, port, database and user")
    assert "s3cret" not in text


@pytest.mark.parametrize("url", ["sc://127.0.0.1:1/;token=s3cret", "spark://127.0.0.1:1"])
def test_a_spark_that_is_away_is_told_at_once(url):
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    text = said(lambda: engine_of(url))
    assert text.startswith(f"The engine {shown_url(url)} cannot be reached.\n  found: ")
    assert "Connection refused" in text
    assert "s3cret" not in text


def test_a_file_of_duckdb_that_is_not_there(tmp_path):
    text = said(lambda: engine_of(f"duckdb://{tmp_path}/absent.duckdb"))
    assert text.startswith(f"The engine duckdb://{tmp_path}/absent.duckdb cannot be reached.\n  found: ")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ana:s3cret@db:5432/shop?sslmode=require", "postgresql://ana@db:5432/shop"),
        ("postgresql://ana:p@ss/w?rd@db/shop", "postgresql://…"),
        ("postgresql:///shop?host=/run/postgresql&password=s3cret", "postgresql:///shop"),
        ("sc://db:15002/;token=s3cret", "sc://db:15002"),
        ("duckdb:///data/shop.duckdb", "duckdb:///data/shop.duckdb"),
        ("spark://local[2]", "spark://local[2]"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, told):
    assert shown_url(url) == told


def test_a_password_is_in_no_fingerprint_and_no_representation(tmp_path, monkeypatch):
    profile = tmp_path / "shop.toml"
    profile.write_text('engine = "postgresql://ana:s3cret@db/shop"\n[orders]\ntable = "orders"\n')
    one = ingest.source(str(profile))
    profile.write_text('engine = "postgresql://ana:changed@db/shop"\n[orders]\ntable = "orders"\n')
    other = ingest.source(str(profile))
    assert one.fingerprint() == other.fingerprint()
    assert "s3cret" not in repr(one)
    assert one.engine == "postgresql://ana:s3cret@db/shop"


def test_an_engine_is_taken_from_the_environment_variable_that_is_named(tmp_path, monkeypatch):
    profile = tmp_path / "shop.toml"
    profile.write_text('engine = "$SHOP_URL"\n[orders]\ntable = "orders"\n')
    monkeypatch.setenv("SHOP_URL", "postgresql://ana@db/shop")
    assert ingest.source(str(profile)).engine == "postgresql://ana@db/shop"
    monkeypatch.delenv("SHOP_URL")
    assert said(lambda: ingest.source(str(profile)).engine) == (
        "shop.toml takes its engine from the environment variable SHOP_URL, which is not set.\n"
        "  try:   export SHOP_URL=postgresql://user:password@host/database"
    )


def test_tables_without_an_engine_and_files_with_one_are_refused(tmp_path):
    profile = tmp_path / "shop.toml"
    profile.write_text('[orders]\ntable = "orders"\n')
    assert said(lambda: ingest.source(str(profile))) == (
        "shop.toml names tables, and no engine that holds them.\n"
        "  found: 'orders'\n"
        '  try:   engine = "postgresql://…" at its top, or engine = "$NAME" of an environment variable'
    )
    (tmp_path / "orders.csv").write_text("order_id\n")
    profile.write_text('engine = "duckdb://"\n[orders]\nfile = "orders.csv"\n')
    assert said(lambda: ingest.source(str(profile))) == (
        "shop.toml names an engine and files.\n"
        "  found: 'orders'\n"
        '  try:   table = "schema.name" instead of file: all tables are counted in one place'
    )
    profile.write_text('engine = "duckdb://"\n')
    assert said(lambda: ingest.source(str(profile))) == (
        'shop.toml names no table of orders.\n  found: nothing\n  try:   [orders] table = "schema.name"'
    )


def test_a_table_that_is_not_there_names_the_near_miss(company):
    of_orders(company, ORDERS)
    source = company.source('[orders]\ntime_zone = "UTC"\n', {"orders": "ordrs"})
    assert error_of(source) == (
        "There is no table 'ordrs' in ENGINE, of which company.toml makes orders.\n  found: 'orders'\n  try:   'orders'"
    )


def test_a_column_that_is_not_there_names_the_near_miss(company):
    assert error_of(of_orders(company, ORDERS.replace("AS ordered_at", "AS orderd_at"))) == (
        "orders lacks 'ordered_at'.\n"
        "  found: 'order_id', 'customer_id', 'market', 'orderd_at', 'amount', 'currency'\n"
        "  try:   rename 'orderd_at' to 'ordered_at', or map it in company.toml"
    )


def test_an_expression_over_a_column_that_is_not_there_names_the_near_miss(company):
    profile = '[orders]\ntime_zone = "UTC"\ncolumns = { amount = "amuont * 2" }\n'
    assert error_of(of_orders(company, ORDERS, profile)) == (
        "orders lacks 'amuont', of which company.toml [orders] makes 'amount'.\n"
        "  found: 'order_id', 'customer_id', 'market', 'ordered_at', 'amount', 'currency'\n"
        "  try:   'amount' in its place"
    )


def test_types_that_do_not_fit_are_told_at_once_with_the_cast_that_would(company):
    query = ORDERS.replace("TIMESTAMP '2025-01-01 12:00:00'", "20250101").replace("'ana'", "TRUE")
    assert error_of(of_orders(company, query)) == (
        "orders holds what orders cannot take.\n"
        "  found: 'customer_id' is flag, not text or a number\n"
        "         'ordered_at' is integer, not a date or time\n"
        '  try:   [orders.columns] customer_id = "CAST(customer_id AS VARCHAR)" in company.toml\n'
        '         [orders.columns] ordered_at = "CAST(ordered_at AS TIMESTAMP)" in company.toml'
    )


def test_ids_that_a_column_of_floats_may_have_rounded_are_an_error_as_in_files(company):
    assert error_of(of_orders(company, ORDERS.replace("'ana'", "1.5::DOUBLE"))) == (
        "orders: 'customer_id' is a decimal column, and 1 of its values are no whole number below 2^53.\n"
        "  found: ids that may have been rounded to each other\n"
        "  try:   export 'customer_id' as text"
    )


def test_times_without_a_zone_are_told_as_in_files(company):
    assert error_of(of_orders(company, ORDERS, "[orders]\n")) == (
        "No order is left: every row was refused or left out.\n"
        "  found: 1 of 1 orders have an ordered_at without an offset, and no time_zone is declared\n"
        '  try:   declare time_zone under [orders], such as time_zone = "market", in company.toml'
    )


def test_a_market_that_is_not_declared_is_counted_named_and_ignored_when_told(company):
    query = f"{ORDERS} UNION ALL {ORDERS.replace(chr(39) + 'NL' + chr(39), chr(39) + 'XX' + chr(39))}"
    source = of_orders(company, query)
    assert error_of(source) == (
        "orders names a market that is not declared.\n"
        "  found: 'XX' (1)\n"
        "  try:   declare what is missing in markets.toml, or leave it out: --unknown-markets ignore"
    )
    ignoring = of_orders(company, query, unknown_markets="ignore")
    found = counts.count(ignoring, as_of="2026-01-01", grains=["month"])
    assert found.markets == ("NL",)
    assert [finding.text for finding in found.findings.rows] == [
        "1 of 2 orders have a market that is not declared: 'XX' (1)",
        "1 of 2 orders have an amount with more decimals than is counted; rounded half to even",
    ]


def test_a_currency_without_a_rate_is_counted_and_named(company):
    query = f"{ORDERS} UNION ALL {ORDERS.replace('o1', 'o2').replace('EUR', 'USD')}"
    assert error_of(of_orders(company, query)) == (
        "orders are in several currencies, and there are no exchange rates.\n"
        "  found: 'USD in NL' (1)\n"
        "  try:   a table exchange_rates with date, currency and rate, for the order's currency and the market's"
    )


def test_rows_that_lack_what_every_order_needs_are_refused_by_reason(company):
    rows = [
        ORDERS,
        ORDERS,
        ORDERS.replace("'ana'", "NULL"),
        ORDERS.replace("'o1'", "' '"),
        ORDERS.replace("'o1'", "'o3'").replace("10.005", "NULL"),
        ORDERS.replace("'o1'", "'o4'").replace("EUR", "EURO"),
    ]
    source = of_orders(company, " UNION ALL ".join(rows), max_refused=1)
    found = counts.count(source, as_of="2026-01-01", grains=["month"])
    assert sorted(finding.text for finding in found.findings.rows) == [
        "1 of 6 orders have a currency that is not in ISO 4217",
        "1 of 6 orders have an amount with more decimals than is counted; rounded half to even",
        "1 of 6 orders have no amount",
        "1 of 6 orders have no customer_id",
        "1 of 6 orders have no order_id",
        "1 of 6 orders repeat an order_id of their market",
    ]
    assert found.tables["order_counts"].query("grain == 'history' and market == 'NL'")["gross_minor"].tolist() == [1000]


def test_an_expression_that_fails_on_a_row_is_told_without_its_value(company):
    query = ORDERS.replace("CAST(10.005 AS DECIMAL(12, 3))", "'ten euros'")
    profile = '[orders]\ntime_zone = "UTC"\ncolumns = { amount = "CAST(amount AS DOUBLE)" }\n'
    assert error_of(of_orders(company, query, profile)) == (
        "orders: an expression of company.toml fails on some row.\n"
        "  try:   TRY_CAST instead of CAST, or a CASE that leaves such rows out, so that they are counted"
    )


def test_what_is_remembered_of_a_database_holds_until_the_end_of_the_process(company, monkeypatch):
    source = of_orders(company, ORDERS)
    monkeypatch.setenv("RETENTION_KIT_REMEMBERED", "")
    counts.remember(source)
    before = counts.fingerprint(source)
    company.lay("orders", f"{ORDERS} UNION ALL {ORDERS}")
    assert counts.fingerprint(source) == before
    monkeypatch.setenv("RETENTION_KIT_REMEMBERED", "")
    assert counts.fingerprint(source) != before


def test_no_row_left_is_an_error(company):
    assert error_of(of_orders(company, ORDERS.replace("'ana'", "NULL::VARCHAR"))) == (
        "No order is left: every row was refused or left out.\n"
        "  found: 1 of 1 orders have no customer_id\n"
        "  try:   correct the export"
    )


def test_check_looks_at_tables_where_they_lie(company):
    source = of_orders(company, f"{ORDERS} UNION ALL {ORDERS.replace(chr(39) + 'NL' + chr(39), 'NULL')}", max_refused=1)
    with counts.engine_of(source.engine) as engine:
        report = ingest.check(source, engine=engine)
    assert report.text() == (
        "orders: 1 rows, 2025-01-01 12:00 UTC to 2025-01-01 12:00 UTC\n"
        "  markets   NL 1\n"
        "  currency  EUR 1\n"
        "  refused   1 of 2 orders have no market\n"
        "  note      1 of 2 orders have an amount with more decimals than is counted; rounded half to even\n"
        "\n"
        "company can be counted."
    )


def test_check_of_the_command_line_looks_there_too(company):
    of_orders(company, ORDERS)
    result = CliRunner().invoke(main, ["check", "--data", str(company.folder / "company.toml")])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == "orders: 1 rows, 2025-01-01 12:00 UTC to 2025-01-01 12:00 UTC"
    of_orders(company, ORDERS.replace("'ana'", "NULL"))
    result = CliRunner().invoke(main, ["check", "--data", str(company.folder / "company.toml")])
    assert result.exit_code == 1
    assert "1 of 1 orders have no customer_id" in result.output


def test_check_needs_the_engine_that_holds_the_tables(company):
    assert said(lambda: ingest.check(of_orders(company, ORDERS))) == (
        "The data 'company' lie in an engine of their own, not in files.\n"
        "  try:   ingest.check(source, engine=counts.engine_of(source.engine))"
    )


def test_half_a_minor_unit_goes_to_the_even_one_as_in_files(company):
    amounts = ["0.005", "0.015", "0.025", "2.675", "1.005"]
    rows = [f"{ORDERS.replace('o1', f'o{n}').replace('10.005', amount)}" for n, amount in enumerate(amounts)]
    found = counts.count(of_orders(company, " UNION ALL ".join(rows)), as_of="2026-01-01", grains=["month"])
    history = found.tables["order_counts"].query("grain == 'history' and market == 'NL'")
    assert history["gross_minor"].tolist() == [0 + 2 + 2 + 268 + 100]  # and the first is free: no kept order


def test_importing_the_room_needs_no_driver():
    assert importlib.import_module("retention_kit.counts").engine_of is engine_of
