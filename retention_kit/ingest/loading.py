"""All tables of a source, converted and checked where they are: one judgement for files, memory and engines."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from retention_kit.config import Markets
from retention_kit.errors import DataError, KitError, listed, missing_column, near_miss, shown
from retention_kit.ingest.convert import Conversion, in_range, minor_units, per_minor
from retention_kit.ingest.expressions import columns_of, literal, quoted
from retention_kit.ingest.findings import Finding, Findings, Severity, counted_names, finding, markets_told
from retention_kit.ingest.read import Raw, raw
from retention_kit.ingest.sources import Source
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.ingest.zones import DAY_US, local_offsets

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ORDER = ("exchange_rates", "orders", "customers")
_UNIQUE = {
    "orders": ("repeated_order_id", ("market", "order_id")),
    "customers": ("repeated_customer_id", ("market", "customer_id")),
    "exchange_rates": ("repeated_rate", ("date_day", "currency")),
}
"""What may come once only: the reason of a row that repeats it, and its columns."""

_AFTERWARDS = {
    "zero_amount": ("note", "amount_minor = 0 AND NOT cancelled"),
    "negative_amount": ("note", "amount_minor < 0 AND NOT cancelled"),
    "refunded_more_than_paid": ("warning", "refunded_minor > GREATEST(amount_minor, 0)"),
    "refunded_before_ordered": ("warning", "refunded_us < ordered_us"),
}
"""What is said of orders once they are whole: severity and SQL by reason."""

_WANTED = {
    Kind.ID: ("text or a number", "VARCHAR"),
    Kind.MARKET: ("text", "VARCHAR"),
    Kind.INSTANT: ("a date or time", "TIMESTAMP"),
    Kind.DATE: ("a date", "DATE"),
    Kind.MONEY: ("a number", "DECIMAL(18, 6)"),
    Kind.NUMBER: ("a number", "DOUBLE"),
    Kind.FLAG: ("true or false", "BOOLEAN"),
    Kind.TEXT: ("text", "VARCHAR"),
}
"""What a column of each kind is to be, in words, and a type to cast it to."""


def load(source: Source, connection: "duckdb.DuckDBPyConnection") -> Findings:
    """Create every table of files or memory, typed, with the columns' engine names; return what was found.

    `orders` always has `refunded_minor` (0 where none), `refunded_us` and `cancelled`. Amounts are integer
    minor units of the order's own currency, times microseconds since 1970-01-01 UTC. A refused row is in
    no table.

    Raises
    ------
    DataError : a file that cannot be read, a column that is not there or of a type that does not fit, markets that
        are not declared, several currencies without rates, more refused rows than the source allows.
    """
    from retention_kit.ingest.embedded import Embedded

    return load_in(Embedded(connection), source)


def load_in(engine: Any, source: Source) -> Findings:
    """Load as `load` does, in any engine: the tables that it holds, where the source names it."""
    findings, wrong = loaded(engine, source)
    for error in wrong:
        raise error
    return findings


def loaded(
    engine: Any,
    source: Source,
    *,
    only: Collection[str] | None = None,
    before: Mapping[str, list[str]] | None = None,
) -> tuple[Findings, list[KitError]]:
    """Load as `load` does, but return the errors about what the data say instead of raising the first.

    Parameters
    ----------
    only : the tables to load; all where not given.
    before : the columns of each table that an earlier call has created in the engine.
    """
    rows: list[Finding] = []
    wrong: dict[str, list[KitError]] = {}
    created: dict[str, list[str]] = dict(before or {})
    wanted = source.tables if only is None else only
    engine.load_rows("market_names", _market_names(source.markets))
    engine.load_rows("minor_units", minor_units(source.markets))
    with engine.at_one_instant():
        for name in [table for table in dict.fromkeys((*_ORDER, *TABLES)) if table in wanted]:
            try:
                with _reached(engine, source, name) as given:
                    found, errors = _load_table(engine, source, given, created)
            except KitError as why:
                found, errors = [], [why]
            rows += found
            wrong[name] = errors
    for helper in ("market_names", "minor_units", "customer_markets", "local_days", "repeated_keys"):
        engine.drop(helper)
    findings = Findings(tuple(rows), source.max_refused, dict(source.profile.expected), source.where, created)
    errors = [error for errors in wrong.values() for error in errors]
    n_orders = engine.values("SELECT COUNT(*) AS n FROM orders")[0][0] if "orders" in created else None
    return findings, [*errors, *_verdict(findings, n_orders, explained=bool(wrong.get("orders")))]


@contextmanager
def _reached(engine: Any, source: Source, name: str) -> Iterator[Raw]:
    """Offer a table as a view `raw_<table>` of its own columns: of files or memory, or where its engine holds it."""
    if name not in source.in_engine:
        with raw(source, name, engine.connection) as given:
            yield given
        return
    there, view, columns = source.in_engine[name], f"raw_{name}", columns_there(engine, source, name)
    engine.view(view, f"SELECT * FROM {engine.raw(there)}")
    yield Raw(name, there, view, columns, None, 0, has_rows=False)


def columns_there(engine: Any, source: Source, name: str) -> tuple[str, ...]:
    """Return the columns of a table that an engine holds, which may be of any name there.

    Raises
    ------
    DataError : there is no such table.
    """
    there = source.in_engine[name]
    try:
        return tuple(engine.kinds(f"SELECT * FROM {engine.raw(there)}"))
    except engine.refusals:
        names = engine.names()
        near = near_miss(there, names)
        raise DataError(
            f"There is no table '{there}' in {engine.shown}, of which {source.where} makes {name}.",
            found=listed(names),
            to_try=f"'{near}'" if near else "the name of a table or view, as schema.name, that the user may read",
        ) from None


@dataclass(frozen=True)
class _Table:
    """What is being loaded: a table of a source, how it is converted, the engine, what its rows are."""

    name: str
    source: Source
    given: Raw
    how: Conversion
    engine: Any
    unit: str
    judged: str
    """The table of converted rows, with those that are refused."""

    def judged_anew(self, judged: str, query: str) -> "_Table":
        """Return it with its converted rows made by a query of those before."""
        self.engine.create(judged, query)
        self.engine.drop(self.judged)
        return replace(self, judged=judged)

    def one(self, sql: str) -> tuple:
        """Return the only row of a query."""
        return whole(self.engine, sql)

    def count(self, conditions: Sequence[str], *, of: str) -> tuple:
        """Return how many rows meet each of some conditions."""
        if not conditions:
            return ()
        sums = ", ".join(f"COUNT(CASE WHEN {sql} THEN 1 END) AS n{nth}" for nth, sql in enumerate(conditions))
        return self.one(f"SELECT {sums} FROM {of}")

    def found(self, reason: str, severity: Severity, n: int, of: int, **facts: Any) -> Finding:
        """Return a finding about it."""
        return finding(self.name, reason, severity, n, of, unit=self.unit, **facts)


def whole(engine: Any, sql: str) -> tuple[int | None, ...]:
    """Return the only row of a query, its numbers whole, whatever the engine makes of them."""
    (row,) = engine.values(sql)
    return tuple(None if value is None or value != value else int(value) for value in row)


def _load_table(
    engine: Any, source: Source, given: Raw, created: dict[str, list[str]]
) -> tuple[list[Finding], list[KitError]]:
    name, declared = given.table, source.profile.table(given.table)
    mapped, kinds = _mapped(engine, source, given)
    columns = tuple(column for column in columns_in(source, name) if column.name in kinds)
    how = Conversion(name, columns, kinds, declared, engine)
    unit = "order lines" if declared.group_by_order else name.replace("_", " ")
    table = _Table(name, source, given, how, engine, unit, f"judged_{name}")
    _refuse_misfits(table)
    with _no_value_told(table):
        _prepare(table, mapped, created)
    with _no_value_told(table), engine.attempt():
        rated = _rated(engine, created) if name == "orders" else []
        engine.create(table.judged, how.select(mapped, rated=rated))
    n_there = table.count(["TRUE"], of=table.judged)[0]
    n_rows = n_there if given.n_rows is None else given.n_rows
    if given.n_rows is None and declared.where:
        n_rows = table.count(["TRUE"], of=given.view)[0]
    n_left_out = n_rows - given.n_unreadable - n_there
    found = [
        table.found("unreadable_row", "refused", given.n_unreadable, n_rows),
        table.found("left_out", "note", n_left_out, n_rows),
    ]
    of = n_rows - n_left_out
    if not declared.group_by_order and not _rising(table, mapped):
        table = _without_repeated(table)
    refused, errors = _refusals(table, of)
    found += [*refused, *_noted(table, of)]
    if declared.group_by_order:
        table = replace(table.judged_anew("grouped_orders", _grouped(how.values, table.judged)), unit="orders")
        of = table.count(["TRUE"], of=table.judged)[0]
        found += _refusals(table, of)[0]
    created[name] = list(how.values)
    engine.keep(name, table.judged, created[name])
    if name == "orders":
        found += _afterwards(table, of)
    return [one for one in found if one.n], errors


def columns_in(source: Source, name: str) -> tuple[Column, ...]:
    """Return the columns that a table may have: the kit's, and those of customers that the profile declares."""
    own = source.profile.table(name).attributes
    return (*TABLES[name], *(Column(attribute, Kind.OWN, required=False) for attribute in own))


def _mapped(engine: Any, source: Source, given: Raw) -> tuple[str, dict[str, str]]:
    """Return SQL of the rows with the kit's columns and `row__`, and what each column holds."""
    offered = _offered(source, given)
    where = source.profile.table(given.table).where
    columns = "".join(f", ({sql}) AS {name}" for name, sql in offered.items())
    row = "file_row_number" if given.has_rows else "CAST(NULL AS BIGINT)"
    mapped = f"SELECT {row} AS row__{columns} FROM {given.view}{f' WHERE ({where})' if where else ''}"
    try:
        kinds = engine.kinds(engine.compiled(mapped))
    except engine.refusals:
        raise _wrong_expression(engine, source, given, offered | ({"where": where} if where else {})) from None
    return mapped, {name: kinds[name] for name in offered}


def _offered(source: Source, given: Raw) -> dict[str, str]:
    """Return SQL by column that the profile maps, or that the rows have by the kit's own name."""
    declared, offered = source.profile.table(given.table), {}
    there = {name.casefold(): name for name in given.columns}
    mapped = declared.columns | declared.attributes
    for column in columns_in(source, given.table):
        if column.name in mapped:
            offered[column.name] = mapped[column.name]
        elif column.name in there:
            offered[column.name] = quoted(there[column.name])
        elif column.name == "market" and declared.market:
            offered["market"] = literal(declared.market)
        elif column.required and not (column.name == "currency" and declared.currency):
            raise missing_column(given.table, column.name, given.columns, where=source.where)
    return offered


def _wrong_expression(engine: Any, source: Source, given: Raw, asked: Mapping[str, str]) -> KitError:
    """Return the error for the first expression of the profile that the engine cannot read."""
    place, there = f"{source.where} [{given.table}]", {*given.columns, "file_row_number"}
    known = {name.casefold() for name in there if given.has_rows or name != "file_row_number"}
    for name, sql in asked.items():
        lacking = next((column for column in columns_of(sql) if column.casefold() not in known), None)
        if lacking:
            near = near_miss(lacking, given.columns)
            return DataError(
                f"{given.table} lacks '{lacking}', of which {place} makes '{name}'.",
                found=listed(given.columns),
                to_try=f"'{near}' in its place" if near else "one of the columns above",
            )
    for name, sql in asked.items():
        try:
            engine.kinds(engine.compiled(f"SELECT ({sql}) AS {name} FROM {given.view}"))
        except engine.refusals as why:
            return DataError(
                f"{place} cannot make '{name}'.",
                found=shown(str(why).strip().splitlines()[0], most=200),
                to_try="an expression of DuckDB's SQL over the table's columns",
            )
    return DataError(f"{given.table}: its expressions do not go together.", to_try=f"check {source.where}")


def _refuse_misfits(table: _Table) -> None:
    """Refuse columns that hold what they cannot take, all at once, with the cast that would mend each."""
    wrong, columns = table.how.misfits(), table.how.declared.columns
    if wrong:
        raise DataError(
            f"{table.given.shown} holds what {table.name} cannot take.",
            found="\n".join(f"'{c.name}' is {table.how.kinds[c.name]}, not {_WANTED[c.kind][0]}" for c in wrong),
            to_try="\n".join(
                f'[{table.name}.columns] {c.name} = "CAST({columns.get(c.name, c.name)} AS {_WANTED[c.kind][1]})" '
                f"in {table.source.where}"
                for c in wrong
            ),
        )


@contextmanager
def _no_value_told(table: _Table) -> Iterator[None]:
    """Say that an expression fails where one does on some row: the engine's own message would quote a value."""
    try:
        yield
    except table.engine.misfits:
        raise DataError(
            f"{table.name}: an expression of {table.source.where} fails on some row.",
            to_try="TRY_CAST instead of CAST, or a CASE that leaves such rows out, so that they are counted",
        ) from None


def _prepare(table: _Table, mapped: str, created: Mapping[str, Sequence[str]]) -> None:
    """Create the small tables that the conversion looks up: homes of customers, offsets of zones."""
    if table.how.needs_home:
        known = next((name for name in ("customers", "orders") if name in created), None)
        if known is None:
            raise DataError(
                f"{table.name} cannot be placed in markets without orders or customers.",
                to_try="mend these first",
            )
        table.engine.create(
            "customer_markets",
            "SELECT h.customer_id, n.code, n.zone, n.currency, n.per_minor "
            f"FROM (SELECT customer_id, MIN(market) AS market FROM {known} GROUP BY customer_id) AS h "
            "JOIN market_names AS n ON n.written = h.market",
        )
    if not table.how.local:
        return
    times = ", ".join(f"{table.how.us(name)} AS {name}" for name in table.how.local)
    ends = ", ".join(
        f"{end}(CASE WHEN {in_range(name)} THEN {name} END) AS {name}__{end}"
        for name in table.how.local
        for end in ("MIN", "MAX")
    )
    span = [
        end for end in table.one(f"SELECT {ends} FROM (SELECT {times} FROM ({mapped}) AS m) AS t") if end is not None
    ]
    declared = table.how.declared.time_zone
    named = {ZoneInfo(declared)} if declared not in (None, "UTC", "market") else set()
    zones = named or {market.zone for market in table.source.markets.values()}
    table.engine.load("local_days", _local_days(zones, min(span, default=0), max(span, default=0)))


def _local_days(zones: set[ZoneInfo], start_us: int, end_us: int) -> "pa.Table":
    """Return, by zone and local day, the offset it begins with, and when it changes to which."""
    import numpy as np
    import pyarrow as pa

    days = np.arange(start_us // DAY_US, end_us // DAY_US + 1)
    tables = []
    for zone in sorted(zones, key=lambda zone: zone.key):
        begins = local_offsets(zone, int(days[0]) * DAY_US, int(days[-1] + 1) * DAY_US)
        starts, offsets = (np.array(column, dtype=np.int64) for column in zip(*begins, strict=True))
        first = np.searchsorted(starts, days * DAY_US, side="right") - 1
        last = np.searchsorted(starts, (days + 1) * DAY_US, side="left") - 1
        switches = np.append(starts, 2**62)[first + 1]
        names = pa.array([zone.key]).take(pa.array(np.zeros(len(days), dtype=np.int64)))
        columns = {"zone": names, "day": days, "before_us": offsets[first], "switch_us": switches}
        tables.append(pa.table(columns | {"after_us": offsets[last]}))
    return pa.concat_tables(tables)


def _market_names(markets: Markets) -> list[dict[str, Any]]:
    rows = [(written, markets[code]) for written, code in markets.by_written_name.items()]
    return [
        {"written": w, "code": m.code, "zone": m.time_zone, "currency": m.currency, "per_minor": per_minor(m.digits)}
        for w, m in rows
    ]


def _rated(engine: Any, created: Mapping[str, Sequence[str]]) -> list[str]:
    if "exchange_rates" not in created:
        return []
    rows = engine.values("SELECT DISTINCT currency FROM exchange_rates ORDER BY currency")
    return [currency for (currency,) in rows]


def _rising(table: _Table, mapped: str) -> bool:
    """Return whether each row's order_id is greater than that of the row before, as most exports are: none comes twice.

    Rows read in another order than they are written in cannot pass by mistake.
    """
    if table.name != "orders" or not table.given.has_rows:
        return False
    before = f"SELECT order_id, LAG(order_id) OVER () AS before, ROW_NUMBER() OVER () AS nth FROM ({mapped})"
    rising = "SELECT BOOL_AND(nth = 1 OR COALESCE(order_id > before, FALSE)) AS rising"
    return table.engine.in_order(f"{rising} FROM ({before})") is not False


def _without_repeated(table: _Table) -> _Table:
    """Refuse the rows that repeat what may come once only, if there are any; the first stays, or the least of all."""
    if table.name not in _UNIQUE:
        return table
    reason, columns = _UNIQUE[table.name]
    key, there = table.engine.key(columns), f"FROM {table.judged}"
    twice = f"SELECT {key} AS key {there} WHERE reason IS NULL GROUP BY {key} HAVING COUNT(*) > 1"
    table.engine.create("repeated_keys", twice)
    if not table.count(["TRUE"], of="repeated_keys")[0]:
        return table
    values = list(table.how.values)
    kept = ", ".join(["row__", "unknown__", *(f"note__{note}" for note in table.how.notes), *values])
    order = ", ".join(["row__", *(name for name in values if name not in columns)])
    return table.judged_anew(
        "marked_rows",
        f"""
        SELECT reason, {kept} {there} WHERE reason IS NOT NULL OR {key} NOT IN (SELECT key FROM repeated_keys)
        UNION ALL
        SELECT CASE WHEN nth > 1 THEN '{reason}' END AS reason, {kept}
        FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY {", ".join(columns)} ORDER BY {order}) AS nth
            {there} WHERE reason IS NULL AND {key} IN (SELECT key FROM repeated_keys)
        ) AS numbered
        """,
    )


def _refusals(table: _Table, of: int) -> tuple[list[Finding], list[KitError]]:
    """Return the refusals by reason, and the errors that no share of refused rows excuses."""
    counted = table.engine.values(
        f"SELECT reason, COUNT(*) AS n FROM {table.judged} WHERE reason IS NOT NULL "
        "GROUP BY reason ORDER BY n DESC, reason"
    )
    found, errors = [], []
    for reason, n in counted:
        severity: Severity = "refused"
        facts = {}
        if reason == "unknown_market":
            names = _unknown_markets(table)
            facts = {"values": names if _are_nameable(table, names) else len(names)}
            severity = "warning" if table.source.unknown_markets == "ignore" else "refused"
            errors += [_unknown_market_error(table, names, facts["values"])] if severity == "refused" else []
        elif reason == "no_exchange_rate" and "exchange_rates" not in table.source.tables:
            errors.append(_no_rates_error(table))
        elif reason.startswith("rounded_"):
            errors.append(_rounded_error(table, reason.removeprefix("rounded_"), int(n)))
        elif reason == "repeated_customer_id":
            severity = "note"
        found.append(table.found(reason, severity, int(n), of, **facts))
    return found, errors


def _unknown_markets(table: _Table) -> list[list]:
    rows = table.engine.values(
        f"SELECT unknown__, COUNT(*) AS n FROM {table.judged} WHERE unknown__ IS NOT NULL "
        "GROUP BY unknown__ ORDER BY n DESC, unknown__"
    )
    return [[name, int(n)] for name, n in rows]


_MOST_NAMED, _MOST_NAMED_IF_RARE = 30, 5


def _are_nameable(table: _Table, names: Sequence[Sequence]) -> bool:
    """Return whether unknown markets may be told by name: not if they are many, or look like customers."""
    rare = all(n <= 2 for _, n in names)
    if len(names) > (_MOST_NAMED_IF_RARE if rare else _MOST_NAMED):
        return False
    if any(re.search(r"\d{3}|@", name) for name, _ in names):
        return False
    return not table.count(["unknown__ IS NOT NULL AND unknown__ = customer_id"], of=table.judged)[0]


def _unknown_market_error(table: _Table, names: Sequence[Sequence], told: list[list] | int) -> KitError:
    declare = f"declare what is missing in {table.source.markets.where}, or leave it out: --unknown-markets ignore"
    look = f"look which column [{table.name}.columns] of {table.source.where} makes the market of"
    return DataError(
        f"{table.name} names a market that is not declared."
        if len(names) == 1
        else f"{table.name} names {len(names):,} markets that are not declared.",
        found=markets_told(told),
        to_try="\n".join([*(_alias_advice(table.source.markets, names) if told is names else [look]), declare]),
    )


def _alias_advice(markets: Markets, names: Sequence[Sequence]) -> list[str]:
    """Return, for at most three markets, the line that makes unknown names other names of theirs."""
    meant: dict[str, list[str]] = {}
    for name, _ in names:
        near = near_miss(name, markets.by_written_name)
        if near and shown(name) == name:
            meant.setdefault(markets.by_written_name[near], []).append(name)
    return [
        f"{listed(new)} may be {code}: give {code} the line "
        f"aliases = {json.dumps([*markets[code].aliases, *new], ensure_ascii=False)} in {markets.where}"
        for code, new in list(meant.items())[:3]
    ]


def _no_rates_error(table: _Table) -> KitError:
    currencies = table.engine.values(
        f"SELECT currency || ' in ' || market AS named, COUNT(*) AS n FROM {table.judged} "
        "WHERE reason = 'no_exchange_rate' GROUP BY currency || ' in ' || market ORDER BY n DESC, named"
    )
    return DataError(
        "orders are in several currencies, and there are no exchange rates.",
        found=counted_names([(name, int(n)) for name, n in currencies]),
        to_try="a table exchange_rates with date, currency and rate, for the order's currency and the market's",
    )


def _rounded_error(table: _Table, column: str, n: int) -> KitError:
    return DataError(
        f"{table.name}: '{column}' is a decimal column, and {n:,} of its values are no whole number below 2^53.",
        found="ids that may have been rounded to each other",
        to_try=f"export '{column}' as text",
    )


def _noted(table: _Table, of: int) -> list[Finding]:
    """Return what kept rows have that is worth a note or a warning."""
    notes = table.how.notes
    counts = table.count([f"reason IS NULL AND note__{reason}" for reason in notes], of=table.judged)
    return [
        table.found(reason, severity, n, of) for (reason, (severity, _)), n in zip(notes.items(), counts, strict=True)
    ]


_SAME = ("customer_id", "market", "currency")
_SUMMED = ("refunded_minor", "discount_minor")
_LATEST = ("refunded_us", "delivered_us", "promised_us")


def _grouped(columns: Mapping[str, str], judged: str) -> str:
    """Return SQL of orders from their lines: sums of money, the earliest time, of any other column the least.

    An order is cancelled when all its lines are; a cancelled line of another order adds no amount.
    """
    folded = {name: f"MAX({name})" for name in _LATEST}
    live = "SUM(CASE WHEN NOT cancelled THEN amount_minor END)"
    folded["amount_minor"] = f"CAST(COALESCE({live}, SUM(amount_minor)) AS BIGINT)"
    folded |= {name: f"CAST(SUM({name}) AS BIGINT)" for name in _SUMMED}
    folded["cancelled"] = "MIN(CASE WHEN cancelled THEN 1 ELSE 0 END) = 1"
    values = "".join(f", {folded.get(name, f'MIN({name})')} AS {name}" for name in columns if name != "order_id")
    mixed = " OR ".join(f"MIN({name}) <> MAX({name})" for name in _SAME)
    return f"""
        SELECT order_id, CAST(NULL AS VARCHAR) AS unknown__,
            CASE WHEN COUNT(j.reason) > 0 THEN 'incomplete_order' WHEN {mixed} THEN 'mixed_order' END AS reason
            {values}
        FROM {judged} AS j
        WHERE order_id IS NOT NULL
        GROUP BY order_id
        HAVING COUNT(*) > COUNT(j.reason)
    """


def _afterwards(table: _Table, of: int) -> list[Finding]:
    """Return what is worth saying of whole orders."""
    asked = _AFTERWARDS | (
        {"undated_refund": ("warning", "refunded_minor > 0 AND refunded_us IS NULL")}
        if table.source.refund_policy == "processed"
        else {}
    )
    counts = table.count([sql for _, sql in asked.values()], of="orders")
    return [
        finding("orders", reason, severity, n, of)
        for (reason, (severity, _)), n in zip(asked.items(), counts, strict=True)
    ]


def _verdict(findings: Findings, n_orders: int | None, *, explained: bool) -> list[KitError]:
    """Return why what is left of the tables must not be counted: nothing left, or too much refused.

    Parameters
    ----------
    explained : whether an error about the orders is told already, which no order being left would repeat.
    """
    if n_orders == 0:
        return [] if explained else [_nothing_left(findings)]
    try:
        findings.raise_if_too_many()
    except KitError as why:
        return [why]
    return []


def _nothing_left(findings: Findings) -> KitError:
    """Return the error for orders of which no row is left."""
    found = [finding.text for finding in findings.rows if finding.table == "orders"]
    return DataError(
        "No order is left: every row was refused or left out." if found else "orders has no rows.",
        found="\n".join(found),
        to_try="\n".join(findings.advice_on_none("orders")) if found else "another file, or export it again",
    )
