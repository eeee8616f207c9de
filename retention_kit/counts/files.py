"""The counting files: each says in its own header what it takes and returns, and is read from there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from retention_kit.errors import KitError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

FILES = tuple(
    sorted(file.name.removesuffix(".sql") for file in files(__package__).iterdir() if file.name.endswith(".sql"))
)
"""The counting files by name: the tables that leave the engine, and those they share in it."""

_LINE = re.compile(r"-- (Keys|Sums|Flags|In|Out|Unit): ?(.*)")


class HeaderError(KitError):
    """A counting file returns what its header does not say."""


@dataclass(frozen=True)
class Header:
    """What a counting file says of the table it makes.

    Attributes
    ----------
    keys : columns that name a row.
    sums : whole numbers, which add up over disjoint customers.
    flags : columns that are the same for all customers of a key, or their least (`min`) or greatest (`max`).
    """

    name: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    flags: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that the header names."""
        return (*self.keys, *self.sums, *self.flags)

    def refuse_others(self, table: "pd.DataFrame") -> None:
        """Refuse a table with a column that is neither key, sum nor flag, or without one that is.

        Raises
        ------
        HeaderError : with the columns by which table and header differ.
        """
        differ = sorted(set(table) ^ set(self.columns))
        if differ:
            raise HeaderError(
                f"The counting file '{self.name}.sql' and its header differ.",
                found=", ".join(f"{name} {'returned' if name in table else 'declared'}" for name in differ),
                to_try="name each column under Keys, Sums or Flags in the file's header",
            )


@cache
def header(name: str) -> Header:
    """Return what a counting file says of the table it makes."""
    told: dict[str, str] = {}
    part = ""
    for line in text(name).splitlines():
        if not line.startswith("--"):
            break
        found = _LINE.match(line)
        part = found[1] if found else part
        told[part] = f"{told.get(part, '')} {found[2] if found else line.removeprefix('--').strip()}"
    flags = dict(flag.split() for flag in _listed(told.get("Flags", "")))
    return Header(name, _listed(told.get("Keys", "")), _listed(told.get("Sums", "")), flags)


def _listed(written: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in written.split(",") if name.strip())


@cache
def text(name: str) -> str:
    """Return a counting file as it is written.

    Raises
    ------
    UsageError : no such file; it names the near miss.
    """
    if name not in FILES:
        raise unknown_name("counting file", name, FILES)
    return (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")


def sql(name: str, *, dialect: str = "duckdb") -> str:
    """Return a counting file as SQL of an engine: 'duckdb', 'postgres', 'spark', 'bigquery', 'snowflake', 'trino'.

    Raises
    ------
    UsageError : no such file, or an engine that SQLGlot does not know; both name the near miss.
    """
    written = text(name)
    if dialect == "duckdb":
        return written
    import sqlglot

    if dialect not in sqlglot.Dialect.classes:
        raise unknown_name("SQL dialect", dialect, sorted(filter(None, sqlglot.Dialect.classes)))
    return transpiled(written, dialect, pretty=True)


def transpiled(query: str, dialect: str, **options: bool) -> str:
    """Return a query of DuckDB's dialect in another one, of which not all make a named query once when told to."""
    import sqlglot

    if dialect not in _MATERIALIZED:
        query = query.replace(" AS MATERIALIZED (", " AS (")
    return sqlglot.transpile(query, read="duckdb", write=dialect, **options)[0]


_MATERIALIZED = ("duckdb", "postgres")


@cache
def reads(query: str) -> frozenset[str]:
    """Return the names that a query reads from: tables, and its own named queries."""
    bare = re.sub(r"--[^\n]*", "", query)
    return frozenset(re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]+)\b", bare))


@cache
def reads_of(name: str) -> frozenset[str]:
    """Return all that a counting file reads, itself or through what it shares; nothing where no file is named."""
    found, waiting = set[str](), [name] if name else []
    while waiting:
        read = reads(text(waiting.pop())) - found
        found |= read
        waiting += [other for other in read if other in FILES]
    return frozenset(found)


def summed(tables: Sequence["pd.DataFrame"], of: Header) -> "pd.DataFrame":
    """Return the counts of disjoint customers added up, in the order of their keys."""
    import pandas as pd

    table = pd.concat(tables)
    how = {column: of.flags.get(column, "sum") for column in table if column not in of.keys}
    return table.groupby(list(of.keys), as_index=False, sort=True, dropna=False).agg(how)[list(table)]
