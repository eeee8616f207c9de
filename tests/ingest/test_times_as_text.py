"""A time that a text says is the same by arithmetic, which every engine has, as by DuckDB's own reading."""

from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention_kit.ingest import times
from retention_kit.ingest.embedded import Embedded

ISO = [
    *("2025-01-01", "2024-02-29", "2023-02-29", "2025-02-30", "2025-13-01", "2025-00-10", "2025-01-00", "0001-01-01"),
    *("1900-02-28", "1900-02-29", "2000-02-29", "1969-12-31 23:59:59.999999Z", "9999-12-31", "25-01-01", "2025-1-1"),
    *("2025-01-01 10:00", "2025-01-01T10:00", "2025-01-01t10:00", "2025-01-01 24:00", "2025-01-01 24:01"),
    *("2025-01-01 10:60", "2025-01-01 10:00:60", "2025-01-01T10:00:00.1234567", "2025-01-01T10:00:00,5"),
    *("2025-01-01T10:00:00+02:00", "2025-01-01T10:00:00+0200", "2025-01-01 10:00:00 +02:00", "2025-01-01 10:00 Z"),
    *("2025-01-01T10:00Z", "2025-01-01T10:00-05:30", "2025-01-01T10:00+15:00", "2025-01-01T10:00+02", "2025-01-01Z"),
    *("yesterday", "2025-01-01 10", "2025-01-01T10:00:00.1234567890", "2025-01-01  10:00", "", "-", "2025/01/01"),
]
WRITTEN = {
    "%d-%m-%Y": ["31-01-2025", "31-02-2025", "1-2-2025", "01-02-25", "1-2-02025", "01 - 02-2025", "01-02-2025 x", ""],
    "%d.%m.%y": ["01.02.68", "01.02.69", "1.2.5", "01/02/25"],
    "%Y%m%d": ["20250102", "112025", "250102", "2025-01-02"],
    "%d-%m-%Y %H:%M": ["01-02-2025 9:05", "01-02-2025 24:00", "01-02-2025 23:60", "01-02-2025"],
    "%Y-%m-%d %H:%M:%S.%f": ["2025-01-01 10:00:00.5", "2025-01-01 10:00:00.1234567", "2025-01-01 10:00:60.0"],
    "%d %b %Y": ["1 JAN 2025", "1 sept 2025", "31 dec 2025", "1 January 2025"],
    "%d %B %Y": ["1 january 2025", "1 Jan 2025", "30 FEBRUARY 2025"],
    "%Y-%j": ["2025-365", "2025-366", "2024-366", "2025-0", "2025-1"],
    "%Y-%m-%d %I:%M %p": ["2025-01-01 12:05 AM", "2025-01-01 12:05 pm", "2025-01-01 13:05 pm", "2025-01-01 0:05 am"],
    "%Y-%m-%d %H:%M:%S%z": ["2025-01-01 10:00:00+02:00", "2025-01-01 10:00:00-0230", "2025-01-01 10:00:00+02"],
    "%H:%M %m/%d/%Y": ["9:05 2/28/2025", "9:05 28/2/2025"],
}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    with duckdb.connect() as connection:
        yield connection


def read(connection: duckdb.DuckDBPyConnection, sql: str, text: str) -> int | None:
    return connection.execute(f"SELECT {sql} FROM (SELECT ? AS t)", [text]).fetchone()[0]


@pytest.mark.parametrize("text", ISO)
def test_iso_is_read_alike(connection, text):
    native = read(connection, Embedded(connection).written_us("t", ()), text)
    assert read(connection, times.iso("t"), text) == native


@pytest.mark.parametrize(("one", "text"), [(one, text) for one, texts in WRITTEN.items() for text in texts])
def test_a_date_format_is_read_alike(connection, one, text):
    native = read(connection, Embedded(connection).written_us("t", [one]), text)
    assert read(connection, times.written("t", [one]), text) == native


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)), st.integers(-14 * 60, 14 * 60))
def test_any_time_is_read_as_python_writes_it(connection, when, minutes):
    us = (when - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    for sql in (times.iso("t"), Embedded(connection).written_us("t", ())):
        assert read(connection, sql, when.isoformat()) == us
        assert read(connection, sql, f"{when.isoformat(timespec='microseconds')}{offset}") == us - minutes * 60_000_000


def test_of_several_formats_the_first_that_fits_is_taken(connection):
    formats = ["%d-%m-%Y", "%Y-%m-%d %H:%M"]
    for sql in (times.written("t", formats), Embedded(connection).written_us("t", formats)):
        assert read(connection, sql, "02-01-1970") == 86_400_000_000
        assert read(connection, sql, "1970-01-01 00:01") == 60_000_000
        assert read(connection, sql, "1970/01/01") is None
