"""PostgreSQL counts in temporary tables: the right to read is enough, and nothing stays in the database."""

import io
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, ClassVar

import pandas as pd
import psycopg
import pyarrow as pa
import sqlglot
from pyarrow import csv
from sqlglot import exp

from retention_kit.counts.engines import Engine, shown_url, unreachable
from retention_kit.errors import DataError, KitError

_TEXT = 'TEXT COLLATE "C"'  # texts in the order of their bytes, as in every other engine
_TYPES = {"BIGINT": "BIGINT", "INTEGER": "BIGINT", "DOUBLE": "DOUBLE PRECISION", "BOOLEAN": "BOOLEAN", "VARCHAR": _TEXT}
_SETTINGS = {
    "TimeZone": "UTC",
    "jit": "off",  # queries of small tables take longer to compile than to run
    "work_mem": "128MB",
    "enable_nestloop": "off",  # a named CTE has no statistics: large joins, all on equal keys, are to be hashed
    "client_min_messages": "error",
}
_KINDS = {
    "bool": "flag",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "decimal",
    "float4": "float",
    "float8": "float",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "name": "text",
    "uuid": "text",
    "unknown": "text",
    "date": "day",
    "timestamp": "clock",
    "timestamptz": "instant",
}


class Postgres(Engine):
    """A PostgreSQL server, 14 or newer.

    Parameters
    ----------
    url : `postgresql://user@host/database`; a Unix socket is `postgresql:///database?host=/var/run/postgresql`.

    Raises
    ------
    UsageError : the server cannot be reached, or lets the user not in.
    """

    dialect = "postgres"
    refusals = (psycopg.Error,)
    misfits = (psycopg.DataError,)
    text = 'CAST({} AS VARCHAR) COLLATE "C"'
    micros: ClassVar = {
        "instant": "CAST(EXTRACT(EPOCH FROM {}) * 1000000 AS BIGINT)",
        "clock": "CAST(EXTRACT(EPOCH FROM {}) * 1000000 AS BIGINT)",
        "day": "CAST({} - DATE '1970-01-01' AS BIGINT) * 86400000000",
    }

    def __init__(self, url: str) -> None:
        self.shown = shown_url(url)
        try:
            self.connection = psycopg.connect(url, autocommit=True, application_name="retention-kit")
        except (psycopg.Error, ValueError) as why:
            raise unreachable(url, str(why)) from None  # the driver's own words may quote the URL
        for name, value in _SETTINGS.items():
            self.run(f"SET {name} = '{value}'")

    def compiled(self, query: str) -> str:
        """Return a query of DuckDB's dialect as PostgreSQL speaks it, with sums of 64 bits instead of any length."""
        return _compiled(query)

    def run(self, statement: str) -> None:
        """Run a statement."""
        with _told(self.shown):
            self.connection.execute(statement)

    def attempt(self) -> AbstractContextManager[Any]:
        """Leave nothing of what fails within, and what was before."""
        return self.connection.transaction()

    def create(self, name: str, query: str) -> None:
        """Create a temporary table from a query; it hides one of that name in the database, which stays as it is."""
        self.drop(name)
        self.run(f"CREATE TEMP TABLE {name} AS {self.compiled(query)}")
        self.run(f"ANALYZE pg_temp.{name}")

    def drop(self, name: str) -> None:
        """Forget a temporary table, where there is one."""
        self.run(f"DROP TABLE IF EXISTS pg_temp.{name}")

    def load(self, name: str, table: pa.Table) -> None:
        """Create a temporary table by COPY."""
        columns = ", ".join(f"{field.name} {_type_of(field.type)}" for field in table.schema)
        self.drop(name)
        self.run(f"CREATE TEMP TABLE {name} ({columns})")
        rows = io.BytesIO()
        csv.write_csv(table, rows, csv.WriteOptions(include_header=False))
        with _told(self.shown), self.connection.cursor().copy(f"COPY pg_temp.{name} FROM STDIN (FORMAT CSV)") as copy:
            copy.write(rows.getbuffer())
        self.run(f"ANALYZE pg_temp.{name}")

    def complete(self, name: str, columns: Mapping[str, str]) -> None:
        """Create a table and its columns where they are not, empty."""
        typed = [f"{column} {_TYPES[type_]}" for column, type_ in columns.items()]
        self.run(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({', '.join(typed)})")
        for column in typed:
            self.run(f"ALTER TABLE pg_temp.{name} ADD COLUMN IF NOT EXISTS {column}")

    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query; a sum, which is of any length here, as an integer."""
        with _told(self.shown):
            cursor = self.connection.execute(query)
            rows = cursor.fetchall()
        types = [psycopg.adapters.types[column.type_code].name for column in cursor.description]
        columns = [_array([row[nth] for row in rows], type_) for nth, type_ in enumerate(types)]
        return pa.table(columns, names=[column.name for column in cursor.description]).to_pandas()

    def view(self, name: str, query: str) -> None:
        """Name a query, which is not run yet."""
        with self.connection.transaction():
            self.connection.execute(f"DROP VIEW IF EXISTS pg_temp.{name}")
            self.connection.execute(f"CREATE TEMP VIEW {name} AS {query}")

    def kinds(self, query: str) -> dict[str, str]:
        """Return what each column of a query holds, before any row is read."""
        with self.connection.transaction():
            cursor = self.connection.execute(f"SELECT * FROM ({query}) AS asked LIMIT 0")
        return {column.name: _kind(column.type_code) for column in cursor.description}

    def names(self) -> list[str]:
        """Return the tables that may be read, those outside the search path with their schema."""
        query = """
            SELECT CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname || '.' END || c.relname
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                AND n.nspname NOT LIKE 'pg_t%' AND has_table_privilege(c.oid, 'SELECT')
            ORDER BY 1
        """
        return [name for (name,) in self.connection.execute(query).fetchall()]

    def state(self, table: str) -> str:
        """Return what changes when a table does, without reading it: its file and the rows ever changed in it."""
        query = """
            SELECT c.relfilenode, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, pg_relation_size(c.oid)
            FROM pg_class AS c LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
            WHERE c.oid = to_regclass(%s) AND c.relkind = 'r'
        """
        found = self.connection.execute(query, [table]).fetchall()
        return str(found)

    @contextmanager
    def at_one_instant(self) -> Iterator[None]:
        """Read all tables as they were at one instant."""
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    def close(self) -> None:
        """Leave the server, and with it every temporary table."""
        self.connection.close()


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell as ours what the server does not allow."""
    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction:
        raise DataError(
            f"{where} allows no temporary table: it is read only.",
            to_try="the server itself, not its replica, or a user whose default_transaction_read_only is off",
        ) from None
    except psycopg.errors.InsufficientPrivilege as why:
        raise DataError(
            f"{where} does not allow it.",
            found=why.diag.message_primary or "",
            to_try="GRANT SELECT on the tables and TEMPORARY on the database to that user",
        ) from None
    except psycopg.OperationalError as why:
        raise KitError(
            f"{where} gave up.", found=(why.diag.message_primary or "the connection was lost"), to_try="try again"
        ) from None


@cache
def _compiled(query: str) -> str:
    tree = sqlglot.parse_one(query, read="duckdb")
    for total in list(tree.find_all(exp.Sum)):
        whole = total.parent if isinstance(total.parent, exp.Window) else total
        whole.replace(exp.cast(whole.copy(), "BIGINT"))
    for cast in list(tree.find_all(exp.TryCast)):
        if cast.to.is_type("decimal"):  # of any length here: rounded, it cannot overflow
            cast.replace(exp.func("ROUND", exp.cast(cast.this.copy(), "DECIMAL"), cast.to.expressions[1].this.copy()))
    for part in list(tree.find_all(exp.RegexpExtract)):
        part.replace(exp.Anonymous(this="SUBSTRING", expressions=[part.this.copy(), part.expression.copy()]))
    while division := tree.find(exp.IntDiv):  # one at a time: there may be another in it
        division.replace(exp.Div(this=division.this.copy(), expression=division.expression.copy(), typed=True))
    return tree.sql("postgres", comments=False)


def _type_of(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return _TYPES["BOOLEAN"]
    if pa.types.is_floating(type_):
        return _TYPES["DOUBLE"]
    return _TYPES["BIGINT"] if pa.types.is_integer(type_) else _TEXT


def _array(values: list[Any], type_: str) -> pa.Array:
    if _KINDS.get(type_) in ("integer", "decimal"):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    if _KINDS.get(type_) in ("text", None):
        return pa.array(values, pa.string())
    return pa.array(values)


def _kind(type_code: int) -> str:
    known = psycopg.adapters.types.get(type_code)
    name = known.name if known else str(type_code)
    return _KINDS.get(name, name)
