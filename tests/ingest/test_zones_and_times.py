from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from retention_kit import ingest
from retention_kit.ingest.zones import DAY_US, utc_offsets

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HARD_ZONES = [
    "Europe/Amsterdam",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Asia/Kathmandu",
    "Africa/Casablanca",  # leaves summer time for Ramadan
    "Pacific/Apia",  # skipped 2011-12-30
    "Asia/Tokyo",
]


def us_of(when: datetime) -> int:
    return (when - EPOCH) // timedelta(microseconds=1)


THREE_YEARS = us_of(datetime(2010, 6, 1, tzinfo=UTC)), us_of(datetime(2013, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", [ZoneInfo(name) for name in HARD_ZONES], ids=HARD_ZONES)
def test_offsets_are_those_of_zoneinfo_at_every_hour(zone):
    start, end = THREE_YEARS
    stretches = utc_offsets(zone, start, end)
    assert (stretches[0][0], stretches[-1][1]) == (start, end)
    assert [end for _, end, _ in stretches[:-1]] == [start for start, _, _ in stretches[1:]]
    for from_us, to_us, offset in stretches:
        for us in {from_us, to_us - 1, *range(from_us, to_us, 3_600_000_000 * 25)}:
            local = (EPOCH + timedelta(microseconds=us)).astimezone(zone)
            assert local.utcoffset() == timedelta(microseconds=offset)


def test_two_changes_within_a_day_are_both_found():
    start = us_of(datetime(2024, 1, 1, tzinfo=UTC))
    assert len(utc_offsets(ZoneInfo("Europe/Amsterdam"), start, start + 366 * DAY_US)) == 3


@pytest.mark.parametrize("name", HARD_ZONES)
def test_naive_times_become_utc_as_zoneinfo_does_with_the_first_of_two(export, connection, name):
    zone = ZoneInfo(name)
    times = [
        (EPOCH + timedelta(microseconds=from_us)).astimezone(zone).replace(tzinfo=None) + timedelta(minutes=minutes)
        for from_us, _, _ in utc_offsets(zone, *THREE_YEARS)
        for minutes in range(-150, 151, 15)
    ]
    rows = [f"{n},c,NL,{time:%Y-%m-%dT%H:%M:%S},1,EUR" for n, time in enumerate(times)]
    header = "order_id,customer_id,market,ordered_at,amount,currency"
    ingest.load(export("\n".join([header, *rows]), profile=f'[orders]\ntime_zone = "{name}"\n'), connection)
    read = connection.sql("SELECT order_id, ordered_us FROM orders").fetchall()
    assert {int(n): us for n, us in read} == {n: us_of(time.replace(tzinfo=zone)) for n, time in enumerate(times)}


def test_each_market_has_its_own_clock_and_an_offset_is_obeyed(export, orders_of, connection):
    text = orders_of(
        "1,c,NL,2025-07-01 00:30,1,EUR",
        "2,c,RO,2025-07-01 00:30,1,RON",
        "3,c,RO,2025-07-01T00:30:00Z,1,RON",
        "4,c,RO,2025-07-01T00:30:00.250-05:30,1,RON",
        "5,c,RO,2025-07-01,1,RON",
    )
    ingest.load(export(text, profile='[orders]\ntime_zone = "market"\n'), connection)
    read = connection.sql("SELECT ordered_us FROM orders ORDER BY order_id").fetchall()
    assert [EPOCH + timedelta(microseconds=us) for (us,) in read] == [
        datetime(2025, 6, 30, 22, 30, tzinfo=UTC),
        datetime(2025, 6, 30, 21, 30, tzinfo=UTC),
        datetime(2025, 7, 1, 0, 30, tzinfo=UTC),
        datetime(2025, 7, 1, 6, 0, 0, 250_000, tzinfo=UTC),
        datetime(2025, 6, 30, 21, 0, tzinfo=UTC),
    ]


def test_the_engine_s_own_time_zone_changes_nothing(export, orders_of, connection):
    connection.execute("SET TimeZone = 'America/New_York'")
    source = export(orders_of("1,c,NL,2025-07-01 00:30,1,EUR"), profile='[orders]\ntime_zone = "market"\n')
    ingest.load(source, connection)
    assert connection.sql("SELECT ordered_us FROM orders").fetchall() == [
        (us_of(datetime(2025, 6, 30, 22, 30, tzinfo=UTC)),)
    ]


def test_a_date_without_a_clock_is_a_day_of_its_market_even_where_times_are_utc(export, orders_of, connection):
    source = export(orders_of("1,c,RO,2025-07-01,1,RON"), profile='[orders]\ntime_zone = "UTC"\n')
    ingest.load(source, connection)
    assert connection.sql("SELECT ordered_us FROM orders").fetchall() == [
        (us_of(datetime(2025, 6, 30, 21, tzinfo=UTC)),)
    ]


def test_a_ticket_s_clock_is_that_of_its_customer_s_market(export, orders_of, connection):
    source = export(
        orders_of("1,c,RO,2025-07-01,1,RON"),
        profile='[tickets]\ntime_zone = "market"\n',
        tickets="customer_id,opened_at\nc,2025-07-01 00:30\n",
    )
    ingest.load(source, connection)
    assert connection.sql("SELECT opened_us FROM tickets").fetchall() == [
        (us_of(datetime(2025, 6, 30, 21, 30, tzinfo=UTC)),)
    ]
