"""Tables laid into an engine as a company would have them there, and the profile that reads them."""

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from retention_kit import ingest
from retention_kit.ingest.expressions import quoted

_POSTGRES_TYPES = {
    "VARCHAR": "text",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "DOUBLE": "double precision",
    "TINYINT": "smallint",
}


@dataclass(frozen=True)
class Shelf:
    """Where tables are laid: an engine, by kind and URL, and a folder for files on the way."""

    kind: str
    url: str
    folder: Path

    def lay(self, name: str, query: str) -> str:
        """Lay the rows of a query of DuckDB's into the engine; return the name of the table there."""
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            if self.kind == "postgresql":
                return self._lay_in_postgres(name, query, connection)
            if self.kind == "duckdb":
                return self._lay_in_a_file(name, query, connection)
            path = self.folder / f"{name}.parquet"
            connection.execute(f"COPY ({query}) TO '{path}'")
            return f"parquet.`{path}`"

    def _lay_in_postgres(self, name: str, query: str, connection: duckdb.DuckDBPyConnection) -> str:
        import psycopg

        path = self.folder / f"{name}.csv"
        connection.execute(f"COPY ({query}) TO '{path}' (HEADER false)")
        columns = ", ".join(
            f"{column if column.isidentifier() else quoted(column)} {_POSTGRES_TYPES.get(type_, type_)}"
            for column, type_, *_ in connection.execute(f"DESCRIBE {query}").fetchall()
        )
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute("CREATE SCHEMA IF NOT EXISTS company")
            server.execute(f"DROP TABLE IF EXISTS company.{name}")
            server.execute(f"CREATE TABLE company.{name} ({columns})")
            with server.cursor().copy(f"COPY company.{name} FROM STDIN (FORMAT CSV)") as copy:
                copy.write(path.read_bytes())
        return f"company.{name}"

    def _lay_in_a_file(self, name: str, query: str, connection: duckdb.DuckDBPyConnection) -> str:
        connection.execute(f"ATTACH '{self.url.removeprefix('duckdb://')}' AS company")
        connection.execute(f"CREATE OR REPLACE TABLE company.{name} AS {query}")
        return name

    def source(self, profile: str, tables: dict[str, str], **asked) -> ingest.Source:
        """Return the source of a profile whose files are replaced by tables of the engine."""
        text = re.sub(r"(?m)^file = .*\n", "", profile)
        for table, name in tables.items():
            text = re.sub(rf"(?m)^\[{table}\]\n", lambda _, t=table, n=name: f'[{t}]\ntable = "{n}"\n', text)
        path = self.folder / "company.toml"
        path.write_text(f'engine = "{self.url}"\n{text}', encoding="utf-8")
        return ingest.source(str(path), **asked)
