"""Tables in memory go in as files do: strictly, unchanged, and without a value in any error."""

from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from retention_kit import ingest
from retention_kit.errors import ConfigError, DataError, KitError, UsageError

SWEDEN = {"market": "SE", "currency": "SEK", "time_zone": "Europe/Stockholm"}
COLUMNS = {"order_id": "order no", "customer_id": "client", "ordered_at": "bought", "amount": "paid"}


@pytest.fixture(autouse=True)
def no_project(tmp_path, monkeypatch):
    """Leave the project: a table in memory needs none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RETENTION_KIT_PROJECT", raising=False)


def orders(**changed) -> pd.DataFrame:
    """Return three orders as an analyst has them."""
    columns = {
        "order no": ["1", "2", "3"],
        "client": ["ana", "bo", "ana"],
        "bought": pd.to_datetime(["2025-01-01 00:30", "2025-07-01 00:30", "2025-07-02 00:00"]),
        "paid": [10.5, 20, 30],
    }
    return pd.DataFrame(columns | changed)


def loaded(data, **asked) -> tuple[ingest.Findings, list[tuple]]:
    """Return what was found, and the orders by number: market, time, amount, currency."""
    source = ingest.source(data, **(SWEDEN | {"columns": COLUMNS} | asked))
    with duckdb.connect() as connection:
        findings = ingest.load(source, connection)
        rows = connection.execute(
            "SELECT order_id, customer_id, market, make_timestamp(ordered_us), amount_minor, currency "
            "FROM orders ORDER BY order_id"
        ).fetchall()
    return findings, rows


EXPECTED = [
    ("1", "ana", "SE", datetime(2024, 12, 31, 23, 30), 1050, "SEK"),
    ("2", "bo", "SE", datetime(2025, 6, 30, 22, 30), 2000, "SEK"),
    ("3", "ana", "SE", datetime(2025, 7, 1, 22, 0), 3000, "SEK"),
]


def in_polars(frame):
    return pytest.importorskip("polars", reason="polars is not installed").from_arrow(pa.Table.from_pandas(frame))


@pytest.mark.parametrize(
    "handed",
    [
        lambda frame: frame,
        pa.Table.from_pandas,
        lambda frame: pa.Table.from_pandas(frame).to_reader(),
        lambda frame: duckdb.from_arrow(pa.Table.from_pandas(frame)),
        in_polars,
        lambda frame: {"orders": frame},
        lambda frame: frame.set_index(["order no", "client"]),
    ],
    ids=["pandas", "Arrow", "batches", "DuckDB", "Polars", "by name", "indexed"],
)
def test_a_table_of_any_library_is_read_alike(handed):
    findings, rows = loaded(handed(orders()))
    assert (findings.rows, rows) == ((), EXPECTED)


def test_days_decimals_categories_and_nullable_numbers_are_read_by_their_types():
    frame = orders(
        bought=[date(2025, 1, 1), date(2025, 7, 1), date(2025, 7, 2)],
        paid=[Decimal("10.50"), Decimal("20"), Decimal("30.00")],
        client=pd.Categorical(["ana", "bo", "ana"]),
    )
    frame["refunded"] = pd.array([1, None, 2], dtype="Int64")
    findings, rows = loaded(frame, columns=COLUMNS | {"refunded_amount": "refunded"})
    assert findings.rows == ()
    assert [row[3:5] for row in rows] == [
        (datetime(2024, 12, 31, 23, 0), 1050),
        (datetime(2025, 6, 30, 22, 0), 2000),
        (datetime(2025, 7, 1, 22, 0), 3000),
    ]


def test_a_column_of_which_all_is_missing_is_missing_whatever_its_type():
    frame = orders(refunded_at=[float("nan")] * 3, refunded_amount=pd.Series([pd.NaT] * 3), cancelled=[None] * 3)
    assert loaded(frame) == (loaded(orders())[0], EXPECTED)


def test_a_table_without_rows_is_told():
    with pytest.raises(DataError, match="orders has no rows"):
        loaded(orders().head(0))


def test_times_in_nanoseconds_are_read(tmp_path):
    frame = orders()
    frame["bought"] = frame["bought"].dt.as_unit("ns")
    assert loaded(frame)[1] == EXPECTED
    frame["bought"] = frame["bought"].dt.tz_localize("Europe/Stockholm")
    assert loaded(frame)[1] == EXPECTED


def test_times_with_a_zone_are_instants_and_others_are_in_the_zone_that_is_named():
    aware = orders(bought=[datetime(2025, 1, 1, 12, tzinfo=UTC)] * 3)
    assert {row[3] for row in loaded(aware)[1]} == {datetime(2025, 1, 1, 12)}
    two = {code: {"currency": "SEK", "time_zone": "Europe/Stockholm"} for code in ("SE", "AX")}
    frame = orders(market=["SE", "AX", "SE"], currency="SEK")
    rows = loaded(frame, market=None, currency=None, time_zone="UTC", markets=two)[1]
    assert [row[2:4] for row in rows] == [
        ("SE", datetime(2025, 1, 1, 0, 30)),
        ("AX", datetime(2025, 7, 1, 0, 30)),
        ("SE", datetime(2025, 7, 2)),
    ]


def test_columns_of_a_mixture_are_read_as_strictly_as_text():
    frame = orders(
        client=["ana", 17850, None],
        bought=["2025-01-01 00:30", datetime(2025, 7, 1, 0, 30), date(2025, 7, 2)],
        paid=["10.50", Decimal("20"), "30,00"],
    )
    findings, rows = loaded(frame, max_refused=1)
    assert [finding.text for finding in findings.rows] == ["1 of 3 orders have no customer_id"]
    assert rows == [
        ("1", "ana", *EXPECTED[0][2:]),
        ("2", "17850", *EXPECTED[1][2:]),
    ]
    findings, _ = loaded(orders(paid=["10.50", "20", "30,00"]), max_refused=1)
    assert [finding.text for finding in findings.rows] == [
        "1 of 3 orders have an amount that is not a number as declared"
    ]
    assert loaded(orders(paid=["10,50", "20", "30,00"]), decimal=",")[1] == EXPECTED


def test_the_frame_of_the_caller_stays_and_a_later_change_of_it_changes_nothing():
    frame = orders()
    before = frame.copy(deep=True)
    source = ingest.source(frame, columns=COLUMNS, **SWEDEN)
    fingerprint = source.fingerprint()
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[0, "paid"] = 99.0
    with duckdb.connect() as connection:
        ingest.load(source, connection)
        assert connection.sql("SELECT sum(amount_minor) FROM orders").fetchall() == [(6050,)]
    assert source.fingerprint() == fingerprint
    assert ingest.source(orders(), columns=COLUMNS, **SWEDEN).fingerprint() == fingerprint
    assert ingest.source(frame, columns=COLUMNS, **SWEDEN).fingerprint() != fingerprint


def test_what_a_profile_may_say_can_be_said_in_the_call():
    source = ingest.source(
        orders(),
        columns=COLUMNS,
        where="paid > 15",
        as_of=pd.Timestamp("2026-01-01"),
        min_cell=5,
        refund_policy="processed",
        **SWEDEN,
    )
    assert (source.as_of, source.min_cell, source.refund_policy) == ("2026-01-01", 5, "processed")
    assert source.markets["SE"].name == "Sweden"
    with duckdb.connect() as connection:
        findings = ingest.load(source, connection)
    assert [finding.text for finding in findings.rows] == ["1 of 3 orders are left out by 'where'"]


def test_tables_beside_the_orders_are_said_by_their_names():
    customers = pd.DataFrame({"klant": ["ana", "bo"], "tier": ["gold", "silver"]})
    source = ingest.source(
        {"orders": orders(), "customers": customers},
        columns=COLUMNS,
        customers={"columns": {"customer_id": "klant", "loyalty_tier": "tier"}},
        **SWEDEN,
    )
    with duckdb.connect() as connection:
        ingest.load(source, connection)
        rows = connection.sql("SELECT customer_id, market, loyalty_tier FROM customers ORDER BY 1").fetchall()
    assert rows == [("ana", "SE", "gold"), ("bo", "SE", "silver")]


def test_a_file_of_orders_needs_no_profile(tmp_path):
    orders().to_csv(tmp_path / "export.csv", index=False)
    columns = COLUMNS | {"order_id": '"order no"'}
    assert loaded(str(tmp_path / "export.csv"), columns=columns)[1] == EXPECTED


def test_check_reads_tables_in_memory():
    report = ingest.check(ingest.source(orders(), columns=COLUMNS, **SWEDEN))
    assert report.text() == (
        "orders: 3 rows, 2024-12-31 23:30 UTC to 2025-07-01 22:00 UTC\n"
        "  markets   SE 3\n"
        "  currency  SEK 3\n"
        "\n"
        "data in memory can be counted."
    )


SECRET = "customer-4711"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: ingest.source([SECRET]),
            UsageError,
            "orders is no table.\n  found: a list\n  try:   a table of pandas, Polars or Arrow, a relation of DuckDB, "
            "or any other that hands over Arrow; or the name of a profile, or a path",
        ),
        (
            lambda: ingest.source({"order": orders()}, **SWEDEN),
            UsageError,
            "There is no table 'order'.\n  found: 'orders', 'customers', 'engagement', 'tickets', 'surveys', "
            "'assignments', 'subscriptions', 'exchange_rates'\n  try:   'orders'",
        ),
        (
            lambda: ingest.source("sample", files={"orders": orders(client=SECRET)}, **SWEDEN),
            UsageError,
            "files names no file of orders.\n  found: a DataFrame\n"
            "  try:   tables in memory as the data themselves: {'orders': …}",
        ),
        (
            lambda: ingest.source(orders(), customers=orders(client=SECRET), **SWEDEN),
            UsageError,
            "customers is to say how a table is read.\n  found: a DataFrame\n"
            "  try:   a table itself as part of the data: {'orders': …, 'customers': …}",
        ),
        (
            lambda: ingest.source(orders(client=SECRET)),
            ConfigError,
            "the call declares no market, and there is no project that does.\n"
            '  try:   market="SE", currency="SEK", time_zone="Europe/Stockholm", or markets={"SE": {…}, …}',
        ),
        (
            lambda: ingest.source(orders(), market="SE", currency="SEK"),
            ConfigError,
            "the call [SE] cannot be read as written.\n  found: no 'time_zone'\n  try:   add 'time_zone'",
        ),
        (
            lambda: ingest.source(orders(), min_cel=5, **SWEDEN),
            ConfigError,
            "the call cannot be read as written.\n  found: unknown key 'min_cel'\n  try:   'min_cell'",
        ),
        (
            lambda: ingest.source(pd.concat([orders(), orders()], axis=1), **SWEDEN),
            DataError,
            "orders has columns of the same name.\n  found: 'order no', 'client', 'bought', 'paid'\n"
            "  try:   give each column its own name",
        ),
        (
            lambda: loaded(orders(client=SECRET), columns={}),
            DataError,
            "orders lacks 'order_id'.\n  found: 'order no', 'client', 'bought', 'paid'\n"
            "  try:   rename 'order no' to 'order_id', or map it in the call",
        ),
        (
            lambda: loaded(orders(paid=[SECRET] * 3)),
            DataError,
            "No order is left: every row was refused or left out.\n"
            "  found: 3 of 3 orders have an amount that is not a number as declared\n"
            '  try:   declare how [orders] writes numbers, such as decimal = ",", in the call',
        ),
    ],
)
def test_errors_name_columns_and_types_and_no_value(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == text
    told: BaseException | None = raised.value
    while told is not None:
        assert SECRET not in str(told)
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def test_a_source_does_not_print_what_it_holds():
    assert SECRET not in repr(ingest.source(orders(client=SECRET), columns=COLUMNS, **SWEDEN))


def test_a_market_of_the_project_lends_what_the_call_leaves_out(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "markets.toml").write_text(
        '[SE]\nname = "Sverige"\nlanguages = ["sv-SE"]\ncurrency = "SEK"\ntime_zone = "Europe/Stockholm"\n'
    )
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(tmp_path))
    assert ingest.source(orders(), market="SE", columns=COLUMNS).markets["SE"].name == "Sverige"
    with pytest.raises(KitError, match=r"unknown key 'time_zne'"):
        ingest.source(orders(), markets={"SE": {"time_zne": "UTC"}})
