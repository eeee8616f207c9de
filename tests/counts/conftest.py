"""Shared by the tests of counts: an engine that serves many logs, and random logs that are counted once."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from oracle import COLUMNS
from order_logs import Log, counted_in, logs_every_day, random_logs

from retention_kit.counts import DuckDB


@pytest.fixture(scope="session")
def duckdb_engine() -> Iterator[DuckDB]:
    """Return an engine for small logs, one thread wide."""
    with DuckDB() as engine:
        engine.run("SET threads TO 1")
        yield engine


@pytest.fixture(scope="session")
def counted_logs(duckdb_engine) -> list[tuple[Log, dict]]:
    """Return random logs with their counts tables."""
    drawn: list[Log] = []

    @logs_every_day(10)
    @given(random_logs())
    def draw(log: Log) -> None:
        drawn.append(log)

    draw()
    return [(log, counted_in(duckdb_engine, log, list(COLUMNS))) for log in drawn]
