"""The floor: DuckDB reads the columns that any count needs, and counts nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb


def tables(known: dict[str, Any], part: Callable[[str], None]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Read the columns once; there is no table."""
    columns = ("customer_id", "market", "epoch_us(ordered_at)", "amount", "currency", "refunded_amount", "cancelled")
    largest = ", ".join(f"max({column})" for column in columns)
    duckdb.connect().execute(f"SELECT {largest} FROM read_parquet('{known['files']}')").fetchall()
    part("scan")
    yield from ()
