"""DuckDB inside this process: where files and tables in memory are loaded, and what other engines are measured by."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb

from retention_kit.ingest import times
from retention_kit.ingest.expressions import literal

if TYPE_CHECKING:
    import pyarrow as pa


class Embedded:
    """What loading asks of an engine, by a connection of DuckDB's; `counts.Engine` is the same for others."""

    refusals: ClassVar = (duckdb.Error,)
    misfits: ClassVar = (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException)
    text: ClassVar = "CAST({} AS VARCHAR)"
    micros: ClassVar = {
        "instant": "EPOCH_US(CAST({} AS TIMESTAMPTZ))",
        "clock": "EPOCH_US(CAST({} AS TIMESTAMP))",
        "day": "CAST(DATE_DIFF('day', DATE '1970-01-01', {}) AS BIGINT) * 86400000000",
    }

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def compiled(self, query: str) -> str:
        """Return a query as DuckDB speaks it: as it is."""
        return query.rstrip().removesuffix(";")

    def run(self, statement: str) -> None:
        """Run a statement."""
        self.connection.execute(statement).fetchall()

    def create(self, name: str, query: str) -> None:
        """Create a table from a query, in place of one of that name."""
        self.drop(name)
        self.run(f"CREATE TABLE {name} AS {self.compiled(query)}")

    def drop(self, name: str) -> None:
        """Forget a table in memory, where there is one."""
        self.run(f"DROP TABLE IF EXISTS memory.main.{name}")

    def load(self, name: str, table: "pa.Table") -> None:
        """Create a table from Arrow."""
        self.connection.register("given_rows", table)
        self.run(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM given_rows")
        self.connection.unregister("given_rows")

    def load_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Create a small table from rows of texts and whole numbers; Arrow would first import pandas for them."""
        values = ", ".join(
            f"({', '.join(literal(v) if isinstance(v, str) else f'{v}::BIGINT' for v in row.values())})" for row in rows
        )
        self.create(name, f"SELECT * FROM (VALUES {values}) AS given ({', '.join(rows[0])})")

    def view(self, name: str, query: str) -> None:
        """Name a query, which is not run yet."""
        self.run(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")

    def kinds(self, query: str) -> dict[str, str]:
        """Return what each column of a query holds, before any row is read."""
        described = self.connection.execute(f"DESCRIBE {query}").fetchall()
        return {name: _kind(type_.strip('"')) for name, type_, *_ in described}

    def values(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small query as tuples."""
        return self.connection.execute(self.compiled(query)).fetchall()

    def keep(self, name: str, judged: str, columns: Sequence[str]) -> None:
        """Make a table of the rows of another that have no `reason`, and of some of its columns, in its place."""
        self.run(f"DELETE FROM {judged} WHERE reason IS NOT NULL")
        for column in self.kinds(f"FROM {judged}"):
            if column not in columns:
                self.run(f"ALTER TABLE {judged} DROP COLUMN {column}")
        self.drop(name)
        self.run(f"ALTER TABLE {judged} RENAME TO {name}")

    def in_order(self, query: str) -> Any:
        """Return the only value of a query, which reads the rows as they are written."""
        (before,) = self.values("SELECT current_setting('preserve_insertion_order')")[0]
        self.run("SET preserve_insertion_order = true")
        value = self.values(query)[0][0]
        self.run(f"SET preserve_insertion_order = {str(before).lower()}")
        return value

    def key(self, columns: Sequence[str]) -> str:
        """Return SQL of what is alike where some columns are: integers are grouped several times faster than texts."""
        return f"HASH({', '.join(columns)})"

    def attempt(self) -> AbstractContextManager[Any]:
        """Leave nothing of what fails within."""
        return nullcontext()

    def at_one_instant(self) -> AbstractContextManager[Any]:
        """Read all tables as they were at one instant."""
        return nullcontext()

    def trimmed(self, text: str) -> str:
        """Return SQL of a text without blanks at its ends, NULL where nothing is left.

        Most texts are ASCII without a blank: to see that takes a third of what trimming takes.
        """
        plain = f"{text} <> '' AND STRLEN({text}) = LENGTH({text}) AND NOT CONTAINS({text}, ' ')"
        return f"CASE WHEN {plain} THEN {text} ELSE NULLIF(TRIM({text}), '') END"

    def written_us(self, text: str, formats: Sequence[str]) -> str:
        """Return SQL of a text in date formats as microseconds, as `times.written` and `times.iso` do, but faster."""
        if formats:
            several = ", ".join(map(literal, formats))
            return f"EPOCH_US(TRY_STRPTIME({text}, {several if len(formats) == 1 else f'[{several}]'}))"
        plain = f"REPLACE({text}, ',', '.')"
        close = f"REPLACE(REPLACE(REPLACE({plain}, ' Z', 'Z'), ' +', '+'), ' -', '-')"
        absolute = f"COALESCE(TRY_CAST({plain} AS TIMESTAMPTZ), TRY_CAST({close} AS TIMESTAMPTZ))"
        local = f"EPOCH_US(TRY_CAST({plain} AS TIMESTAMP))"
        us = f"CASE WHEN {times.is_absolute(text)} THEN EPOCH_US({absolute}) ELSE {local} END"
        return f"CASE WHEN {times.is_iso(text)} THEN {us} END"


_KINDS = {
    "BOOLEAN": "flag",
    "FLOAT": "float",
    "DOUBLE": "float",
    "VARCHAR": "text",
    "UUID": "text",
    "NULL": "text",
    "DATE": "day",
    "TIMESTAMP": "clock",
    "TIMESTAMP_S": "clock",
    "TIMESTAMP_MS": "clock",
    "TIMESTAMP_NS": "clock",
    "TIMESTAMP WITH TIME ZONE": "instant",
    "TIMESTAMPTZ_NS": "instant",
}


def _kind(type_: str) -> str:
    if re.fullmatch(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", type_):
        return "integer"
    digits = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_)
    if digits:
        return "short" if int(digits[1]) <= 12 and int(digits[2]) <= 6 else "decimal"
    return "text" if type_.startswith("ENUM(") else _KINDS.get(type_, type_)
