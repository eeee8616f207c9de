"""Spark counts in views of its session: on this machine, on a cluster, or by Spark Connect, which Sail speaks too."""

import atexit
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import pandas as pd
import psutil
import pyarrow as pa
from pyspark.errors import (
    ArithmeticException,
    DateTimeException,
    NumberFormatException,
    PySparkException,
    SparkRuntimeException,
)

from retention_kit.counts.engines import Engine, driver, shown_url, unreachable

_TYPES = {"BIGINT": "BIGINT", "INTEGER": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN", "VARCHAR": "STRING"}
_KINDS = {
    "boolean": "flag",
    "tinyint": "integer",
    "smallint": "integer",
    "int": "integer",
    "bigint": "integer",
    "float": "float",
    "double": "float",
    "string": "text",
    "void": "text",
    "date": "day",
    "timestamp_ntz": "clock",
    "timestamp": "instant",
}
_NARROW = ("tinyint", "smallint", "int")
_OWN = {
    "spark.sql.shuffle.partitions": str(4 * (os.cpu_count() or 1)),
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "ERROR",
    "spark.driver.memory": f"{max(psutil.virtual_memory().total // 4 // 2**20, 1024)}m",  # Spark's own: 1 GiB
}
"""Settings of a Spark that is started here; a cluster keeps its own."""


class Spark(Engine):
    """A Spark session.

    Parameters
    ----------
    url : `spark://local` (this machine), `spark://host:7077` (a cluster), or `sc://host:15002` (Spark Connect).

    Raises
    ------
    UsageError : there is no Spark there.
    """

    dialect = "spark"
    refusals = (PySparkException,)
    misfits = (ArithmeticException, DateTimeException, NumberFormatException, SparkRuntimeException)
    micros: ClassVar = {
        "instant": "UNIX_MICROS({})",
        "clock": "UNIX_MICROS(CAST({} AS TIMESTAMPTZ))",
        "day": "CAST(UNIX_DATE({}) AS BIGINT) * 86400000000",
    }

    def __init__(self, url: str) -> None:
        self.shown = shown_url(url)
        try:
            self.session = _session(url)
            self.session.conf.set("spark.sql.session.timeZone", "UTC")
            self.session.sql("SELECT 1").toArrow()
        except Exception as why:
            raise unreachable(url, str(why)) from None
        self._made: dict[str, Any] = {}

    def run(self, statement: str) -> None:
        """Run a statement."""
        self.session.sql(statement)

    def create(self, name: str, query: str) -> None:
        """Count a view from a query, once: later queries read what was counted."""
        self._name(name, _wide(self.session.sql(self.compiled(query))).localCheckpoint())

    def drop(self, name: str) -> None:
        """Forget a view, where there is one; a table of that name stays."""
        if self._made.pop(name, None) is not None:
            self.session.catalog.dropTempView(name)

    def rename(self, name: str, new: str) -> None:
        """Give a view of ours another name."""
        self._name(new, self._made[name])
        self.drop(name)

    def load(self, name: str, table: pa.Table) -> None:
        """Create a view of rows."""
        if table.num_rows:
            self._name(name, self.session.createDataFrame(table))
        else:  # of which Spark would not know the types
            self._name(name, self.session.sql(_nothing({f.name: _type_of(f.type) for f in table.schema})))

    def complete(self, name: str, columns: Mapping[str, str]) -> None:
        """Create a view and its columns where they are not, empty."""
        if name not in self._made:
            self._name(name, self.session.sql(_nothing({column: _TYPES[type_] for column, type_ in columns.items()})))
            return
        typed = {column: f"CAST(NULL AS {_TYPES[type_]}) AS {column}" for column, type_ in columns.items()}
        missing = [sql for column, sql in typed.items() if column not in self._made[name].columns]
        if missing:
            self._name(name, self._made[name].selectExpr("*", *missing))

    def fetched(self, query: str) -> pd.DataFrame:
        """Return the rows of a query."""
        return self.session.sql(query).toArrow().to_pandas()

    def view(self, name: str, query: str) -> None:
        """Name a query, which is not run yet."""
        self._name(name, self.session.sql(query))

    def kinds(self, query: str) -> dict[str, str]:
        """Return what each column of a query holds, before any row is read."""
        types = {field.name: field.dataType.simpleString() for field in self.session.sql(query).schema.fields}
        return {
            name: "decimal" if type_.startswith("decimal") else _KINDS.get(type_, type_)
            for name, type_ in types.items()
        }

    def names(self) -> list[str]:
        """Return the tables that may be read."""
        return [row["tableName"] for row in self.session.sql("SHOW TABLES").toArrow().to_pylist()]

    def state(self, table: str) -> str:
        """Return what changes when a table does: how many rows there are, and the sum of their hashes."""
        columns = ", ".join(f"`{name}`" for name in self.session.sql(f"SELECT * FROM {table}").columns)
        query = f"SELECT COUNT(*) AS n, SUM(CAST(XXHASH64({columns}) AS DECIMAL(38, 0))) AS total FROM {table}"
        return str(self.session.sql(query).toArrow().to_pylist())

    def close(self) -> None:
        """Forget the views; a session of Spark Connect ends, one on this machine waits for the next count."""
        for name in list(self._made):
            self.drop(name)
        if _is_remote(self.session):
            self.session.stop()

    def _name(self, name: str, frame: Any) -> None:
        frame.createOrReplaceTempView(name)
        self._made[name] = frame


def _session(url: str) -> Any:
    """Return a session of its own, whose views no other one sees."""
    if url.startswith("sail:"):
        return _remote(_sail())
    _knock(url)
    if url.startswith("sc:"):
        return _remote(url)
    from pyspark.sql import SparkSession

    local = re.fullmatch(r"(?:spark://)?local(\[[\d*]+\])?", url)
    builder = SparkSession.builder.appName("retention-kit").master(f"local{local[1] or '[*]'}" if local else url)
    for name, value in _OWN.items() if local else ():
        builder = builder.config(name, value)
    return builder.getOrCreate().newSession()


def _nothing(types: Mapping[str, str]) -> str:
    """Return SQL of no rows with columns of these types."""
    return f"SELECT {', '.join(f'CAST(NULL AS {type_}) AS {name}' for name, type_ in types.items())} WHERE 1 = 0"


def _type_of(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "BOOLEAN"
    if pa.types.is_floating(type_):
        return "DOUBLE"
    return "BIGINT" if pa.types.is_integer(type_) else "STRING"


def _wide(frame: Any) -> Any:
    """Return a frame whose integers all have 64 bits: what Sail says of a UNION of both widths is not what it makes."""
    types = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    return frame.selectExpr(*(f"CAST({n} AS BIGINT) AS {n}" if t in _NARROW else n for n, t in types.items()))


def _knock(url: str) -> None:
    """Fail at once where nobody listens at the host and port of a URL: Spark itself would try again for minutes."""
    place = re.match(r"\w+://([^:/;\[]+)(?::(\d+))?", url)
    if place and place[1] != "local":
        port = int(place[2] or {"sc": 15002}.get(url.split(":")[0], 7077))
        socket.create_connection((place[1], port), timeout=10).close()


def _remote(url: str) -> Any:
    with warnings.catch_warnings():  # pyspark warns of pandas 3, which it is not asked to make here
        warnings.simplefilter("ignore", FutureWarning)
        from pyspark.sql.connect.session import SparkSession

        return SparkSession.builder.remote(url).create()


def _is_remote(session: Any) -> bool:
    return type(session).__module__.startswith("pyspark.sql.connect")


@cache
def _sail() -> str:
    """Start Sail's server inside this process, once, and return its URL."""
    kept = tempfile.TemporaryDirectory(prefix="retention-kit-")
    os.environ.setdefault("SAIL_EXECUTION__CHECKPOINT__PATH", kept.name)
    os.environ.setdefault("RUST_LOG", "error")
    server = driver("pysail.spark").SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    atexit.register(_stopped, server, kept)
    host, port = server.listening_address
    return f"sc://{host}:{port}"


def _stopped(server: Any, kept: tempfile.TemporaryDirectory) -> None:
    server.stop()
    kept.cleanup()
