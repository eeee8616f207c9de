"""The counting files: told at the top, without a calendar, and understood by other engines."""

import re
from importlib.resources import files
from time import perf_counter

import pandas as pd
import pytest
import sqlglot
from order_logs import Log, Order, Place, counted_in
from sqlglot import exp

from retention_kit import counts
from retention_kit.counts.files import HeaderError, header
from retention_kit.errors import KitError, UsageError

DIALECTS = ("postgres", "spark", "bigquery", "snowflake", "trino")
CALENDAR = re.compile(r"DATE|TIME|EPOCH|EXTRACT|YEAR|MONTH|WEEK|QUARTER|INTERVAL|ZONE|NOW|AGE$|DAY|HOUR", re.IGNORECASE)


def text_of(name: str) -> str:
    return (files("retention_kit.counts") / f"{name}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", counts.FILES)
class TestEveryCountingFile:
    def test_opens_with_its_definition_and_what_goes_in_and_comes_out(self, name):
        opening = [line for line in text_of(name).splitlines() if line.strip()]
        comment = opening[: next(nth for nth, line in enumerate(opening) if not line.startswith("--"))]
        assert re.match(rf"-- {name}: \S.*", comment[0])
        told = [line[: len("-- Out:")].rstrip() for line in comment]
        assert told.count("-- In:") == told.count("-- Out:") == 1
        assert told.index("-- In:") < told.index("-- Out:")
        assert all(line.removeprefix("--").strip() for line in comment)

    def test_asks_no_calendar_of_the_engine(self, name):
        query = sqlglot.parse_one(text_of(name), read="duckdb")
        called = {
            function.name if isinstance(function, exp.Anonymous) else function.sql_name()
            for function in query.find_all(exp.Func)
            if not isinstance(function, exp.Connector | exp.Case | exp.Cast)
        }
        assert [function for function in called if CALENDAR.search(function)] == []
        types = {cast.to.sql() for cast in query.find_all(exp.Cast)}
        assert types <= {"BIGINT", "INT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "INT128", "DOUBLE", "TEXT"}
        assert not list(query.find_all(exp.AtTimeZone, exp.Interval, exp.CurrentDate, exp.CurrentTimestamp))

    def test_types_no_fraction_but_the_half_that_rounds(self, name):
        # 1000000.0 is a double to one engine and a decimal of few digits to another
        query = sqlglot.parse_one(text_of(name), read="duckdb")
        typed = {number.this for number in query.find_all(exp.Literal) if number.is_number and not number.is_int}
        assert typed <= {"0.5"}

    def test_is_one_query_for_every_engine(self, name):
        for dialect in DIALECTS:
            compiled = counts.sql(name, dialect=dialect)
            assert len(sqlglot.parse(compiled, read=dialect)) == 1


@pytest.mark.parametrize("name", [*counts.COUNTS_TABLES, *counts.FURTHER_TABLES])
def test_a_table_that_leaves_the_engine_says_of_every_column_what_it_is(name):
    opening = re.match(r"(--.*\n)+", text_of(name))[0]
    query = sqlglot.parse_one(text_of(name), read="duckdb")
    assert not query.is_star
    assert [column for column in query.named_selects if not re.search(rf"\b{column}\b", opening)] == []


@pytest.mark.parametrize("name", [*counts.COUNTS_TABLES, *counts.FURTHER_TABLES, *counts.PURCHASE_TABLES])
def test_the_header_names_every_column_as_key_sum_or_flag(name):
    query = sqlglot.parse_one(text_of(name), read="duckdb")
    told = header(name)
    assert sorted(told.columns) == sorted(query.named_selects)
    assert len(set(told.columns)) == len(told.columns)
    assert set(told.flags.values()) <= {"min", "max"}
    assert "market" in told.keys


def test_a_column_that_is_neither_key_nor_sum_nor_flag_is_an_error():
    table = pd.DataFrame({"market": ["DK"], "weekday": [21]})
    with pytest.raises(HeaderError) as raised:
        header("mover_counts").refuse_others(table)
    assert str(raised.value) == (
        "The counting file 'mover_counts.sql' and its header differ.\n"
        "  found: n_customers declared, to_market declared, weekday returned\n"
        "  try:   name each column under Keys, Sums or Flags in the file's header"
    )


def test_every_file_compiles_for_every_engine_and_the_time_it_takes_is_told():
    counts.sql(counts.FILES[0], dialect="postgres")
    started = perf_counter()
    compiled = {(name, dialect): counts.sql(name, dialect=dialect) for name in counts.FILES for dialect in DIALECTS}
    print(f"{len(compiled)} compilations took {perf_counter() - started:.3f} s")
    assert len(compiled) == len(counts.FILES) * len(DIALECTS)
    assert all(text.strip() for text in compiled.values())


def test_the_embedded_engine_runs_the_files_as_they_are():
    assert counts.sql("gap_counts") == text_of("gap_counts")


def test_a_counting_file_that_is_not_there_names_the_near_miss():
    with pytest.raises(UsageError) as raised:
        counts.sql("cohort_count")
    assert raised.value.what == "There is no counting file 'cohort_count'."
    assert raised.value.to_try == "'cohort_counts'"


def test_an_engine_that_is_not_known_names_the_near_miss():
    with pytest.raises(UsageError) as raised:
        counts.sql("cohort_counts", dialect="postgress")
    assert raised.value.what == "There is no SQL dialect 'postgress'."
    assert raised.value.to_try == "'postgres'"


def test_a_counts_table_that_is_not_there_names_the_near_miss(duckdb_engine):
    log = Log(places=(Place("NL", "Europe/Amsterdam"),), orders=(Order("once", "NL", 0),), as_of="2024-07-01")
    with pytest.raises(UsageError) as raised:
        counted_in(duckdb_engine, log, ["order_count"])
    assert raised.value.what == "There is no counts table 'order_count'."
    assert raised.value.to_try == "'order_counts'"


def test_more_rows_than_fit_on_a_page_do_not_leave_the_engine(duckdb_engine):
    with pytest.raises(KitError) as raised:
        duckdb_engine.collect("SELECT UNNEST(RANGE(11)) AS day", most_rows=10)
    assert str(raised.value) == (
        "The query returns more than 10 rows.\n"
        "  try:   count in the engine first (GROUP BY), or pass a larger most_rows"
    )
    assert len(duckdb_engine.collect("SELECT UNNEST(RANGE(10)) AS day", most_rows=10)) == 10


def test_five_million_rows_are_the_most_where_nothing_is_said(duckdb_engine):
    with pytest.raises(KitError, match=r"The query returns more than 5,000,000 rows\."):
        duckdb_engine.collect("SELECT UNNEST(RANGE(5000001)) AS day")
