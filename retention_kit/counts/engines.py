"""An engine holds the orders and counts them; the counting files are its language, in DuckDB's dialect.

Each engine is the few lines by which it differs: how a table is made, how small tables go in, and how counts come out.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import duckdb
import pandas as pd
import psutil
import pyarrow as pa
import sqlglot

from retention_kit.errors import KitError

MOST_ROWS = 1_000_000
MEMORY_SHARE = 0.6
"""Share of the machine's memory that the embedded engine may take before it spills to disk."""


class Engine(ABC):
    """Where the tables are and the counting happens.

    Queries are in DuckDB's dialect and are compiled for the engine; `collect` is the only door to pandas.
    """

    dialect: str

    @abstractmethod
    def run(self, statement: str) -> None:
        """Run a statement of the engine's own dialect."""

    @abstractmethod
    def load(self, name: str, table: pa.Table) -> None:
        """Create a small table from rows."""

    @abstractmethod
    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query of the engine's own dialect."""

    def create(self, name: str, query: str) -> None:
        """Create a table from a query, in place of one of that name."""
        self.drop(name)
        self.run(f"CREATE TABLE {name} AS {compiled(query, self.dialect)}")

    def drop(self, name: str) -> None:
        """Forget a table, where there is one."""
        self.run(f"DROP TABLE IF EXISTS {name}")

    def load_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Create a small table from rows as dictionaries."""
        self.load(name, pa.Table.from_pylist(list(rows)))

    def collect(self, query: str, *, most_rows: int = MOST_ROWS) -> pd.DataFrame:
        """Return the rows of a query, every number as int64.

        Raises
        ------
        KitError : the query returns more than `most_rows` rows.
        """
        table = self.fetched(f"{compiled(query, self.dialect)} LIMIT {most_rows + 1}")
        if len(table) > most_rows:
            raise KitError(
                f"The query returns more than {most_rows:,} rows.",
                to_try="count in the engine first (GROUP BY), or pass a larger most_rows",
            )
        numbers = [column for column in table if not pd.api.types.is_string_dtype(table[column])]
        return table.astype(dict.fromkeys(numbers, "int64"))

    def values(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small query as tuples."""
        return list(self.fetched(compiled(query, self.dialect)).itertuples(index=False, name=None))

    def close(self) -> None:
        """Let the engine go."""

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@cache
def compiled(query: str, dialect: str) -> str:
    """Return a query of DuckDB's dialect as the engine speaks it."""
    if dialect == "duckdb":
        return query.rstrip().removesuffix(";")
    return sqlglot.transpile(query, read="duckdb", write=dialect)[0]


class DuckDB(Engine):
    """The embedded engine, in memory; it spills to disk past its limit instead of dying.

    Parameters
    ----------
    memory_limit : as DuckDB writes it, such as '4GB'; a share of the machine's memory where not given.
    """

    dialect = "duckdb"

    def __init__(self, *, memory_limit: str | None = None) -> None:
        limit = memory_limit or f"{int(psutil.virtual_memory().total * MEMORY_SHARE / 2**20)}MiB"
        config = {"preserve_insertion_order": "false", "memory_limit": limit}
        self.connection = duckdb.connect(config=config)

    def run(self, statement: str) -> None:
        """Run a statement."""
        self.connection.execute(statement).fetchall()

    def load(self, name: str, table: pa.Table) -> None:
        """Create a table from Arrow."""
        self.connection.register("given_rows", table)
        self.run(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM given_rows")
        self.connection.unregister("given_rows")

    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query; a sum of BIGINT is wider than 64 bits here, and comes out as float."""
        return self.connection.sql(query).to_arrow_table().to_pandas()

    def close(self) -> None:
        """Close the connection, and drop what it held."""
        self.connection.close()
