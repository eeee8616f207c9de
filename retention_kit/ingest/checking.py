"""A look at a source before it is counted: how much is there, from when to when, and all that is wrong, at once."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from retention_kit.errors import KitError, UsageError, shown
from retention_kit.ingest.embedded import Embedded
from retention_kit.ingest.expressions import literal
from retention_kit.ingest.findings import Finding, Findings, finding
from retention_kit.ingest.loading import loaded, whole
from retention_kit.ingest.sources import Source
from retention_kit.ingest.tables import TABLES, Kind
from retention_kit.ingest.zones import DAY_US
from retention_kit.periods import as_of_instant

Counts = tuple[tuple[str, int], ...]

_MOST_DAYS_BEFORE = 60
"""How many days the last order may lie before `as_of` without a note."""


@dataclass(frozen=True)
class Checked:
    """One table as it was loaded.

    Parameters
    ----------
    n_rows : rows that are left.
    first, last : earliest and latest time of its first column of times, ISO 8601 in UTC; None where none.
    markets, currencies : (name, rows), most rows first.
    n_cancelled : orders that are cancelled.
    """

    table: str
    n_rows: int
    first: str | None
    last: str | None
    markets: Counts
    currencies: Counts
    n_cancelled: int


@dataclass(frozen=True)
class CheckReport:
    """All that a check found: tables, findings, errors."""

    name: str
    tables: tuple[Checked, ...]
    findings: Findings
    errors: tuple[KitError, ...]

    @property
    def ok(self) -> bool:
        """Return whether the data can be counted."""
        return not self.errors

    def text(self) -> str:
        """Return the report for a reader, with a last line that says whether the data can be counted."""
        lines = [line for checked in self.tables for line in self._table_lines(checked)]
        told = {checked.table for checked in self.tables}
        lines += [_finding_line(f) for f in self.findings.rows if f.table not in told]
        for error in self.errors:
            lines += ["", str(error)]
        lines += ["", f"{self.name} {'can' if self.ok else 'cannot'} be counted."]
        return "\n".join(lines)

    def _table_lines(self, checked: Checked) -> list[str]:
        span = f", {checked.first} to {checked.last}" if checked.first else ""
        lines = [f"{checked.table}: {checked.n_rows:,} rows{span}"]
        lines += [f"  markets   {_listed(checked.markets)}"] if checked.markets else []
        lines += [f"  currency  {_listed(checked.currencies)}"] if checked.currencies else []
        lines += [f"  cancelled {checked.n_cancelled:,} of {checked.n_rows:,}"] if checked.n_cancelled else []
        return lines + [_finding_line(f) for f in self.findings.rows if f.table == checked.table]


def check(source: Source, *, engine: Any = None) -> CheckReport:
    """Return what is in a source and all that is wrong with it, at once; nothing it finds is raised.

    Parameters
    ----------
    source : from `ingest.source`.
    engine : the engine that holds its tables, where one does, from `counts.engine_of`.

    Raises
    ------
    UsageError : the tables lie in an engine, and it is not given.
    """
    if engine is not None:
        return _report(engine, source)
    if source.engine is not None:
        raise UsageError(
            f"The data '{source.name}' lie in an engine of their own, not in files.",
            to_try="ingest.check(source, engine=counts.engine_of(source.engine))",
        )
    with duckdb.connect() as connection:
        _confine(connection, source)
        return _report(Embedded(connection), source)


def _report(engine: Any, source: Source) -> CheckReport:
    findings, wrong = loaded(engine, source)
    tables = tuple(_checked(name, columns, engine) for name, columns in findings.columns.items())
    noted = (*_no_cancellation(source, tables), *_around_as_of(source, tables, engine))
    findings = replace(findings, rows=(*findings.rows, *noted))
    return CheckReport(source.name, tables, findings, tuple(wrong))


def _confine(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Let the engine read the files of the source, and what is made of them on the way, and nothing else."""
    files = [str(path) for table in source.files for path in source.paths(table)]
    connection.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]")
    connection.execute(f"SET allowed_directories = [{literal(tempfile.gettempdir())}]")
    connection.execute("SET enable_external_access = false")


def _checked(table: str, columns: Sequence[str], engine: Any) -> Checked:
    times = [c.engine_name for c in TABLES[table] if c.kind is Kind.INSTANT and c.engine_name in columns]
    time = times[0] if times else "CAST(NULL AS BIGINT)"
    cancelled = "COUNT(CASE WHEN cancelled THEN 1 END)" if "cancelled" in columns else "0"
    n_rows, n_cancelled, first, last = whole(
        engine, f"SELECT COUNT(*) AS n, {cancelled} AS n_cancelled, MIN({time}) AS a, MAX({time}) AS z FROM {table}"
    )
    counted = (_counted(table, name, columns, engine) for name in ("market", "currency"))
    return Checked(table, n_rows, _iso(first), _iso(last), *counted, n_cancelled)


def _counted(table: str, column: str, columns: Sequence[str], engine: Any) -> Counts:
    if column not in columns:
        return ()
    rows = engine.values(
        f"SELECT {column}, COUNT(*) AS n FROM {table} WHERE {column} IS NOT NULL GROUP BY {column} "
        f"ORDER BY n DESC, {column}"
    )
    return tuple((name, int(n)) for name, n in rows)


def _no_cancellation(source: Source, tables: Sequence[Checked]) -> tuple[Finding, ...]:
    """Return a note where the profile says what marks a cancelled order, and no order is one."""
    sql = source.profile.table("orders").columns.get("cancelled")
    of = sum(checked.n_rows for checked in tables if checked.table == "orders" and not checked.n_cancelled)
    if sql is None or not of:
        return ()
    return (finding("orders", "no_cancellation", "note", 0, of, sql=shown(sql, most=80)),)


def _around_as_of(source: Source, tables: Sequence[Checked], engine: Any) -> tuple[Finding, ...]:
    """Return how many orders lie at or after the profile's `as_of`, each by its market's clock; or none near it."""
    of = sum(checked.n_rows for checked in tables if checked.table == "orders")
    if source.as_of is None or not of:
        return ()
    ends = " ".join(
        f"WHEN '{code}' THEN {as_of_instant(source.as_of, zone=market.zone)[0]}"
        for code, market in source.markets.items()
    )
    before = f"(CASE market {ends} END - ordered_us)"
    n, days = whole(
        engine, f"SELECT COUNT(CASE WHEN {before} <= 0 THEN 1 END) AS n, MIN({before}) // {DAY_US} AS days FROM orders"
    )
    if n:
        return (finding("orders", "after_as_of", "note", n, of, as_of=source.as_of),)
    if days <= _MOST_DAYS_BEFORE:
        return ()
    return (finding("orders", "long_before_as_of", "note", of, of, days=days, as_of=source.as_of),)


def _iso(us: int | None) -> str | None:
    if us is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M UTC")


def _finding_line(finding: Finding) -> str:
    return f"  {finding.severity:<8}  {finding.text}"


def _listed(counts: Counts, *, most: int = 12) -> str:
    told = " · ".join(f"{name} {n:,}" for name, n in counts[:most])
    return f"{told} and {len(counts) - most} more" if len(counts) > most else told
