"""All tables of a source, converted and checked, in the engine; what was wrong told at once."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb

from retention_kit.config import Markets
from retention_kit.errors import DataError, KitError, UsageError, listed, missing_column, near_miss, shown
from retention_kit.ingest.convert import (
    Conversion,
    conversion,
    local_columns,
    local_us,
    needs_home,
    per_minor,
)
from retention_kit.ingest.expressions import literal, quoted
from retention_kit.ingest.findings import Finding, Findings, Severity, counted_names, finding, markets_told
from retention_kit.ingest.profile import TableProfile
from retention_kit.ingest.read import Raw, raw
from retention_kit.ingest.sources import Source
from retention_kit.ingest.tables import TABLES
from retention_kit.ingest.zones import DAY_US, local_offsets

_ORDER = ("exchange_rates", "orders", "customers")
_UNIQUE = {
    "orders": ("repeated_order_id", "market, order_id"),
    "customers": ("repeated_customer_id", "market, customer_id"),
    "exchange_rates": ("repeated_rate", "date_day, currency"),
}
"""What may come once only: the reason of a row that repeats it, and its columns."""

_AFTERWARDS = {
    "zero_amount": ("note", "amount_minor = 0 AND NOT cancelled"),
    "negative_amount": ("note", "amount_minor < 0 AND NOT cancelled"),
    "refunded_more_than_paid": ("warning", "refunded_minor > greatest(amount_minor, 0)"),
    "refunded_before_ordered": ("warning", "refunded_us < ordered_us"),
}
"""What is said of orders once they are whole: severity and SQL by reason."""


def load(source: Source, connection: duckdb.DuckDBPyConnection) -> Findings:
    """Create every table that has a file, typed, with the columns' engine names; return what was found.

    `orders` always has `refunded_minor` (0 where none), `refunded_us` and `cancelled`. Amounts are integer
    minor units of the order's own currency, times microseconds since 1970-01-01 UTC. A refused row is in
    no table.

    Raises
    ------
    DataError : a file that cannot be read, a column that is not there, markets that are not declared,
        several currencies without rates, more refused rows than the source allows.
    """
    findings, wrong = loaded(source, connection)
    for error in wrong:
        raise error
    return findings


def loaded(source: Source, connection: duckdb.DuckDBPyConnection) -> tuple[Findings, list[KitError]]:
    """Load as `load` does, but return the errors about what the data say instead of raising the first."""
    if source.engine is not None:
        raise in_an_engine(source)
    rows: list[Finding] = []
    wrong: dict[str, list[KitError]] = {}
    _create_market_names(source, connection)
    for table in _in_order(source):
        try:
            with raw(source, table, connection) as given:
                found, errors = _load_table(source, table, given, connection)
        except KitError as why:
            found, errors = [], [why]
        rows += found
        wrong[table] = errors
    connection.execute("DROP TABLE market_names; DROP TABLE IF EXISTS homes; DROP TABLE IF EXISTS local_days")
    profile = source.profile
    told = Findings(tuple(rows), source.max_refused, dict(profile.expected), source.where)
    errors = [error for errors in wrong.values() for error in errors]
    return told, [*errors, *_verdict(told, connection, explained=bool(wrong.get("orders")))]


def in_an_engine(source: Source) -> KitError:
    """Return the error for asking files of a source whose tables lie in an engine."""
    return UsageError(
        f"The data '{source.name}' lie in an engine of their own, not in files.",
        to_try="`retention-kit report` counts them there, and tells what is refused",
    )


def _in_order(source: Source) -> list[str]:
    """Return the tables that have files, those first that others look up."""
    order = [*_ORDER, *(table for table in TABLES if table not in _ORDER)]
    return [table for table in order if table in source.tables]


@dataclass(frozen=True)
class LoadedTable:
    """What is being loaded: a table of a source, how it is declared, its files, the engine."""

    name: str
    source: Source
    declared: TableProfile
    given: Raw
    engine: duckdb.DuckDBPyConnection

    def one(self, sql: str) -> tuple:
        """Return the only row of a query."""
        return self.engine.execute(sql).fetchall()[0]


def _load_table(
    source: Source, name: str, given: Raw, connection: duckdb.DuckDBPyConnection
) -> tuple[list[Finding], list[KitError]]:
    table = LoadedTable(name, source, source.profile.table(name), given, connection)
    unit = "order lines" if table.declared.group_by_order else name.replace("_", " ")
    offered = _offered(table)
    mapped, types = _mapped(table, offered)
    _prepare(table, types, mapped)
    how = conversion(name, types, table.declared, source.markets, mapped=mapped, rated=_rated(table))
    _create_converted(table, how)
    n_left_out = given.n_rows - given.n_unreadable - table.one(f"SELECT count(*) FROM {name}")[0]
    found = [
        finding(table.name, "unreadable_row", "refused", given.n_unreadable, given.n_rows, unit=unit),
        finding(table.name, "left_out", "note", n_left_out, given.n_rows, unit=unit),
    ]
    of = given.n_rows - n_left_out
    if table.declared.group_by_order:
        refused, errors = refusals(table, of, unit=unit)
        found += [*refused, *_noted(table, how, of, unit=unit)]
        of = _group(table, how)
        found += refusals(table, of, unit="orders")[0]
    else:
        if name != "orders" or not _rising(table, mapped):
            _refuse_repeated(table)
        refused, errors = refusals(table, of, unit=unit)
        found += [*refused, *_noted(table, how, of, unit=unit)]
    _finish(table, how)
    if name == "orders":
        found += _afterwards(table, of)
    return [finding for finding in found if finding.n], errors


def _offered(table: LoadedTable) -> dict[str, str]:
    """Return SQL by column that the profile maps, or that the files have by the kit's own name."""
    offered = {}
    for column in TABLES[table.name]:
        if column.name in table.declared.columns:
            offered[column.name] = table.declared.columns[column.name]
        elif column.name in table.given.columns:
            offered[column.name] = quoted(column.name)
        elif column.name == "market" and table.declared.market:
            offered["market"] = literal(table.declared.market)
        elif column.required and not (column.name == "currency" and table.declared.currency):
            raise missing_column(table.name, column.name, table.given.columns, where=table.source.where)
    return offered


def _mapped(table: LoadedTable, offered: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return SQL of the rows with the kit's columns and `row__`, and the type of each column."""
    columns = ", ".join(f"({sql}) AS {name}" for name, sql in offered.items())
    where = f" WHERE ({table.declared.where})" if table.declared.where else ""
    mapped = f"SELECT file_row_number AS row__, {columns} FROM {table.given.view}{where}"
    try:
        described = table.engine.execute(f"DESCRIBE {mapped}").fetchall()
    except duckdb.Error:
        raise _wrong_expression(table, offered) from None
    return mapped, {name: type_.strip('"') for name, type_, *_ in described if name != "row__"}


def _wrong_expression(table: LoadedTable, offered: Mapping[str, str]) -> KitError:
    """Return the error for the first expression of the profile that the engine cannot read."""
    asked = [*offered.items(), *([("where", table.declared.where)] if table.declared.where else [])]
    for name, sql in asked:
        try:
            table.engine.execute(f"DESCRIBE SELECT ({sql}) FROM {table.given.view}")
        except duckdb.Error as why:
            return _told(table, name, str(why))
    return DataError(f"{table.name}: its expressions do not go together.", to_try=f"check {table.source.where}")


def _told(table: LoadedTable, name: str, why: str) -> KitError:
    lacking = re.search(r'Referenced column "([^"]+)" not found', why)
    place = f"{table.source.where} [{table.name}]"
    if lacking:
        near = near_miss(lacking[1], table.given.columns)
        return DataError(
            f"{table.name} lacks '{lacking[1]}', of which {place} makes '{name}'.",
            found=listed(table.given.columns),
            to_try=f"'{near}' in its place" if near else "one of the columns above",
        )
    return DataError(
        f"{place} cannot make '{name}'.",
        found=shown(why.splitlines()[0], most=200),
        to_try="an expression of DuckDB's SQL over the file's columns",
    )


def _create_converted(table: LoadedTable, how: Conversion) -> None:
    """Create the table with its reasons, still with the rows that are refused."""
    try:
        table.engine.execute(f"CREATE TABLE {table.name} AS {how.select}")
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        # the engine's message would quote a value
        raise DataError(
            f"{table.name}: an expression of {table.source.where} fails on some row.",
            to_try="TRY_CAST instead of CAST, so that such rows are counted and named",
        ) from None


def _prepare(table: LoadedTable, types: Mapping[str, str], mapped: str) -> None:
    """Create the small tables that the conversion looks up: homes of customers, offsets of zones."""
    if needs_home(table.name, types, table.declared):
        known = "customers" if "customers" in _created(table.engine) else "orders"
        if known not in _created(table.engine):
            raise DataError(
                f"{table.name} cannot be placed in markets without orders or customers.",
                to_try="mend these first",
            )
        table.engine.execute(
            "CREATE OR REPLACE TEMP TABLE homes AS SELECT h.customer_id, n.code, n.zone, n.currency, n.per_minor "
            f"FROM (SELECT customer_id, min(market) AS market FROM {known} GROUP BY customer_id) AS h "
            "JOIN market_names AS n ON n.written = h.market"
        )
    local = local_columns(table.name, types, table.declared)
    if not local:
        return
    times = [local_us(column, types[column.name], table.declared) for column in local]
    spans = ", ".join(f"min({sql}), max({sql})" for sql in times)
    ends = [end for end in table.one(f"SELECT {spans} FROM ({mapped})") if end is not None]
    declared = table.declared.time_zone
    named = {ZoneInfo(declared)} if declared not in (None, "UTC", "market") else set()
    all_zones = named or {market.zone for market in table.source.markets.values()}
    _create_local_days(table.engine, all_zones, min(ends, default=0), max(ends, default=0))


def _create_local_days(
    connection: duckdb.DuckDBPyConnection, all_zones: Iterable[ZoneInfo], start_us: int, end_us: int
) -> None:
    """Create `local_days`: by zone and local day the offset it begins with, and when it changes to which."""
    first, last = start_us // DAY_US, end_us // DAY_US
    begins = [
        (zone.key, local_from, offset)
        for zone in all_zones
        for local_from, offset in local_offsets(zone, first * DAY_US, (last + 1) * DAY_US)
    ]
    values = ", ".join(f"('{zone}', {local_from}::BIGINT, {offset}::BIGINT)" for zone, local_from, offset in begins)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE local_days AS
        SELECT b.zone, d.day,
            arg_max(b.offset_us, b.local_from) FILTER (b.local_from <= d.day * {DAY_US}) AS before_us,
            min(b.local_from) FILTER (b.local_from > d.day * {DAY_US}) AS switch_us,
            arg_max(b.offset_us, b.local_from) AS after_us
        FROM (VALUES {values}) AS b (zone, local_from, offset_us)
        JOIN (SELECT unnest(range({first}, {last + 1})) AS day) AS d ON b.local_from < (d.day + 1) * {DAY_US}
        GROUP BY b.zone, d.day
        """
    )


def _create_market_names(source: Source, connection: duckdb.DuckDBPyConnection) -> None:
    rows = ", ".join(
        f"({literal(written)}, '{code}', '{market.time_zone}', '{market.currency}', {per_minor(market.digits)}::BIGINT)"
        for written, code in source.markets.by_written_name.items()
        for market in [source.markets[code]]
    )
    names = "written, code, zone, currency, per_minor"
    connection.execute(f"CREATE TEMP TABLE market_names AS FROM (VALUES {rows}) AS m ({names})")


def _created(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}


def _rated(table: LoadedTable) -> list[str]:
    if table.name != "orders" or "exchange_rates" not in _created(table.engine):
        return []
    rows = table.engine.execute("SELECT DISTINCT currency FROM exchange_rates ORDER BY 1").fetchall()
    return [currency for (currency,) in rows]


def _rising(table: LoadedTable, mapped: str) -> bool:
    """Return whether each row's order_id is greater than that of the row before, as most exports are: none comes twice.

    Rows read in another order than they are written in cannot pass by mistake.
    """
    given = table.one("SELECT current_setting('preserve_insertion_order')")[0]
    table.engine.execute("SET preserve_insertion_order = true")
    before = f"SELECT order_id, lag(order_id) OVER () AS before, row_number() OVER () AS nth FROM ({mapped})"
    rising = table.one(
        f"SELECT coalesce(bool_and(nth = 1 OR coalesce(order_id > before, false)), true) FROM ({before})"
    )[0]
    table.engine.execute(f"SET preserve_insertion_order = {str(given).lower()}")
    return rising


def _refuse_repeated(table: LoadedTable) -> None:
    """Mark the rows that repeat what may come once only; the first row of each stays.

    Hashes are compared first: integers are sorted several times faster than texts.
    """
    if table.name not in _UNIQUE:
        return
    reason, key = _UNIQUE[table.name]
    hashed = f"SELECT row__, hash({key}) AS hash__ FROM {table.name} WHERE reason IS NULL"
    before = f"SELECT hash__, lag(hash__) OVER (ORDER BY hash__) AS before__ FROM ({hashed})"
    repeated = f"SELECT DISTINCT hash__ FROM ({before}) WHERE hash__ = before__"
    if not table.one(f"SELECT count(*) FROM ({repeated})")[0]:
        return
    table.engine.execute(
        f"""
        UPDATE {table.name} SET reason = '{reason}' WHERE row__ IN (
            SELECT row__ FROM {table.name} WHERE reason IS NULL AND hash({key}) IN ({repeated})
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY row__) > 1
        )
        """
    )


def refusals(table: LoadedTable, of: int, *, unit: str) -> tuple[list[Finding], list[KitError]]:
    """Return the refusals by reason, and the errors that no share of refused rows excuses."""
    counted = table.engine.execute(
        f"SELECT reason, count(*) FROM {table.name} WHERE reason IS NOT NULL GROUP BY reason ORDER BY 2 DESC, 1"
    ).fetchall()
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
            errors.append(_no_rates_error(table, n))
        elif reason.startswith("rounded_"):
            errors.append(_rounded_error(table, reason, n))
        elif reason == "repeated_customer_id":
            severity = "note"
        found.append(finding(table.name, reason, severity, n, of, unit=unit, **facts))
    return found, errors


def _unknown_markets(table: LoadedTable) -> list[list]:
    names = f"SELECT unknown__, count(*) FROM {table.name} WHERE unknown__ IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    return [list(row) for row in table.engine.execute(names).fetchall()]


_MOST_NAMED, _MOST_NAMED_IF_RARE = 30, 5


def _are_nameable(table: LoadedTable, names: Sequence[Sequence]) -> bool:
    """Return whether unknown markets may be told by name: not if they are many, or look like customers."""
    rare = all(n <= 2 for _, n in names)
    if len(names) > (_MOST_NAMED_IF_RARE if rare else _MOST_NAMED):
        return False
    if any(re.search(r"\d{3}|@", name) for name, _ in names):
        return False
    same = "unknown__ IS NOT NULL AND unknown__ = customer_id"
    return not table.one(f"SELECT count(*) FILTER ({same}) FROM {table.name}")[0]


def _unknown_market_error(table: LoadedTable, names: Sequence[Sequence], told: list[list] | int) -> KitError:
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


def _no_rates_error(table: LoadedTable, n: int) -> KitError:
    currencies = table.engine.execute(
        "SELECT o.currency || ' in ' || o.market, count(*) FROM orders AS o "
        "WHERE o.reason = 'no_exchange_rate' GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    return DataError(
        "orders are in several currencies, and there are no exchange rates.",
        found=counted_names(currencies),
        to_try="a table exchange_rates with date, currency and rate, for the order's currency and the market's",
    )


def _rounded_error(table: LoadedTable, reason: str, n: int) -> KitError:
    column = reason.removeprefix("rounded_")
    return DataError(
        f"{table.name}: '{column}' is a decimal column, and {n:,} of its values are no whole number below 2^53.",
        found="ids that may have been rounded to each other",
        to_try=f"export '{column}' as text",
    )


def _noted(table: LoadedTable, how: Conversion, of: int, *, unit: str) -> list[Finding]:
    """Return what kept rows have that is worth a note or a warning."""
    if not how.noted:
        return []
    counts = table.one(
        f"SELECT {', '.join(f'count(*) FILTER (note__{reason})' for reason in how.noted)} "
        f"FROM {table.name} WHERE reason IS NULL"
    )
    return [
        finding(table.name, reason, severity, n, of, unit=unit)
        for (reason, severity), n in zip(how.noted.items(), counts, strict=True)
    ]


_SAME = ("customer_id", "market", "currency")
_FOLDED = {
    "ordered_us": "min(ordered_us)",
    "refunded_minor": "CAST(sum(refunded_minor) AS BIGINT)",
    "discount_minor": "CAST(sum(discount_minor) AS BIGINT)",
    "refunded_us": "max(refunded_us)",
    "delivered_us": "max(delivered_us)",
    "promised_us": "max(promised_us)",
    "cancelled": "bool_and(cancelled)",
}
"""How the lines of an order become one: SQL by column; any other column takes its smallest value."""


def _group(table: LoadedTable, how: Conversion) -> int:
    """Group order lines to orders; return how many orders there are, with those that are refused.

    An order is cancelled when all its lines are; a cancelled line of another order adds no amount.
    """
    names = [name for name in how.columns if name != "order_id"]
    folded = dict(_FOLDED)
    cancelled = "cancelled" in names
    live = " FILTER (NOT coalesce(cancelled, false))" if cancelled else ""
    total = f"sum(amount_minor){live}"
    folded["amount_minor"] = f"CAST(coalesce({total}, sum(amount_minor)) AS BIGINT)"
    values = ", ".join(f"{folded.get(name, f'min({name})')} AS {name}" for name in names)
    mixed = " OR ".join(f"min({name}) <> max({name})" for name in _SAME)
    table.engine.execute(
        f"""
        ALTER TABLE orders RENAME TO order_lines;
        CREATE TABLE orders AS
        SELECT order_id, min(row__) AS row__,
            CASE WHEN bool_or(reason IS NOT NULL) THEN 'incomplete_order' WHEN {mixed} THEN 'mixed_order' END AS reason,
            {values}
        FROM order_lines
        WHERE order_id IS NOT NULL
        GROUP BY order_id
        HAVING count(*) FILTER (reason IS NULL) > 0;
        DROP TABLE order_lines
        """
    )
    return table.one("SELECT count(*) FROM orders")[0]


def _finish(table: LoadedTable, how: Conversion) -> None:
    """Leave the kept rows and the engine's columns, and what orders always have."""
    name = table.name
    kept = set(how.columns)
    table.engine.execute(f"DELETE FROM {name} WHERE reason IS NOT NULL")
    there = [column for column, *_ in table.engine.execute(f"DESCRIBE {name}").fetchall()]
    for column in there:
        if column not in kept:
            table.engine.execute(f"ALTER TABLE {name} DROP COLUMN {column}")
    if name == "orders":
        _always(table, there)


def _always(table: LoadedTable, there: Sequence[str]) -> None:
    always = {"refunded_minor": "BIGINT DEFAULT 0", "refunded_us": "BIGINT", "cancelled": "BOOLEAN DEFAULT false"}
    for column, type_ in always.items():
        if column not in there:
            table.engine.execute(f"ALTER TABLE orders ADD COLUMN {column} {type_}")
        elif "DEFAULT" in type_:
            default = type_.split("DEFAULT ")[1]
            table.engine.execute(f"UPDATE orders SET {column} = {default} WHERE {column} IS NULL")


def _afterwards(table: LoadedTable, of: int) -> list[Finding]:
    """Return what is worth saying of whole orders."""
    asked = _AFTERWARDS | (
        {"undated_refund": ("warning", "refunded_minor > 0 AND refunded_us IS NULL")}
        if table.source.refund_policy == "processed"
        else {}
    )
    counts = table.one(f"SELECT {', '.join(f'count(*) FILTER ({sql})' for _, sql in asked.values())} FROM orders")
    return [
        finding(table.name, reason, severity, n, of, unit="orders")
        for (reason, (severity, _)), n in zip(asked.items(), counts, strict=True)
    ]


def _verdict(findings: Findings, connection: duckdb.DuckDBPyConnection, *, explained: bool) -> list[KitError]:
    """Return why what is left of the tables must not be counted: nothing left, or too much refused.

    Parameters
    ----------
    explained : whether an error about the orders is told already, which no order being left would repeat.
    """
    there = "orders" in _created(connection)
    if there and not connection.execute("SELECT count(*) FROM orders").fetchall()[0][0]:
        return [] if explained else [nothing_left(findings)]
    try:
        findings.raise_if_too_many()
    except KitError as why:
        return [why]
    return []


def nothing_left(findings: Findings) -> KitError:
    """Return the error for orders of which no row is left."""
    found = [finding.text for finding in findings.rows if finding.table == "orders"]
    return DataError(
        "No order is left: every row was refused or left out." if found else "orders has no rows.",
        found="\n".join(found),
        to_try="\n".join(findings.advice_on_none("orders")) if found else "another file, or export it again",
    )
