"""An engine holds the orders and counts them; the counting files are its language, in DuckDB's dialect.

Each engine is the few lines by which it differs: how a table is made, how small tables go in, and how counts come out.
"""

import importlib
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, ClassVar
from uuid import uuid4

import duckdb
import pandas as pd
import psutil
import pyarrow as pa

from retention_kit.counts.files import transpiled
from retention_kit.errors import KitError, UsageError, listed, near_miss, shown
from retention_kit.ingest import times
from retention_kit.ingest.embedded import Embedded
from retention_kit.ingest.expressions import literal

KINDS = ("flag", "integer", "short", "decimal", "float", "text", "day", "clock", "instant")
"""What a column can hold: a `short` decimal has up to 12 digits, a `clock` is a time without a zone, an `instant` one
with it."""

_BLANKS = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

MOST_ROWS = 5_000_000
MEMORY_SHARE = 0.6
"""Share of the machine's memory that the embedded engine may take before it spills to disk."""
MEMORY_VARIABLE = "RETENTION_KIT_MEMORY"
"""The environment variable that says how much memory the embedded engine may take, such as 4GB."""
LEDGER_ROW_BYTES = 350
"""What a row of the ledger takes while it is counted, with all that is derived from it (measured: 300 to 340)."""


class Engine(ABC):
    """Where the tables are and the counting happens.

    Queries are in DuckDB's dialect and are compiled for the engine; `collect` is the only door to pandas.
    """

    dialect: str
    shown: str
    """Its URL as it may be told, without secrets."""
    refusals: tuple[type[Exception], ...]
    """What its driver raises where the engine refuses a query."""
    misfits: tuple[type[Exception], ...]
    """What its driver raises where a value cannot be what an expression makes of it."""
    text: ClassVar[str] = "CAST({} AS VARCHAR)"
    """How a column becomes text, compared by its bytes."""
    micros: Mapping[str, str]
    """How a column of each kind of time becomes microseconds since 1970-01-01, of UTC or of its own clock."""

    @abstractmethod
    def run(self, statement: str) -> None:
        """Run a statement of the engine's own dialect."""

    @abstractmethod
    def load(self, name: str, table: pa.Table) -> None:
        """Create a small table from rows."""

    @abstractmethod
    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query of the engine's own dialect."""

    @abstractmethod
    def create(self, name: str, query: str) -> None:
        """Create a table from a query, in place of one of that name."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Forget a table of ours, where there is one."""

    def rename(self, name: str, new: str) -> None:
        """Give a table of ours, made by `create`, another name, in place of one that has it."""
        self.drop(new)
        self.run(f"ALTER TABLE {name} RENAME TO {new}")

    def n_parts(self, ledger: str) -> int:
        """Return into how many parts the customers of a ledger are cut so that a part can be counted in memory."""
        del ledger
        return 1

    @abstractmethod
    def complete(self, name: str, columns: Mapping[str, str]) -> None:
        """Create a table and its columns, by DuckDB's types, where they are not, empty."""

    @abstractmethod
    def view(self, name: str, query: str) -> None:
        """Name a query of the engine's own dialect, which is not run yet, in place of one of that name."""

    @abstractmethod
    def kinds(self, query: str) -> dict[str, str]:
        """Return what each column of a query of the engine's own dialect holds: one of `KINDS`, or its type's name."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the tables that may be read."""

    @abstractmethod
    def state(self, table: str) -> str:
        """Return a text that changes when the rows of a table do."""

    def raw(self, table: str) -> str:
        """Return how a table of the database is written in a query, so that none of ours is meant."""
        return table

    def at_one_instant(self) -> AbstractContextManager[None]:
        """Read all tables as they were at one instant, where the engine can."""
        return nullcontext()

    def compiled(self, query: str) -> str:
        """Return a query of DuckDB's dialect as the engine speaks it."""
        return compiled(query, self.dialect)

    def enumerate(self, column: str, texts: Sequence[str], *, tables: Sequence[str]) -> None:
        """Say that a column of some tables holds these texts only: an engine may number them, in their order."""
        del column, texts, tables

    def keep(self, name: str, judged: str, columns: Sequence[str]) -> None:
        """Make a table of the rows of another that have no `reason`, and of some of its columns, in its place."""
        self.create(name, f"SELECT {', '.join(columns)} FROM {judged} WHERE reason IS NULL")
        self.drop(judged)

    def attempt(self) -> AbstractContextManager[Any]:
        """Leave nothing of what fails within."""
        return nullcontext()

    def trimmed(self, text: str) -> str:
        """Return SQL of a text without blanks at its ends, NULL where nothing is left."""
        return f"NULLIF(TRIM({text}, '{_BLANKS}'), '')"

    def written_us(self, text: str, formats: Sequence[str]) -> str:
        """Return SQL of a text in date formats, ISO 8601 where there are none, as microseconds since 1970-01-01."""
        return times.written(text, formats) if formats else times.iso(text)

    def key(self, columns: Sequence[str]) -> str:
        """Return SQL of what is alike where some columns are, of which only the last may hold a blank."""
        return " || ' ' || ".join(self.text.format(column) for column in columns)

    def key_customers(self) -> str:
        """Create `customer_keys`, customer and customer_id; return SQL of a customer's key, over the orders `o`."""
        self.create("customer_keys", "SELECT DISTINCT customer_id AS customer, customer_id FROM orders")
        return "o.customer_id"

    def load_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Create a small table from rows as dictionaries."""
        self.load(name, pa.Table.from_pylist(list(rows)))

    def collect(self, query: str, *, most_rows: int = MOST_ROWS) -> pd.DataFrame:
        """Return the rows of a query, every number as int64.

        Raises
        ------
        KitError : the query returns more than `most_rows` rows.
        """
        table = self.fetched(f"{self.compiled(query)} LIMIT {most_rows + 1}")
        if len(table) > most_rows:
            raise KitError(
                f"The query returns more than {most_rows:,} rows.",
                to_try="count in the engine first (GROUP BY), or pass a larger most_rows",
            )
        # of a column of objects without a row, pandas would say that all of it is text
        numbers = [column for column in table if not isinstance(table[column].dtype, pd.StringDtype)]
        return table.astype(dict.fromkeys(numbers, "int64"))

    def values(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a small query as tuples."""
        return list(self.fetched(self.compiled(query)).itertuples(index=False, name=None))

    @abstractmethod
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
    return transpiled(query, dialect, comments=False)


class DuckDB(Embedded, Engine):
    """The embedded engine, in memory; it spills to disk past its limit instead of dying.

    Parameters
    ----------
    url : `duckdb://`, or `duckdb:///path/of/a.duckdb`, a file whose tables are read and which stays as it is.
    memory_limit : such as '4GB' or '700 MiB'; where not given, what the environment's `RETENTION_KIT_MEMORY` says, else
        60 % of the machine's memory.

    Raises
    ------
    UsageError : there is no such file, or it is none of DuckDB's; a memory limit that is none.
    """

    dialect = "duckdb"
    load_rows = Engine.load_rows  # many more than loading has, and of any type

    def __init__(self, url: str = "duckdb://", *, memory_limit: str | None = None) -> None:
        self.shown = shown_url(url)
        self.memory_bytes = memory_bytes(memory_limit or os.environ.get(MEMORY_VARIABLE))
        # the folder is made when the first table does not fit, and goes with the connection
        spilled = os.path.join(tempfile.gettempdir(), f"retention-kit-{uuid4().hex}")
        config = {
            "preserve_insertion_order": "false",
            "memory_limit": f"{self.memory_bytes // 2**20}MiB",
            "temp_directory": spilled,
        }
        self.connection = duckdb.connect(config=config)
        self._n_enumerated = 0
        path = url.removeprefix("duckdb:").removeprefix("//")
        if path:
            self._attach(path, url)

    def _attach(self, path: str, url: str) -> None:
        try:
            self.run(f"ATTACH {literal(path)} AS given (READ_ONLY)")
        except duckdb.Error as why:
            raise unreachable(url, str(why)) from None
        self.run("SET search_path = 'memory.main,given.main'")

    def n_parts(self, ledger: str) -> int:
        """Return into how many parts the customers of a ledger are cut: a part leaves room for the rest of it."""
        n_rows = self.values(f"SELECT COUNT(*) AS n FROM {ledger}")[0][0]
        return max(1, -(-n_rows * LEDGER_ROW_BYTES // self.memory_bytes))

    def complete(self, name: str, columns: Mapping[str, str]) -> None:
        """Create a table and its columns where they are not, empty."""
        typed = [f"{column} {type_}" for column, type_ in columns.items()]
        self.run(f"CREATE TABLE IF NOT EXISTS memory.main.{name} ({', '.join(typed)})")
        for column in typed:
            self.run(f"ALTER TABLE memory.main.{name} ADD COLUMN IF NOT EXISTS {column}")

    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query; a sum of BIGINT, which is wider than 64 bits here, as int64."""
        table = self.connection.sql(query).to_arrow_table()
        return table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema])).to_pandas()

    def enumerate(self, column: str, texts: Sequence[str], *, tables: Sequence[str]) -> None:
        """Number the texts of a column: they are compared, grouped and sorted as small integers."""
        self._n_enumerated += 1
        type_ = f"{column}_{self._n_enumerated}"
        self.run(f"CREATE TYPE memory.main.{type_} AS ENUM ({', '.join(literal(text) for text in texts)})")
        for table in tables:
            self.run(f"ALTER TABLE memory.main.{table} ALTER {column} TYPE {type_}")

    def key_customers(self, *, salt: str = "") -> str:
        """Create `customer_keys`; a key is a hash, integers being grouped and sorted several times faster than texts.

        Whether each hash is of one customer only is looked up; if not, the hash of a longer text is taken.
        """
        text = f"o.customer_id || {literal(salt)}" if salt else "o.customer_id"
        key = f"CAST(HASH({text}) >> 1 AS BIGINT)"
        self.create("customer_keys", f"SELECT DISTINCT {key} AS customer, o.customer_id FROM orders AS o")
        n, n_keys = self.values("SELECT COUNT(*) AS n, COUNT(DISTINCT customer) AS n_keys FROM customer_keys")[0]
        return key if n == n_keys else self.key_customers(salt=f"{salt}+")

    def raw(self, table: str) -> str:
        """Return how a table of the file is written."""
        return f"given.{table}" if "." in table else f"given.main.{table}"

    def names(self) -> list[str]:
        """Return the tables and views that may be read, those outside the schema `main` with their schema."""
        query = """
            SELECT CASE WHEN table_schema = 'main' THEN '' ELSE table_schema || '.' END || table_name
            FROM information_schema.tables WHERE table_catalog = 'given' ORDER BY 1
        """
        return [name for (name,) in self.connection.execute(query).fetchall()]

    def state(self, table: str) -> str:
        """Return what changes when a table does: how many rows there are, and the sum of their hashes."""
        return str(self.connection.execute(f"SELECT COUNT(*), SUM(HASH(t)) FROM {table} AS t").fetchall())

    def close(self) -> None:
        """Close the connection, and drop what it held."""
        self.connection.close()


def _plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return type_.value_type
    return pa.int64() if pa.types.is_decimal(type_) and type_.scale == 0 else type_


_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
LEAST_MEMORY = 256 * 2**20


def memory_bytes(text: str | None) -> int:
    """Return a memory limit such as '4GB' or '700 MiB' in bytes; 60 % of the machine's memory where None.

    Raises
    ------
    UsageError : no such amount, or less than 256 MiB, in which nothing can be counted.
    """
    if text is None:
        return int(psutil.virtual_memory().total * MEMORY_SHARE)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?)B", text.strip().upper())
    n = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if n < LEAST_MEMORY:
        raise UsageError(
            f"Memory cannot be limited to '{shown(text)}'.",
            to_try="an amount of at least 256MiB, such as 4GB",
        )
    return n


_SCHEMES = {
    "duckdb": ("duckdb", "DuckDB", ""),
    "postgresql": ("postgres", "Postgres", "psycopg"),
    "postgres": ("postgres", "Postgres", "psycopg"),
    "spark": ("spark", "Spark", "pyspark"),
    "local": ("spark", "Spark", "pyspark"),
    "sc": ("spark", "Spark", "pyspark"),
    "sail": ("spark", "Spark", "pysail"),
}
"""Each scheme of a URL: the file and class of its engine, and the driver it needs."""

EXTRAS = {"psycopg": "postgres", "pyspark": "spark", "pysail": "sail"}
"""Which extra of this package brings each driver."""


def engine_of(url: str) -> Engine:
    """Return the engine that a URL names.

    Parameters
    ----------
    url : `duckdb://` or `duckdb:///shop.duckdb`; `postgresql://ana@host/shop`, or `postgresql:///shop?host=/var/run/postgresql`;
        `spark://local`, `spark://host:7077`, `sc://host:15002`; `sail://local`.

    Raises
    ------
    UsageError : no such scheme (names the near miss), a driver that is not installed (names the extra that brings it),
        an engine that cannot be reached.
    """
    scheme = re.split(r"[:\[]", url, maxsplit=1)[0]
    if scheme not in _SCHEMES or not re.match(r"\w+://|local", url):
        raise _unknown_engine(url, scheme)
    module, name, needed = _SCHEMES[scheme]
    if module == "duckdb":
        return DuckDB(url)
    if needed:
        driver(needed)
    return getattr(importlib.import_module(f"{__package__}.{module}"), name)(url)


def driver(module: str) -> Any:
    """Return the driver's module; where it is not installed, tell which extra brings it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0]
        raise UsageError(
            f"The driver '{package}' is not installed.",
            to_try=f"pip install 'retention-kit[{EXTRAS[package]}]'",
        ) from None


def _unknown_engine(url: str, scheme: str) -> KitError:
    known = [f"{name}://" for name in _SCHEMES if name not in ("postgres", "local")]
    near = near_miss(f"{scheme}://", known)
    return UsageError(
        f"There is no engine '{scheme}://'." if "://" in url else "An engine is named by a URL.",
        found=listed(known),
        to_try=f"'{near}'" if near else "one of the URLs above",
    )


def unreachable(url: str, why: str) -> KitError:
    """Return the error for an engine that cannot be reached; what its driver says is told without the URL's secrets."""
    lines = [line.strip() for line in why.splitlines() if line.strip()] or ["it gives no reason"]
    return UsageError(
        f"The engine {shown_url(url)} cannot be reached.",
        found=_without_secrets(lines[0], url),
        to_try="check that it runs, and its host, port, database and user",
    )


_URL = re.compile(
    r"(?P<scheme>\w+://)((?P<user>[^:@/?;\[\]]*)(:[^@]*)?@)?(?P<place>[^@/?:;]*(:\d+)?(/[^@?:;]*)?)([?;][^@]*)?",
    re.DOTALL,
)


def shown_url(url: str) -> str:
    """Return a URL as it may be shown and kept: without password, token or options.

    >>> shown_url("postgresql://ana:s3cret@db.example.com:5432/shop?sslmode=require")
    'postgresql://ana@db.example.com:5432/shop'
    """
    found = _URL.fullmatch(url)
    if not found:
        return url if "://" not in url else f"{url.split('://')[0]}://…"
    user = f"{found['user']}@" if found["user"] else ""
    return f"{found['scheme']}{user}{found['place'].rstrip('/') or '/' * found['place'].startswith('/')}"


def _without_secrets(text: str, url: str) -> str:
    """Return a driver's words with nothing of the URL that `shown_url` leaves out."""
    hidden = sorted(
        set(re.split(r"[/@:?;&=]+", url)) - set(re.split(r"[/@:?;&=]+", shown_url(url))), key=len, reverse=True
    )
    for part in (part for part in hidden if len(part) > 2):
        text = text.replace(part, "…")
    return text
