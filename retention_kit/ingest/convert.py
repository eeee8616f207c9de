"""Columns as written become what the engine counts: ids as text, money as integers, times as UTC, each checked.

One table is one SQL statement, told as named steps: `mapped` (the profile's expressions), `measured` (each
column converted on its own), `placed` (the market found), `settled` (money and times in their final units),
and the reason why a row is refused, if it is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from babel.numbers import get_currency_precision, list_currencies

from retention_kit.config import Market, Markets
from retention_kit.ingest.expressions import literal
from retention_kit.ingest.profile import TableProfile
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.ingest.zones import DAY_US

MOST_DECIMALS = 6
"""Amounts are measured in millionths, texts and long decimals in billionths, before they become minor units."""

_MOST_UNITS = 9_000_000_000_000
_EARLIEST_US, _LATEST_US = -70 * 366 * DAY_US, 230 * 366 * DAY_US
_FLOATS = ("DOUBLE", "FLOAT")
_INTEGERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
)
_PLUS_DAYS = 100_000  # added before a day is cut off, so that the division never meets a negative number
_DECISIVE = ("refunded_amount", "refunded_at", "cancelled")
_ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?"
_ISO_OFFSET = r" ?(Z|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True)
class Measured:
    """One column converted on its own.

    Parameters
    ----------
    parts : SQL by column of the step `measured`; the column's own name holds its value.
    given : SQL, whether the file says anything.
    wrong : (reason, SQL) over those parts, why a value cannot be taken.
    noted : (reason, SQL) over those parts, what is worth a note.
    """

    parts: Mapping[str, str]
    given: str
    wrong: Sequence[tuple[str, str]] = ()
    noted: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Conversion:
    """How one table is converted.

    Parameters
    ----------
    select : SQL of the converted rows: `row__`, `reason` (NULL where kept), `unknown__` (a market that is
        not declared), one `note__…` per noted reason, and the engine's columns.
    columns : the engine's columns, in order.
    noted : severity by noted reason.
    """

    select: str
    columns: tuple[str, ...]
    noted: Mapping[str, str]


def minor_digits(currency: str, market: Market | None, markets: Markets) -> int:
    """Return how many decimals an amount is counted with: those of the market, if it is its currency.

    An order in another currency takes the digits of the markets that have it, else the currency's own.
    """
    if market is not None and market.currency == currency:
        return market.digits
    return {m.currency: m.digits for m in markets.values()}.get(currency, get_currency_precision(currency))


def conversion(
    table: str,
    types: Mapping[str, str],
    declared: TableProfile,
    markets: Markets,
    *,
    mapped: str,
    rated: Sequence[str] | None,
) -> Conversion:
    """Return how the mapped rows of a table are converted.

    Parameters
    ----------
    types : the engine's type of each column that the files or the profile offer.
    mapped : SQL of the rows with those columns and `row__`.
    rated : currencies that have exchange rates.
    """
    columns = [column for column in TABLES[table] if column.name in types]
    measured = {column.name: _measured(column, types[column.name], declared) for column in columns}
    timed = [column.name for column in local_columns(table, types, declared)]
    notes = _notes(columns, measured)
    values = {column.engine_name: _value(column, timed) for column in columns}
    if table == "orders":
        values["currency"] = "currency"
        if "refunded_minor" in values:
            values["refunded_minor"] = f"coalesce({values['refunded_minor']}, 0)"
    select = f"""
WITH mapped AS (
    {mapped}
), measured AS (
    SELECT row__, {_parts(measured)} FROM mapped
), placed AS (
    SELECT measured.*{" EXCLUDE (currency)" if "currency" in types else ""},
        home.code AS market__, home.zone AS zone__, home.currency AS own__, home.per_minor AS own_per__,
        {_currency(table, types, declared)} AS currency
    FROM measured {_placing(table, types, declared)}
), settled AS (
    SELECT *, {_per_minor(markets)} AS per__ FROM placed
), timed AS (
    SELECT settled.*{"".join(f", {_shift(name)} AS {name}__shift" for name in timed)}
    FROM settled {" ".join(_offset_join(name, declared) for name in timed)}
), judged AS (
    SELECT *, {_judgement(table, columns, measured, rated)} AS reason FROM timed
)
SELECT
    row__, reason,
    {"CASE WHEN reason = 'unknown_market' THEN market END" if "market" in types else "NULL"} AS unknown__,
    {"".join(f"coalesce({sql}, false) AS note__{reason}, " for reason, _, sql in notes)}
    {", ".join(f"{sql} AS {name}" for name, sql in values.items())}
FROM judged
"""
    return Conversion(select, tuple(values), {reason: severity for reason, severity, _ in notes})


def _measured(column: Column, type_: str, declared: TableProfile) -> Measured:
    measure = {
        Kind.ID: _id,
        Kind.TEXT: _text,
        Kind.MARKET: _text,
        Kind.INSTANT: _instant,
        Kind.DATE: _date,
        Kind.MONEY: _money,
        Kind.NUMBER: _number,
        Kind.FLAG: _flag,
    }[column.kind]
    return measure(column.name, type_, declared)


def _given(name: str, type_: str) -> str:
    """Return SQL, whether a value is there: nothing but '' (or blanks) is missing; NA is Namibia."""
    return f"trim({name}) <> '' AND {name} IS NOT NULL" if type_ == "VARCHAR" else f"{name} IS NOT NULL"


def _id(name: str, type_: str, declared: TableProfile) -> Measured:
    if type_ not in _FLOATS:
        return Measured({name: f"CAST({name} AS VARCHAR)"}, _given(name, type_))
    whole = f"({name} = trunc({name}) AND abs({name}) < 9007199254740992)"
    return Measured(
        {
            name: f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) END",
            f"{name}__given": f"{name} IS NOT NULL",
        },
        _given(name, type_),
        wrong=[(f"rounded_{name}", f"{name}__given AND {name} IS NULL")],
        noted=[(f"decimal_{name}", f"{name} IS NOT NULL")],
    )


def _text(name: str, type_: str, declared: TableProfile) -> Measured:
    return Measured({name: _trimmed(f"CAST({name} AS VARCHAR)")}, _given(name, type_))


def _trimmed(text: str) -> str:
    """Return SQL of a text without blanks at its ends, NULL where nothing is left.

    Most texts are ASCII without a blank: to see that takes a third of what trimming takes.
    """
    plain = f"{text} <> '' AND strlen({text}) = length({text}) AND NOT contains({text}, ' ')"
    return f"CASE WHEN {plain} THEN {text} ELSE nullif(trim({text}), '') END"


def _flag(name: str, type_: str, declared: TableProfile) -> Measured:
    if type_ in ("BOOLEAN", *_INTEGERS):
        return Measured({name: f"CAST({name} AS BOOLEAN)"}, _given(name, type_))
    folded = f"lower(trim(CAST({name} AS VARCHAR)))"
    value = f"CASE WHEN {folded} IN ('true', 't', '1') THEN true WHEN {folded} IN ('false', 'f', '0') THEN false END"
    return _checked(name, type_, {name: value}, f"unparsable_{name}")


def _number(name: str, type_: str, declared: TableProfile) -> Measured:
    if type_ != "VARCHAR":
        return Measured({name: f"TRY_CAST({name} AS DOUBLE)"}, _given(name, type_))
    return _checked(name, type_, {name: f"TRY_CAST({_plain_number(name, declared)} AS DOUBLE)"}, f"unparsable_{name}")


def _money(name: str, type_: str, declared: TableProfile) -> Measured:
    """Measure an amount in integers: `value` × `name__scale`, so that nothing is rounded by the engine."""
    value, scale, unreadable = _scaled(name, type_, declared)
    given = _given(name, type_)
    return Measured(
        {name: value, f"{name}__unparsable": f"({given}) AND ({unreadable})", f"{name}__given": given}
        | {f"{name}__scale": str(10 ** (scale - 6))},
        given,
        wrong=[
            (f"unparsable_{name}", f"{name}__unparsable"),
            (f"large_{name}", f"{name}__given AND {name} IS NULL AND NOT {name}__unparsable"),
        ],
        noted=[] if type_ in _INTEGERS else [(f"finer_{name}", f"{name} % ({name}__scale * per__) <> 0")],
    )


def _scaled(name: str, type_: str, declared: TableProfile) -> tuple[str, int, str]:
    """Return SQL of an amount as an integer, the decimals it is measured with, and SQL whether it is no number."""
    if type_ in _FLOATS:
        fits = f"isfinite({name}) AND abs({name}) <= {_MOST_UNITS}"
        return f"CASE WHEN {fits} THEN CAST(round({name} * 1e6) AS BIGINT) END", 6, f"NOT isfinite({name})"
    if type_ in _INTEGERS:
        fits = f"abs(CAST({name} AS HUGEINT)) <= {_MOST_UNITS}"
        return f"CASE WHEN {fits} THEN CAST({name} AS BIGINT) * 1000000 END", 6, "false"
    short = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", type_)
    if short and int(short[1]) + int(short[2]) < 18 and int(short[1]) <= 12 and int(short[2]) <= 6:
        digits = int(short[2])  # fits 64 bits all the way
        whole = f"CAST({name} * CAST({10**digits} AS DECIMAL({digits + 1}, 0)) AS BIGINT)"
        return f"{whole} * {10 ** (6 - digits)}", 6, "false"
    text = _plain_number(name, declared) if type_ == "VARCHAR" else name
    decimal = f"TRY_CAST({text} AS DECIMAL(38, 9))"
    fits = f"abs({decimal}) <= {_MOST_UNITS}"
    return f"CASE WHEN {fits} THEN CAST({decimal} * 1000000000 AS HUGEINT) END", 9, f"{decimal} IS NULL"


def _date(name: str, type_: str, declared: TableProfile) -> Measured:
    epoch = "DATE '1970-01-01'"
    if type_ == "DATE" or type_.startswith("TIMESTAMP"):
        return Measured(
            {name: f"CAST(CAST(CAST({name} AS TIMESTAMP) AS DATE) - {epoch} AS INTEGER)"}, _given(name, type_)
        )
    parsed = _parsed(name, declared)
    return _checked(
        name,
        type_,
        {name: f"CAST(CAST(CAST({parsed} AS TIMESTAMP) AS DATE) - {epoch} AS INTEGER)"},
        f"unparsable_{name}",
    )


def _instant(name: str, type_: str, declared: TableProfile) -> Measured:
    """Measure a time in microseconds, and say by `name__form` what it is: `absolute`, a `clock` or a `day`."""
    if type_ == "TIMESTAMP WITH TIME ZONE":
        value, form = f"epoch_us({name})", "'absolute'"
    elif type_ == "DATE":
        value, form = f"epoch_us(CAST({name} AS TIMESTAMP))", "'day'"
    elif type_.startswith("TIMESTAMP"):
        value, form = f"epoch_us(CAST({name} AS TIMESTAMP))", "'clock'"
    elif declared.date_format:
        value, form = f"epoch_us({_parsed(name, declared)})", literal(_form_of(declared.date_format))
    else:
        value, form = _iso_us(name), _iso_form(name)
    given = _given(name, type_)
    return Measured(
        {
            name: f"CASE WHEN {value} BETWEEN {_EARLIEST_US} AND {_LATEST_US} THEN {value} END",
            f"{name}__far": f"{value} NOT BETWEEN {_EARLIEST_US} AND {_LATEST_US}",
            f"{name}__form": form,
            f"{name}__given": given,
        },
        given,
        wrong=[
            (f"far_{name}", f"{name}__far"),
            (f"unparsable_{name}", f"{name}__given AND {name} IS NULL AND NOT coalesce({name}__far, false)"),
            *(
                [(f"zoneless_{name}", f"{name} IS NOT NULL AND {name}__form = 'clock'")]
                if declared.time_zone is None and form not in ("'absolute'", "'day'")
                else []
            ),
        ],
    )


def _checked(name: str, type_: str, parts: dict[str, str], reason: str) -> Measured:
    given = _given(name, type_)
    return Measured({**parts, f"{name}__given": given}, given, wrong=[(reason, f"{name}__given AND {name} IS NULL")])


def _plain_number(name: str, declared: TableProfile) -> str:
    """Return SQL of a number's text with a decimal point, NULL where it is not written as declared."""
    decimal, thousands = _escaped(declared.decimal), _escaped(declared.thousands)
    whole = rf"(\d+|\d{{1,3}}({thousands}\d{{3}})+)" if thousands else r"\d+"
    plain = f"trim({name})"
    if thousands:
        plain = f"replace({plain}, {literal(declared.thousands)}, '')"
    if declared.decimal != ".":
        plain = f"replace({plain}, {literal(declared.decimal)}, '.')"
    pattern = literal(rf"[+-]?{whole}({decimal}\d+)?")
    return f"CASE WHEN regexp_full_match(trim({name}), {pattern}) THEN {plain} END"


def _escaped(text: str) -> str:
    return f"\\{text}" if text == "." else text


def _parsed(name: str, declared: TableProfile) -> str:
    """Return SQL of the time that a text says, by the declared formats; ISO 8601 where there are none."""
    if not declared.date_format:
        return f"make_timestamp({_iso_us(name)})"
    formats = ", ".join(literal(text) for text in declared.date_format)
    one = formats if len(declared.date_format) == 1 else f"[{formats}]"
    return f"try_strptime(trim({name}), {one})"


def _form_of(formats: Sequence[str]) -> str:
    if any("%z" in text for text in formats):
        return "absolute"
    return "clock" if any(mark in text for text in formats for mark in ("%H", "%I", "%T", "%X", "%c")) else "day"


def _iso_us(name: str) -> str:
    text = f"trim({name})"
    clock = f"replace(regexp_replace({text}, {literal(_ISO_OFFSET)}, ''), ',', '.')"
    local = f"CASE WHEN length({text}) > 10 THEN TRY_CAST({clock} AS TIMESTAMP) ELSE TRY_CAST({text} AS TIMESTAMP) END"
    sign = f"CASE WHEN {_part(text, 1)} = '-' THEN -1 ELSE 1 END"
    minutes = f"({_number_of(text, 2)} * 60 + {_number_of(text, 3)})"
    offset = f"CASE WHEN length({text}) > 10 THEN {sign} * {minutes} * 60000000 ELSE 0 END"
    return f"CASE WHEN regexp_full_match({text}, {literal(_ISO)}) THEN epoch_us({local}) - {offset} END"


def _part(text: str, group: int) -> str:
    return f"regexp_extract({text}, '([+-])(\\d{{2}}):?(\\d{{2}})$', {group})"


def _number_of(text: str, group: int) -> str:
    return f"coalesce(TRY_CAST({_part(text, group)} AS BIGINT), 0)"


def _iso_form(name: str) -> str:
    return (
        f"CASE WHEN length(trim({name})) = 10 THEN 'day' "
        f"WHEN regexp_matches(trim({name}), {literal(_ISO_OFFSET)}) THEN 'absolute' ELSE 'clock' END"
    )


def local_columns(table: str, types: Mapping[str, str], declared: TableProfile) -> tuple[Column, ...]:
    """Return the columns of times that a zone's offset may have to be taken from."""
    return tuple(
        column
        for column in TABLES[table]
        if column.kind is Kind.INSTANT and column.name in types and _is_local(column, types, declared)
    )


def _is_local(column: Column, types: Mapping[str, str], declared: TableProfile) -> bool:
    form = _instant(column.name, types[column.name], declared).parts[f"{column.name}__form"]
    return form != "'absolute'" and not (form == "'clock'" and declared.time_zone in (None, "UTC"))


def local_us(column: Column, type_: str, declared: TableProfile) -> str:
    """Return SQL of a column's local time in microseconds, before its offset is taken."""
    return _instant(column.name, type_, declared).parts[column.name]


def needs_home(table: str, types: Mapping[str, str], declared: TableProfile) -> bool:
    """Return whether the rows need the market of their customer, having none themselves."""
    money = any(column.kind is Kind.MONEY and column.name in types for column in TABLES[table])
    zone = declared.time_zone in ("market", "UTC", None) and bool(local_columns(table, types, declared))
    return "customer_id" in types and "market" not in types and (zone or (money and declared.currency is None))


def _parts(measured: Mapping[str, Measured]) -> str:
    return ", ".join(f"{sql} AS {name}" for one in measured.values() for name, sql in one.parts.items())


def _currency(table: str, types: Mapping[str, str], declared: TableProfile) -> str:
    """Return SQL of a row's currency: its own, the declared one; beside orders, else that of its market."""
    if "currency" in types:
        own = "measured.currency"
    else:
        own = "NULL" if declared.currency is None else literal(declared.currency)
    return own if table in ("orders", "exchange_rates") else f"coalesce({own}, home.currency)"


def _placing(table: str, types: Mapping[str, str], declared: TableProfile) -> str:
    """Return SQL of the join that finds a row's market: its own, or that of its customer."""
    if "market" in types:
        return "LEFT JOIN market_names AS home ON home.written = measured.market"
    if needs_home(table, types, declared):
        return "LEFT JOIN homes AS home ON home.customer_id = measured.customer_id"
    absent = ", ".join(f"NULL::VARCHAR AS {name}" for name in ("code", "zone", "currency"))
    return f"CROSS JOIN (SELECT {absent}, NULL::BIGINT AS per_minor) AS home"


def per_minor(digits: int) -> int:
    """Return how many millionths one minor unit is."""
    return 10 ** (MOST_DECIMALS - digits)


def _per_minor(markets: Markets) -> str:
    """Return SQL of how many millionths one minor unit of the row's currency is: nearly always the market's own."""
    digits = {currency: minor_digits(currency, None, markets) for currency in sorted(list_currencies())}
    other = ", ".join(f"{literal(currency)}: {per_minor(n)}" for currency, n in digits.items() if n != 2)
    return f"CASE WHEN currency = own__ THEN own_per__ ELSE coalesce(MAP {{{other}}}[currency], {per_minor(2)}) END"


def _in(texts: Sequence[str]) -> str:
    return ", ".join(literal(text) for text in texts)


def _offset_join(name: str, declared: TableProfile) -> str:
    day = f"({name} + {_PLUS_DAYS} * {DAY_US}) // {DAY_US} - {_PLUS_DAYS}"
    days = f"{name}__days"
    return f"LEFT JOIN local_days AS {days} ON {days}.zone = {_zone(name, declared)} AND {days}.day = {day}"


def _zone(name: str, declared: TableProfile) -> str:
    """Return SQL of the zone a time is local to; NULL where it is none, or UTC."""
    named = declared.time_zone not in (None, "UTC", "market")
    of_day = literal(declared.time_zone) if named else "zone__"
    of_clock = literal(declared.time_zone) if named else "zone__" if declared.time_zone == "market" else "NULL"
    return f"CASE {name}__form WHEN 'day' THEN {of_day} WHEN 'clock' THEN {of_clock} END"


def _shift(name: str) -> str:
    days = f"{name}__days"
    return f"coalesce(CASE WHEN {name} >= {days}.switch_us THEN {days}.after_us ELSE {days}.before_us END, 0)"


def _value(column: Column, timed: Sequence[str]) -> str:
    if column.kind is Kind.MARKET:
        return "market__"
    if column.kind is Kind.MONEY:
        return _half_even(column.name, f"({column.name}__scale * per__)")
    return f"{column.name} - {column.name}__shift" if column.name in timed else column.name


def _half_even(value: str, unit: str) -> str:
    """Return SQL of an integer divided by another, rounded half to even, as BIGINT."""
    twice = f"2 * abs({value} % {unit})"
    up = f"{twice} > {unit} OR ({twice} = {unit} AND ({value} // {unit}) % 2 <> 0)"
    return f"CAST({value} // {unit} + CASE WHEN {up} THEN sign({value}) ELSE 0 END AS BIGINT)"


def _missing(column: Column, measured: Measured) -> str:
    if f"{column.name}__given" in measured.parts:
        return f"NOT {column.name}__given"
    # an id that begins with a visible letter is not blank
    blank = f" OR (NOT ({column.name} BETWEEN '!' AND '~') AND trim({column.name}) = '')"
    return f"{column.name} IS NULL{blank if column.kind is Kind.ID else ''}"


def _judgement(
    table: str, columns: Sequence[Column], measured: Mapping[str, Measured], rated: Sequence[str] | None
) -> str:
    """Return SQL of the first reason why a row is refused; NULL where it is kept."""
    cases = [(f"no_{c.name}", _missing(c, measured[c.name])) for c in columns if c.required]
    cases += [(r, sql) for c in columns for r, sql in measured[c.name].wrong if _refuses(c, r)]
    names = {column.name for column in columns}
    if "market" in names:
        cases.append(("unknown_market", "market IS NOT NULL AND market__ IS NULL"))
    if table in ("orders", "exchange_rates", "subscriptions"):
        foreign = "coalesce(currency <> own__, true)"  # the market's own is known to be one, and asked for most
        cases.append(
            ("unknown_currency", f"{foreign} AND NOT list_contains([{_in(sorted(list_currencies()))}], currency)")
        )
    if table == "orders":
        have = f"currency IN ({_in(rated)}) AND own__ IN ({_in(rated)})" if rated else "false"
        cases.append(("no_exchange_rate", f"currency <> own__ AND NOT ({have})"))
    if table == "exchange_rates":
        cases.append(("unusable_rate", "NOT (isfinite(rate) AND rate > 0)"))
    if "refunded_amount" in names:
        cases.append(("negative_refund", "refunded_amount < 0"))
    return f"CASE {' '.join(f'WHEN {sql} THEN {literal(reason)}' for reason, sql in cases)} END"


def _refuses(column: Column, reason: str) -> bool:
    decisive = column.required or column.name in _DECISIVE or column.kind is Kind.ID
    return decisive or reason.startswith("zoneless")


def _notes(columns: Sequence[Column], measured: Mapping[str, Measured]) -> list[tuple[str, str, str]]:
    """Return (reason, severity, SQL) of what a kept row may have that is worth saying."""
    warnings = [
        (reason, "warning", sql) for c in columns for reason, sql in measured[c.name].wrong if not _refuses(c, reason)
    ]
    return warnings + [(r, "note", sql) for c in columns for r, sql in measured[c.name].noted]
