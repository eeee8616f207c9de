"""Does the engine agree with slow, obvious Python? Exactly, in every row of every table."""

from dataclasses import replace
from datetime import timedelta

import company
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from oracle import COLUMNS, comparable, expected, rows_of
from order_logs import EPOCH, Log, Order, Place, counted_in, instant, logs_every_day, random_logs

from retention_kit import counts, ingest

AMSTERDAM = Place("AA", "Europe/Amsterdam", 30)
SAO_PAULO = Place("BB", "America/Sao_Paulo", 200)
APIA = Place("CC", "Pacific/Apia", 1)

LONG_THEN_SHORT = Log(
    places=(AMSTERDAM, SAO_PAULO),
    orders=(Order("mover", "BB", instant("2024-01-10T12:00")), Order("mover", "AA", instant("2024-02-10T12:00"))),
    as_of="2024-07-01",
)
"""An order of 10 January keeps him for 200 days, and the one of 10 February in another market for 30."""

REFUNDED_ELSEWHERE = Log(
    places=(AMSTERDAM, SAO_PAULO),
    orders=(
        Order("mover", "AA", instant("2024-01-10T12:00")),
        Order("mover", "BB", instant("2024-01-11T12:00"), refunded=100, refunded_at=instant("2024-03-05T12:00")),
        Order("always", "BB", instant("2024-02-11T12:00")),
    ),
    as_of="2024-07-01",
    refund_policy="processed",
)
"""His only order in a second market came back: no order, but money, before the first kept order of that market."""

REFUNDED_IN_A_LONG_WINDOW = Log(
    places=(AMSTERDAM, SAO_PAULO),
    orders=(
        Order("mover", "BB", instant("2024-01-10T12:00"), refunded=100),
        Order("mover", "AA", instant("2024-01-11T12:00")),
    ),
    as_of="2024-07-01",
    refund_policy="processed",
)
"""What came back keeps nobody: he is a customer for the 30 days of his one order, not for 200."""

AHEAD_OF_AS_OF = Log(
    places=(SAO_PAULO, APIA),
    orders=(Order("mover", "BB", instant("2024-01-10T12:00")), Order("mover", "CC", instant("2024-02-10T11:30"))),
    as_of="2024-02-10T12:00+00:00",
    grains=("day",),
)
"""At `as_of` it is the 10th in Sao Paulo; in Apia, where he has just ordered, it is the 11th."""

ONE_OF_EACH_COHORT = Log(
    places=(AMSTERDAM, SAO_PAULO),
    orders=(Order("mover", "BB", instant("2024-01-10T12:00")), Order("mover", "AA", instant("2024-03-10T12:00"))),
    as_of="2024-07-01",
)
"""The cohort of March in his second market has nobody who is of that cohort in the group."""


def assert_agreed(engine, log: Log) -> None:
    counted = rows_of(counted_in(engine, log, list(COLUMNS)))
    assert comparable(counted, log) == comparable(expected(log), log)


@logs_every_day(10)
@example(LONG_THEN_SHORT)
@example(REFUNDED_ELSEWHERE)
@example(REFUNDED_IN_A_LONG_WINDOW)
@example(AHEAD_OF_AS_OF)
@example(ONE_OF_EACH_COHORT)
@given(random_logs())
def test_the_engine_agrees_with_the_oracle_on_random_logs(duckdb_engine, log):
    assert_agreed(duckdb_engine, log)


@pytest.mark.slow
@logs_every_day(60)
@given(random_logs())
def test_the_engine_agrees_with_the_oracle_on_more_random_logs(duckdb_engine, log):
    assert_agreed(duckdb_engine, log)


@pytest.mark.xdist_group("counted_logs")
@pytest.mark.parametrize("policy", ["order", "processed"])
def test_orders_of_files_are_counted_as_typed_orders_are(tmp_path, counted_logs, policy):
    longest = max((log for log, _ in counted_logs), key=lambda log: len(log.orders))
    log = replace(longest, refund_policy=policy, contracts=())
    tables = counts.count(_written(log, tmp_path), as_of=log.as_of, grains=log.grains, tables=list(COLUMNS)).tables
    assert comparable(rows_of(tables), log) == comparable(expected(log), log)


def _written(log: Log, folder) -> ingest.Source:
    """Return the source of a log written as a file of Parquet, with a profile."""
    times = {"ordered_at": [order.at for order in log.orders], "refunded_at": [o.refunded_at for o in log.orders]}
    columns = {
        "order_id": [f"o{nth}" for nth, _ in enumerate(log.orders)],
        "customer_id": [order.customer for order in log.orders],
        "market": [order.market for order in log.orders],
        "amount": [f"{order.amount / 100:.2f}" for order in log.orders],
        "currency": ["EUR" for _ in log.orders],
        "refunded_amount": [f"{order.refunded / 100:.2f}" for order in log.orders],
        "cancelled": [order.cancelled for order in log.orders],
    } | {
        name: [None if us is None else EPOCH + timedelta(microseconds=us) for us in instants]
        for name, instants in times.items()
    }
    pq.write_table(pa.table(columns), folder / "orders.parquet")
    profile = [
        f'refund_policy = "{log.refund_policy}"',
        f'free_orders = "{log.free_orders}"',
        f"complete_history = {str(log.complete_history).lower()}",
        'orders = { file = "orders.parquet" }',
    ]
    for place in log.places:
        profile += [f"[markets.{place.code}]", f'name = "{place.code}"', 'languages = ["en"]', 'currency = "EUR"']
        profile += [f'time_zone = "{place.zone}"', f"activity_window_days = {place.window}"]
    (folder / "log.toml").write_text("\n".join(profile), encoding="utf-8")
    return ingest.source(str(folder / "log.toml"))


def test_the_group_of_two_currencies_has_customers_and_no_money(tmp_path):
    rows = company.orders({"once": (1, ["2024-02-01"])}, market="DK")
    rows += company.orders({"always": (1, ["2024-02-01", "2024-03-01"])}, market="JP")
    source = ingest.source(str(company.write(tmp_path / "two", rows)))
    group = counts.count(source, as_of="2024-07-01", grains=["month"]).of("ALL")
    months = group.order_counts.query("grain == 'month'")
    assert months["n_orders"].tolist() == [2, 1, 0, 0, 0]  # February to June
    assert not [column for table in group.tables.values() for column in table if column.endswith("_minor")]
