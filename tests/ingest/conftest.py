"""Exports as people send them: a text and how it is declared become a source."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from retention_kit import ingest

MARKETS = """
[markets.NL]
name = "Netherlands"
languages = ["nl-NL"]
currency = "EUR"
time_zone = "Europe/Amsterdam"

[markets.DK]
name = "Denmark"
aliases = ["Danmark"]
languages = ["da-DK"]
currency = "DKK"
time_zone = "Europe/Copenhagen"

[markets.RO]
name = "Romania"
aliases = ["România"]
languages = ["ro-RO"]
currency = "RON"
time_zone = "Europe/Bucharest"

[markets.NA]
name = "Namibia"
languages = ["en-NA"]
currency = "NAD"
time_zone = "Africa/Windhoek"
"""

HEADER = "order_id,customer_id,market,ordered_at,amount,currency"


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., ingest.Source]:
    """Return a function that writes tables as files, and a profile beside them, and returns the source."""

    def written(
        orders: str | bytes, *, profile: str = "", encoding: str = "utf-8", max_refused: float | None = None,
        unknown_markets: str = "fail", **tables: str,
    ) -> ingest.Source:  # fmt: skip
        files = {}
        for table, text in {"orders": orders, **tables}.items():
            path = tmp_path / f"{table}.csv"
            path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
            files[table] = str(path)
        (tmp_path / "shop.toml").write_text(profile + MARKETS, encoding="utf-8")
        return ingest.source(
            str(tmp_path / "shop.toml"), files=files, max_refused=max_refused, unknown_markets=unknown_markets
        )

    return written


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Return an engine of its own."""
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def orders_of() -> Callable[..., str]:
    """Return a function that makes a CSV of orders with the kit's own names."""
    return lambda *rows: "\n".join([HEADER, *rows, ""])


@pytest.fixture
def typed(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> Callable[..., ingest.Source]:
    """Return a function that writes one order as Parquet, columns changed by SQL, and returns the source."""

    def written(**changed: str) -> ingest.Source:
        row = {
            "order_id": "'1'",
            "customer_id": "'c'",
            "market": "'NL'",
            "ordered_at": "TIMESTAMP '2025-01-01 10:00:00'",
            "amount": "12.50",
            "currency": "'EUR'",
        } | changed
        columns = ", ".join(f"{sql} AS {name}" for name, sql in row.items())
        connection.execute(f"COPY (SELECT {columns}) TO '{tmp_path / 'orders.parquet'}' (FORMAT parquet)")
        return ingest.source(str(tmp_path))

    return written
