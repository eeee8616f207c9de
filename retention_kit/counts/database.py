"""Tables of a database become the kit's typed tables there: mapped, checked, refused with reasons, never copied out.

The profile's expressions are in DuckDB's dialect, as everywhere. Types are known before any row is read, so a column
that does not fit is an error at once, and only what a row can lack or exceed is counted.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlglot
from babel.numbers import list_currencies
from sqlglot import exp

from retention_kit.counts.engines import Engine, engine_of, shown_url
from retention_kit.errors import DataError, KitError, listed, missing_column, near_miss
from retention_kit.ingest import Finding, Findings, Source, TableProfile, minor_digits
from retention_kit.ingest.loading import LoadedTable, nothing_left, refusals
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.ingest.zones import DAY_US, local_offsets

_FITS = {
    Kind.ID: ("text", "integer"),
    Kind.TEXT: ("text", "integer", "flag"),
    Kind.MARKET: ("text", "integer"),
    Kind.INSTANT: ("instant", "clock", "day"),
    Kind.DATE: ("day", "clock", "instant"),
    Kind.MONEY: ("decimal", "integer", "float"),
    Kind.NUMBER: ("decimal", "integer", "float"),
    Kind.FLAG: ("flag", "integer"),
}
_WANTED = {
    Kind.ID: ("text or a whole number", "VARCHAR"),
    Kind.TEXT: ("text", "VARCHAR"),
    Kind.MARKET: ("text", "VARCHAR"),
    Kind.INSTANT: ("a date or time", "TIMESTAMP"),
    Kind.DATE: ("a date", "DATE"),
    Kind.MONEY: ("a number", "DECIMAL(18, 6)"),
    Kind.NUMBER: ("a number", "DOUBLE"),
    Kind.FLAG: ("true or false", "BOOLEAN"),
}
"""What a column of each kind is to be, in words, and a type to cast it to."""

_ORDER = ("exchange_rates", "orders", "customers")
_ONCE = {
    "orders": ("repeated_order_id", ("market", "order_id")),
    "customers": ("repeated_customer_id", ("market", "customer_id")),
    "exchange_rates": ("repeated_rate", ("date_day", "currency")),
}
_MOST_UNITS = 9_000_000_000_000
_FIRST, _LAST = "TIMESTAMP '1900-01-01 00:00:00'", "TIMESTAMP '2200-01-01 00:00:00'"
_REMEMBERED = "RETENTION_KIT_REMEMBERED"
_DECISIVE = ("refunded_amount", "refunded_at")


@dataclass(frozen=True)
class _Given:
    """A table as it lies in the engine: whose it is, and what its mapped columns hold."""

    name: str
    source: Source
    engine: Engine
    kinds: Mapping[str, str]

    @property
    def declared(self) -> TableProfile:
        """Return how the profile reads it."""
        return self.source.profile.table(self.name)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the kit's columns that it has."""
        return tuple(column for column in TABLES[self.name] if column.name in self.kinds)

    def has(self, *names: str) -> bool:
        """Return whether it has columns."""
        return all(name in self.kinds for name in names)

    @property
    def local(self) -> tuple[Column, ...]:
        """Return its times that are local to a zone; a day is, a clock is unless it is UTC's."""
        zoned = ("day",) if self.declared.time_zone in (None, "UTC") else ("day", "clock")
        return tuple(c for c in self.columns if c.kind is Kind.INSTANT and self.kinds[c.name] in zoned)

    @property
    def placed(self) -> str:
        """Return by which column a row's market is found: its own, its customer's, or none."""
        if self.has("market"):
            return "market"
        zone = self.local and self.declared.time_zone in ("market", "UTC", None)
        money = any(column.kind is Kind.MONEY for column in self.columns) and self.declared.currency is None
        return "customer_id" if self.has("customer_id") and (zone or money) else ""


def fingerprint(source: Source) -> str:
    """Return a sha256 that changes when the source, or a table of its engine, does.

    Of files: their names, sizes and times. Of PostgreSQL's own tables: its counters of rows ever inserted, updated and
    deleted; of views and of other engines: the number of rows and a sum of their hashes, which reads them once.
    Between `remember` and the end of the process, and in those it starts, it is what it was then.
    """
    if source.engine is None:
        return source.fingerprint()
    of_source, _, remembered = os.environ.get(_REMEMBERED, "").partition(" ")
    if of_source == source.fingerprint():
        return remembered
    with engine_of(source.engine) as engine:
        states = [(table, name, _state(engine, name, table, source)) for table, name in source.in_engine.items()]
    told = [source.fingerprint(), shown_url(source.engine), *states]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def remember(source: Source) -> None:
    """Take the data of a source to stay as they are: all markets of a run show one state of a database."""
    if source.engine is not None:
        os.environ[_REMEMBERED] = f"{source.fingerprint()} {fingerprint(source)}"


def _state(engine: Engine, name: str, table: str, source: Source) -> str:
    _columns_there(engine, name, table=table, source=source)
    return engine.state(engine.raw(name))


def load_in(engine: Engine, source: Source) -> Findings:
    """Create the typed tables of a source in the engine that holds its data; return what was found.

    Raises
    ------
    DataError : a table or column that is not there, a type that does not fit, markets that are not declared,
        several currencies without rates, more refused rows than the source allows.
    """
    rows: list[Finding] = []
    wrong: list[KitError] = []
    engine.load_rows("market_names", _market_names(source))
    engine.load_rows("minor_units", _minor_units(source))
    engine.complete("exchange_rates", {"currency": "VARCHAR"})
    engine.create("rated", "SELECT DISTINCT currency FROM exchange_rates")
    with engine.at_one_instant():
        for table in sorted(source.in_engine, key=lambda name: (*_ORDER, *TABLES).index(name)):
            try:
                found, errors = _load(engine, source, table)
            except engine.misfits:  # whose words would quote a value
                raise DataError(
                    f"{table}: an expression of {source.where} fails on some row.",
                    to_try="TRY_CAST instead of CAST, or a CASE that leaves such rows out, so that they are counted",
                ) from None
            rows += found
            wrong += errors
    findings = Findings(tuple(rows), source.max_refused, dict(source.profile.expected), source.where)
    for error in wrong:
        raise error
    if not engine.values("SELECT COUNT(*) AS n FROM orders")[0][0]:
        raise nothing_left(findings)
    findings.raise_if_too_many()
    return findings


def _load(engine: Engine, source: Source, name: str) -> tuple[list[Finding], list[KitError]]:
    given = _mapped(engine, source, name)
    if given.placed == "customer_id":
        _create_homes(given)
    _create_offsets(given)
    engine.create(f"judged_{name}", _judged(given))
    lines = given.declared.group_by_order
    found, errors = _found(given, unit="order lines" if lines else name.replace("_", " "))
    if lines:
        engine.create("grouped_orders", _grouped(given))
        engine.create("judged_orders", "SELECT * FROM grouped_orders")
        engine.drop("grouped_orders")
        found += _found(given, unit="orders")[0]
    else:
        found += _repeated(given)
    engine.create(name, f"SELECT {', '.join(_kept_columns(given))} FROM judged_{name} WHERE reason IS NULL")
    engine.drop(f"judged_{name}")
    if name == "exchange_rates":
        engine.create("rated", "SELECT DISTINCT currency FROM exchange_rates")
    return [finding for finding in found if finding.n], errors


def _mapped(engine: Engine, source: Source, name: str) -> _Given:
    """Create the view `mapped_<table>` of the kit's columns as the database has them, and return what they hold."""
    declared, raw = source.profile.table(name), source.in_engine[name]
    there = _columns_there(engine, raw, table=name, source=source)
    offered = _offered(name, declared, there, where=source.where)
    selected = ", ".join(f"({sql}) AS {column}" for column, sql in offered.items())
    where = f" WHERE ({declared.where})" if declared.where else ""
    query = engine.compiled(f"SELECT {selected} FROM given_table__{where}").replace("given_table__", engine.raw(raw))
    try:
        engine.view(f"mapped_{name}", query)
        kinds = engine.kinds(f"SELECT * FROM mapped_{name}")
    except engine.refusals as why:
        raise DataError(
            f"{source.where} [{name}] cannot be read by {engine.shown}.",
            found=str(why).strip().splitlines()[0],
            to_try="expressions of DuckDB's SQL over the table's columns",
        ) from None
    given = _Given(name, source, engine, kinds)
    _refuse_types(given)
    return given


def _columns_there(engine: Engine, raw: str, *, table: str, source: Source) -> list[str]:
    try:
        return list(engine.kinds(f"SELECT * FROM {engine.raw(raw)}"))
    except engine.refusals:
        names = engine.names()
        near = near_miss(raw, names)
        raise DataError(
            f"There is no table '{raw}' in {engine.shown}, of which {source.where} makes {table}.",
            found=listed(names),
            to_try=f"'{near}'" if near else "the name of a table or view, as schema.name, that the user may read",
        ) from None


def _offered(name: str, declared: TableProfile, there: Sequence[str], *, where: str) -> dict[str, str]:
    """Return SQL by column that the profile maps, or that the table has by the kit's own name."""
    known = {column.casefold() for column in there}
    offered = {}
    for column in TABLES[name]:
        if column.name in declared.columns:
            offered[column.name] = declared.columns[column.name]
        elif column.name in known:
            offered[column.name] = column.name
        elif column.required and not (column.name == "currency" and declared.currency):
            raise missing_column(name, column.name, there, where=where)
    for column, sql in [*offered.items(), *([("where", declared.where)] if declared.where else [])]:
        for lacking in _asked_columns(sql, column, table=name, where=where):
            if lacking.casefold() not in known:
                near = near_miss(lacking, there)
                raise DataError(
                    f"{name} lacks '{lacking}', of which {where} [{name}] makes '{column}'.",
                    found=listed(there),
                    to_try=f"'{near}' in its place" if near else "one of the columns above",
                )
    return offered


def _asked_columns(sql: str, column: str, *, table: str, where: str) -> list[str]:
    try:
        return [found.name for found in sqlglot.parse_one(sql, read="duckdb").find_all(exp.Column)]
    except sqlglot.errors.SqlglotError as why:
        raise DataError(
            f"{where} [{table}] cannot make '{column}'.",
            found=str(why).splitlines()[0],
            to_try="an expression of DuckDB's SQL over the table's columns",
        ) from None


def _refuse_types(given: _Given) -> None:
    wrong = [column for column in given.columns if given.kinds[column.name] not in _FITS[column.kind]]
    where, raw = given.source.where, given.source.in_engine[given.name]
    if wrong:
        raise DataError(
            f"{raw} holds what {given.name} cannot take.",
            found="\n".join(f"'{c.name}' is {given.kinds[c.name]}, not {_WANTED[c.kind][0]}" for c in wrong),
            to_try="\n".join(
                f'[{given.name}.columns] {c.name} = "CAST({given.declared.columns.get(c.name, c.name)}'
                f' AS {_WANTED[c.kind][1]})" in {where}'
                for c in wrong
            ),
        )
    clocks = [c.name for c in given.columns if c.kind is Kind.INSTANT and given.kinds[c.name] == "clock"]
    if clocks and given.declared.time_zone is None:
        raise DataError(
            f"{raw} has times without a zone, and {where} declares none.",
            found=listed(clocks),
            to_try=f'[{given.name}] time_zone = "UTC", "market", or the name of a zone',
        )


def _market_names(source: Source) -> list[dict[str, str]]:
    rows = [(written, source.markets[code]) for written, code in source.markets.by_written_name.items()]
    return [{"written": w, "code": m.code, "zone": m.time_zone, "currency": m.currency} for w, m in rows]


def _minor_units(source: Source) -> list[dict[str, object]]:
    """Return how many minor units one unit of a currency is, in each market; what is not here is no currency."""
    return [
        {"market": market.code, "currency": currency, "per_unit": 10 ** minor_digits(currency, market, source.markets)}
        for market in source.markets.values()
        for currency in sorted(list_currencies())
    ]


def _create_homes(given: _Given) -> None:
    known = "customers" if "customers" in given.source.in_engine and given.name != "customers" else "orders"
    given.engine.create(
        "homes",
        "SELECT h.customer_id, n.code, n.zone, n.currency "
        f"FROM (SELECT customer_id, MIN(market) AS market FROM {known} GROUP BY customer_id) AS h "
        "JOIN market_names AS n ON n.written = h.market",
    )


def _create_offsets(given: _Given) -> None:
    """Create `local_offsets`: by zone, from which local time to which its offset is taken."""
    if not given.local:
        return
    ends = ", ".join(f"MIN({_us(given, c)}) AS a{n}, MAX({_us(given, c)}) AS z{n}" for n, c in enumerate(given.local))
    found = [
        end
        for end in given.engine.values(f"SELECT {ends} FROM mapped_{given.name}")[0]
        if end == end and end is not None
    ]
    span = (int(min(found, default=0)) // DAY_US * DAY_US, (int(max(found, default=0)) // DAY_US + 1) * DAY_US)
    declared = given.declared.time_zone
    named = {ZoneInfo(declared)} if declared not in (None, "UTC", "market") else set()
    rows = []
    for zone in sorted(named or {market.zone for market in given.source.markets.values()}, key=lambda zone: zone.key):
        starts = local_offsets(zone, *span)
        ends_us = [*(start for start, _ in starts[1:]), 2**62]
        rows += [
            {"zone": zone.key, "from_us": start, "to_us": end, "offset_us": offset}
            for (start, offset), end in zip(starts, ends_us, strict=True)
        ]
    given.engine.load_rows("local_offsets", rows)


def _us(given: _Given, column: Column) -> str:
    """Return SQL of a time in microseconds, local where it is local; NULL where it lies out of all calendars."""
    us = given.engine.micros[given.kinds[column.name]].format(column.name)
    return f"CASE WHEN {column.name} >= {_FIRST} AND {column.name} < {_LAST} THEN {us} END"


def _judged(given: _Given) -> str:
    """Return SQL of the converted rows with the reason why one is refused, NULL where it is kept."""
    names = [column.name for column in given.columns]
    measured = ", ".join(f"{_measured(given, column)} AS {column.name}" for column in given.columns)
    large = [c.name for c in given.columns if c.kind is Kind.MONEY]
    given_too = [c.name for c in given.columns if c.kind is Kind.INSTANT]
    flags = "".join(f", {name} IS NOT NULL AND ABS({name}) > {_MOST_UNITS} AS {name}__large" for name in large)
    flags += "".join(f", {name} IS NOT NULL AS {name}__given" for name in given_too)
    values = ", ".join(f"{_value(given, column)} AS {column.engine_name}" for column in given.columns)
    if "currency" not in names and given.name == "orders":
        values += ", currency__ AS currency"
    unknown = "CASE WHEN reason = 'unknown_market' THEN market END" if given.has("market") else "CAST(NULL AS VARCHAR)"
    extra = {
        "market": "home.code AS market__, home.zone AS zone__, home.currency AS own__",
        "customer_id": "home.code AS market__, home.zone AS zone__, home.currency AS own__",
        "": "CAST(NULL AS VARCHAR) AS market__, CAST(NULL AS VARCHAR) AS zone__, CAST(NULL AS VARCHAR) AS own__",
    }[given.placed]
    home = {
        "market": "LEFT JOIN market_names AS home ON home.written = p.market",
        "customer_id": "LEFT JOIN homes AS home ON home.customer_id = p.customer_id",
        "": "",
    }[given.placed]
    shifts = "".join(f", COALESCE(z_{c.name}.offset_us, 0) AS {c.name}__shift" for c in given.local)
    return f"""
WITH measured AS (
    SELECT {measured}{flags} FROM mapped_{given.name}
), placed AS (
    SELECT p.*, {extra} FROM measured AS p {home}
), paid AS (
    SELECT *, {_currency(given)} AS currency__ FROM placed
), settled AS (
    SELECT p.*, u.per_unit AS per__, r.currency AS rated__, o.currency AS own_rated__{shifts}
    FROM paid AS p
    LEFT JOIN minor_units AS u ON u.market = p.market__ AND u.currency = p.currency__
    LEFT JOIN rated AS r ON r.currency = p.currency__
    LEFT JOIN rated AS o ON o.currency = p.own__
    {" ".join(_offset_join(given, column) for column in given.local)}
), judged AS (
    SELECT *, {_reason(given)} AS reason FROM settled
)
SELECT reason, {unknown} AS unknown__, {values}
FROM judged
"""


def _measured(given: _Given, column: Column) -> str:
    name, kind = column.name, given.kinds[column.name]
    text = given.engine.text.format(name)
    if column.kind is Kind.ID:
        return f"CASE WHEN TRIM({text}) <> '' THEN {text} END"
    if column.kind in (Kind.TEXT, Kind.MARKET):
        return f"CASE WHEN TRIM({text}) <> '' THEN TRIM({text}) END"
    if column.kind is Kind.INSTANT:
        return _us(given, column)
    if column.kind is Kind.DATE:
        return f"CAST({given.engine.micros['day'].format(f'CAST({name} AS DATE)')} // {DAY_US} AS BIGINT)"
    if column.kind is Kind.FLAG and kind == "integer":
        return f"{name} <> 0"
    return f"CAST({name} AS DOUBLE)" if column.kind is Kind.NUMBER else name


def _currency(given: _Given) -> str:
    own = "currency" if given.has("currency") else "CAST(NULL AS VARCHAR)"
    if not given.has("currency") and given.declared.currency:
        own = f"'{given.declared.currency}'"
    return own if given.name in ("orders", "exchange_rates") else f"COALESCE({own}, own__)"


def _offset_join(given: _Given, column: Column) -> str:
    named = given.declared.time_zone not in (None, "UTC", "market")
    zone = f"'{given.declared.time_zone}'" if named else "p.zone__"
    z, us = f"z_{column.name}", f"p.{column.name}"
    return f"LEFT JOIN local_offsets AS {z} ON {z}.zone = {zone} AND {us} >= {z}.from_us AND {us} < {z}.to_us"


def _value(given: _Given, column: Column) -> str:
    """Return SQL of a column as the engine counts it, from `judged`."""
    name = column.name
    if column.kind is Kind.MARKET:
        return "market__"
    if name == "currency":
        return "currency__"
    if column.kind is Kind.INSTANT:
        return f"{name} - {name}__shift" if column in given.local else name
    if column.kind is not Kind.MONEY:
        return f"COALESCE({name}, FALSE)" if name == "cancelled" else name
    minor = f"CASE WHEN NOT {name}__large THEN {_minor(name, given.kinds[name])} END"
    return f"COALESCE({minor}, 0)" if name == "refunded_amount" else minor


def _minor(name: str, kind: str) -> str:
    """Return SQL of an amount in minor units, rounded half to even, as files are read."""
    if kind == "integer":
        return f"CAST({name} AS BIGINT) * per__"
    if kind == "decimal":
        exact = f"CAST({name} AS DECIMAL(22, 9)) * CAST(per__ AS DECIMAL(7, 0))"
        whole, rest = f"CAST(FLOOR({exact}) AS BIGINT)", f"({exact} - FLOOR({exact}))"
        return f"{whole} + CASE WHEN {rest} > 0.5 OR ({rest} = 0.5 AND {whole} % 2 <> 0) THEN 1 ELSE 0 END"
    sign = f"CASE WHEN {name} < 0 THEN -1 ELSE 1 END"
    millionths = f"CAST(FLOOR(ABS({name}) * 1000000 + 0.5) AS BIGINT)"
    unit = "(1000000 // per__)"
    twice = f"2 * ({millionths} % {unit})"
    up = f"{twice} > {unit} OR ({twice} = {unit} AND ({millionths} // {unit}) % 2 <> 0)"
    return f"({millionths} // {unit} + CASE WHEN {up} THEN 1 ELSE 0 END) * {sign}"


def _reason(given: _Given) -> str:
    cases = [(f"no_{c.name}", _missing(given, c)) for c in given.columns if c.required]
    if given.name == "orders" and not given.has("currency") and not given.declared.currency:
        cases.append(("no_currency", "currency__ IS NULL"))
    for column in given.columns:
        if not (column.required or column.name in _DECISIVE):
            continue
        if column.kind is Kind.INSTANT:
            cases.append((f"unparsable_{column.name}", f"{column.name}__given AND {column.name} IS NULL"))
        if column.kind is Kind.MONEY:
            cases.append((f"large_{column.name}", f"{column.name}__large"))
    if given.has("market"):
        cases.append(("unknown_market", "market__ IS NULL"))
    if given.name in ("orders", "subscriptions"):
        cases.append(("unknown_currency", "per__ IS NULL"))
    if given.name == "exchange_rates":
        known = ", ".join(f"'{code}'" for code in sorted(list_currencies()))
        cases.append(("unknown_currency", f"currency NOT IN ({known})"))
        cases.append(("unusable_rate", "NOT (rate > 0 AND rate < 1e300)"))
    if given.name == "orders":
        cases.append(("no_exchange_rate", "currency__ <> own__ AND (rated__ IS NULL OR own_rated__ IS NULL)"))
    if given.has("refunded_amount"):
        cases.append(("negative_refund", "refunded_amount < 0"))
    return f"CASE {' '.join(f'WHEN {sql} THEN {chr(39)}{reason}{chr(39)}' for reason, sql in cases)} END"


def _missing(given: _Given, column: Column) -> str:
    return f"NOT {column.name}__given" if column.kind is Kind.INSTANT else f"{column.name} IS NULL"


class _Answers:
    """A connection as `refusals` asks one, over an engine: the table it names is the judged one."""

    def __init__(self, given: _Given) -> None:
        self._given = given
        self._rows: list[tuple] = []

    def execute(self, sql: str) -> "_Answers":
        """Ask."""
        self._rows = self._given.engine.values(
            sql.replace(f"FROM {self._given.name}", f"FROM judged_{self._given.name}")
        )
        return self

    def fetchall(self) -> list[tuple]:
        """Return the answer."""
        return self._rows


def _found(given: _Given, *, unit: str) -> tuple[list[Finding], list[KitError]]:
    asked = LoadedTable(given.name, given.source, given.declared, None, _Answers(given))
    n = int(given.engine.values(f"SELECT COUNT(*) AS n FROM judged_{given.name}")[0][0])
    return refusals(asked, n, unit=unit)


def _kept_columns(given: _Given) -> list[str]:
    names = [column.engine_name for column in given.columns]
    return [*names, "currency"] if given.name == "orders" and "currency" not in names else names


def _repeated(given: _Given) -> list[Finding]:
    """Refuse rows that repeat what may come once only, if there are any; of each the least stays, column by column."""
    if given.name not in _ONCE:
        return []
    reason, key = _ONCE[given.name]
    keys, kept = ", ".join(key), f"FROM judged_{given.name} WHERE reason IS NULL"
    twice = f"SELECT {keys}, COUNT(*) AS n {kept} GROUP BY {keys} HAVING COUNT(*) > 1"
    if not given.engine.values(f"SELECT COUNT(*) AS n FROM ({twice}) AS twice")[0][0]:
        return []
    columns = _kept_columns(given)
    rest = ", ".join(column for column in columns if column not in key)
    marked = f"""
        SELECT CASE WHEN reason IS NULL AND nth > 1 THEN '{reason}' ELSE reason END AS reason,
            unknown__, {", ".join(columns)}
        FROM (
            SELECT *, ROW_NUMBER() OVER (PARTITION BY {keys}, reason ORDER BY {rest}) AS nth FROM judged_{given.name}
        ) AS numbered
    """
    given.engine.create("marked_rows", marked)
    given.engine.create(f"judged_{given.name}", "SELECT * FROM marked_rows")
    given.engine.drop("marked_rows")
    found, _ = _found(given, unit=given.name.replace("_", " "))
    return [finding for finding in found if finding.reason == reason]


_SUMMED = ("refunded_minor", "discount_minor")
_LATEST = ("refunded_us", "delivered_us", "promised_us")


def _grouped(given: _Given) -> str:
    """Return SQL of orders from their lines; an order is cancelled when all its lines are."""
    names = [name for name in _kept_columns(given) if name != "order_id"]
    total = "SUM(amount_minor)"
    folded = {name: f"SUM({name})" for name in _SUMMED} | {name: f"MAX({name})" for name in _LATEST}
    folded["amount_minor"] = total
    if "cancelled" in names:
        folded["cancelled"] = "MIN(CASE WHEN cancelled THEN 1 ELSE 0 END) = 1"
        folded["amount_minor"] = f"COALESCE(SUM(CASE WHEN NOT cancelled THEN amount_minor END), {total})"
    values = ", ".join(f"{folded.get(name, f'MIN({name})')} AS {name}" for name in names)
    mixed = " OR ".join(f"MIN({name}) <> MAX({name})" for name in ("customer_id", "market", "currency"))
    return f"""
        SELECT order_id, CAST(NULL AS VARCHAR) AS unknown__,
            CASE WHEN COUNT(j.reason) > 0 THEN 'incomplete_order' WHEN {mixed} THEN 'mixed_order' END AS reason,
            {values}
        FROM judged_orders AS j
        WHERE order_id IS NOT NULL
        GROUP BY order_id
        HAVING COUNT(*) > COUNT(j.reason)
    """
