"""Columns as written become what the engine counts: ids as text, money as integers, times as UTC, each checked.

One table is one SQL statement in DuckDB's dialect, compiled for the engine that holds the rows, told as named steps:
`mapped` (the profile's expressions), `measured` (each column converted on its own), `placed` (the market found),
`settled` and `timed` (money and times in their final units), and the reason why a row is refused, if it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from babel.numbers import get_currency_precision, list_currencies

from retention_kit.config import Market, Markets
from retention_kit.ingest import times
from retention_kit.ingest.expressions import literal
from retention_kit.ingest.profile import TableProfile
from retention_kit.ingest.tables import Column, Kind
from retention_kit.ingest.zones import DAY_US

MOST_DECIMALS = 6
"""Amounts are measured in millionths, texts and long decimals in billionths, before they become minor units."""

_MOST_UNITS = 9_000_000_000_000
_MOST_WHOLE = 2**53  # a float beyond it is no whole number for sure
_FIRST_US, _BEYOND_US = -25_567 * DAY_US, 84_006 * DAY_US
_FIRST, _BEYOND = "1900-01-01", "2200-01-01"
_PLUS_DAYS = 100_000  # added before a day is cut off, so that the division never meets a negative number
_DECISIVE = ("refunded_amount", "refunded_at", "cancelled")
_LITERALS = {"instant": "TIMESTAMPTZ '{} 00:00:00+00'", "clock": "TIMESTAMP '{} 00:00:00'", "day": "DATE '{}'"}
_FITS = {
    Kind.ID: ("text", "integer", "short", "decimal", "float"),
    Kind.TEXT: ("text", "integer", "short", "decimal", "float", "flag", "day", "clock", "instant"),
    Kind.MARKET: ("text", "integer"),
    Kind.INSTANT: ("text", *_LITERALS),
    Kind.DATE: ("text", *_LITERALS),
    Kind.MONEY: ("text", "integer", "short", "decimal", "float"),
    Kind.NUMBER: ("text", "integer", "short", "decimal", "float"),
    Kind.FLAG: ("text", "integer", "flag"),
}
"""What a column of each kind may hold: `text`, `integer`, `float`, a `decimal`, a `short` one of which 64 bits hold the
millionths, a `flag`, a `day`, a `clock` (a time without a zone), an `instant` (a time with one)."""


@dataclass(frozen=True)
class Measured:
    """One column converted on its own.

    Parameters
    ----------
    parts : SQL by column of the step `measured`; the column's own name holds its value.
    missing : SQL over those parts, whether nothing is given.
    wrong : (reason, SQL) over those parts, why a value cannot be taken.
    noted : (reason, SQL) over those parts and `per__`, what is worth a note.
    """

    parts: Mapping[str, str]
    missing: str
    wrong: Sequence[tuple[str, str]] = ()
    noted: Sequence[tuple[str, str]] = ()


def minor_digits(currency: str, market: Market | None, markets: Markets) -> int:
    """Return how many decimals an amount is counted with: those of the market, if it is its currency.

    An order in another currency takes the digits of the markets that have it, else the currency's own.
    """
    if market is not None and market.currency == currency:
        return market.digits
    return {m.currency: m.digits for m in markets.values()}.get(currency, get_currency_precision(currency))


def per_minor(digits: int) -> int:
    """Return how many millionths one minor unit is."""
    return 10 ** (MOST_DECIMALS - digits)


def minor_units(markets: Markets) -> list[dict[str, Any]]:
    """Return how many millionths a minor unit of each currency is, where it is not the market's own."""
    known = sorted(list_currencies())
    return [{"currency": code, "per_minor": per_minor(minor_digits(code, None, markets))} for code in known]


@dataclass(frozen=True)
class Conversion:
    """How one table is converted.

    Parameters
    ----------
    table : its name.
    columns : the columns that the rows or the profile offer.
    kinds : what each of them holds, as the engine says it.
    declared : how they are written.
    engine : where they are.
    """

    table: str
    columns: tuple[Column, ...]
    kinds: Mapping[str, str]
    declared: TableProfile
    engine: Any

    def misfits(self) -> list[Column]:
        """Return the columns that hold what they cannot take."""
        return [c for c in self.columns if c.kind in _FITS and self.kinds[c.name] not in _FITS[c.kind]]

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """Return each column converted on its own."""
        return {column.name: self._measured(column) for column in self.columns}

    @cached_property
    def local(self) -> tuple[str, ...]:
        """Return the times that a zone's offset may have to be taken from."""
        return tuple(column.name for column in self.columns if column.kind is Kind.INSTANT and self._is_local(column))

    @property
    def needs_home(self) -> bool:
        """Return whether the rows need the market of their customer, having none themselves."""
        if "customer_id" not in self.kinds or "market" in self.kinds:
            return False
        money = any(column.kind is Kind.MONEY for column in self.columns) and self.declared.currency is None
        return money or (self.declared.time_zone in ("market", "UTC", None) and bool(self.local))

    @property
    def values(self) -> dict[str, str]:
        """Return SQL by column of the converted table, in order."""
        values = {column.engine_name: self._value(column) for column in self.columns}
        if self.table == "orders":
            values["currency"] = "currency__"
            always = {"refunded_minor": "BIGINT", "refunded_us": "BIGINT", "cancelled": "BOOLEAN"}
            values |= {name: f"CAST(NULL AS {type_})" for name, type_ in always.items() if name not in values}
            values["refunded_minor"] = f"COALESCE({values['refunded_minor']}, 0)"
            values["cancelled"] = f"COALESCE({values['cancelled']}, FALSE)"
        return values

    @property
    def notes(self) -> dict[str, tuple[str, str]]:
        """Return severity and SQL by reason of what a kept row may have that is worth saying."""
        warned = {r: ("warning", sql) for c in self.columns for r, sql in self._wrong(c) if not _refuses(c, r)}
        return warned | {r: ("note", sql) for c in self.columns for r, sql in self.measured[c.name].noted}

    def select(self, mapped: str, *, rated: Sequence[str]) -> str:
        """Return SQL of the converted rows.

        They have `row__`, `reason` (NULL where kept), `unknown__` (a market that is not declared), one `note__…` per
        reason that is noted, and the engine's columns.

        Parameters
        ----------
        mapped : SQL of the rows with the kit's columns and `row__`.
        rated : currencies that have exchange rates.
        """
        parts = ", ".join(f"{sql} AS {name}" for one in self.measured.values() for name, sql in one.parts.items())
        shifts = "".join(f", {_shift(name)} AS {name}__shift" for name in self.local)
        unknown = "CASE WHEN reason = 'unknown_market' THEN market END" if "market" in self.kinds else _NO_TEXT
        notes = "".join(f", COALESCE({sql}, FALSE) AS note__{reason}" for reason, (_, sql) in self.notes.items())
        values = "".join(f", {sql} AS {name}" for name, sql in self.values.items())
        return f"""
WITH mapped AS (
    {mapped}
), measured AS (
    SELECT row__, {parts} FROM mapped
), placed AS (
    SELECT m.*, {self._home} FROM measured AS m {self._placing}
), paid AS (
    SELECT *, {self._currency} AS currency__ FROM placed
), settled AS (
    SELECT p.*, CASE WHEN p.currency__ = p.own__ THEN p.own_per__ ELSE u.per_minor END AS per__
    FROM paid AS p LEFT JOIN minor_units AS u ON u.currency = p.currency__
), timed AS (
    SELECT s.*{shifts} FROM settled AS s {" ".join(self._offset_join(name) for name in self.local)}
), judged AS (
    SELECT *, {self._judgement(rated)} AS reason FROM timed
)
SELECT row__, reason, {unknown} AS unknown__{notes}{values} FROM judged
"""

    def _measured(self, column: Column) -> Measured:
        name, kind = column.name, self.kinds[column.name]
        measure = {
            Kind.ID: self._id,
            Kind.TEXT: self._text,
            Kind.MARKET: self._text,
            Kind.OWN: lambda name, _: Measured({name: self.engine.text.format(name)}, f"{name} IS NULL"),
            Kind.INSTANT: self._instant,
            Kind.DATE: self._date,
            Kind.MONEY: self._money,
            Kind.NUMBER: self._number,
            Kind.FLAG: self._flag,
        }[column.kind]
        return measure(name, kind)

    def _trimmed(self, name: str) -> str:
        return self.engine.trimmed(self.engine.text.format(name))

    def _given(self, name: str, kind: str) -> str:
        """Return SQL, whether a value is there: nothing but '' (or blanks) is missing; NA is Namibia."""
        return f"{self._trimmed(name) if kind == 'text' else name} IS NOT NULL"

    def _checked(self, name: str, kind: str, value: str) -> Measured:
        parts = {name: value, f"{name}__given": self._given(name, kind)}
        wrong = [(f"unparsable_{name}", f"{name}__given AND {name} IS NULL")]
        return Measured(parts, f"NOT {name}__given", wrong=wrong if kind == "text" else ())

    def _id(self, name: str, kind: str) -> Measured:
        # an id that begins with a visible letter is not blank
        blank = f"{name} IS NULL OR (NOT ({name} BETWEEN '!' AND '~') AND {self.engine.trimmed(name)} IS NULL)"
        if kind != "float":
            return Measured({name: self.engine.text.format(name)}, blank)
        whole = f"{name} = FLOOR({name}) AND ABS({name}) < {_MOST_WHOLE}"
        text = self.engine.text.format(f"CAST({name} AS BIGINT)")
        return Measured(
            {name: f"CASE WHEN {whole} THEN {text} END", f"{name}__given": f"{name} IS NOT NULL"},
            f"NOT {name}__given",
            wrong=[(f"rounded_{name}", f"{name}__given AND {name} IS NULL")],
            noted=[(f"decimal_{name}", f"{name} IS NOT NULL")],
        )

    def _text(self, name: str, kind: str) -> Measured:
        return Measured({name: self._trimmed(name)}, f"{name} IS NULL")

    def _flag(self, name: str, kind: str) -> Measured:
        if kind != "text":
            return self._checked(name, kind, name if kind == "flag" else f"{name} <> 0")
        text = f"LOWER({self._trimmed(name)})"
        value = f"CASE WHEN {text} IN ('true', 't', '1') THEN TRUE WHEN {text} IN ('false', 'f', '0') THEN FALSE END"
        return self._checked(name, kind, value)

    def _number(self, name: str, kind: str) -> Measured:
        number = self._plain_number(name) if kind == "text" else name
        return self._checked(name, kind, f"TRY_CAST({number} AS DOUBLE)")

    def _money(self, name: str, kind: str) -> Measured:
        """Measure an amount so that nothing is rounded by the engine: in millionths, or as a decimal of nine places."""
        unparsable = "FALSE"
        if kind == "text":
            unparsable = f"{self._plain_number(name)} IS NULL"
        elif kind == "float":
            unparsable = f"ABS({name}) > 1e300"
        given = self._given(name, kind)
        parts = {
            name: self._measure(name, kind),
            f"{name}__unparsable": f"({given}) AND ({unparsable})",
            f"{name}__given": given,
        }
        wrong = [
            (f"unparsable_{name}", f"{name}__unparsable"),
            (f"large_{name}", f"{name}__given AND {name} IS NULL AND NOT {name}__unparsable"),
        ]
        finer = f"{name} % per__ <> 0" if kind in _IN_MILLIONTHS else f"{_exact(name)} <> FLOOR({_exact(name)})"
        return Measured(
            parts, f"NOT {name}__given", wrong=wrong, noted=[] if kind == "integer" else [(f"finer_{name}", finer)]
        )

    def _measure(self, name: str, kind: str) -> str:
        if kind == "short":
            return f"CAST({name} * CAST(1000000 AS DECIMAL(7, 0)) AS BIGINT)"
        if kind == "integer":
            fits = f"{name} BETWEEN -{_MOST_UNITS} AND {_MOST_UNITS}"
            return f"CASE WHEN {fits} THEN CAST({name} AS BIGINT) * 1000000 END"
        if kind == "float":
            millionths = f"CAST(FLOOR(ABS({name}) * 1000000 + 0.5) AS BIGINT)"
            sign = f"CASE WHEN {name} < 0 THEN -1 ELSE 1 END"
            return f"CASE WHEN ABS({name}) <= {_MOST_UNITS} THEN {millionths} * {sign} END"
        decimal = f"TRY_CAST({self._plain_number(name) if kind == 'text' else name} AS DECIMAL(38, 9))"
        return f"CASE WHEN ABS({decimal}) <= {_MOST_UNITS} THEN CAST({decimal} AS DECIMAL(22, 9)) END"

    def _plain_number(self, name: str) -> str:
        """Return SQL of a number's text with a decimal point, NULL where it is not written as declared."""
        decimal, thousands = (text.replace(".", "\\.") for text in (self.declared.decimal, self.declared.thousands))
        whole = rf"([0-9]+|[0-9]{{1,3}}({thousands}[0-9]{{3}})+)" if thousands else "[0-9]+"
        text = plain = self._trimmed(name)
        if thousands:
            plain = f"REPLACE({plain}, {literal(self.declared.thousands)}, '')"
        if self.declared.decimal != ".":
            plain = f"REPLACE({plain}, {literal(self.declared.decimal)}, '.')"
        pattern = literal(rf"^[+-]?{whole}({decimal}[0-9]+)?$")
        return f"CASE WHEN REGEXP_MATCHES({text}, {pattern}) THEN {plain} END"

    def us(self, name: str) -> str:
        """Return SQL of a time in microseconds, of its own clock where it has no offset; NULL where it is none."""
        kind = self.kinds[name]
        if kind == "text":
            return self.engine.written_us(self._trimmed(name), self.declared.date_format)
        first, beyond = (_LITERALS[kind].format(day) for day in (_FIRST, _BEYOND))
        return f"CASE WHEN {name} >= {first} AND {name} < {beyond} THEN {self.engine.micros[kind].format(name)} END"

    def _form(self, name: str) -> str:
        """Return SQL of what a time is: `absolute`, a `clock` or a `day`."""
        kind = self.kinds[name]
        if kind != "text":
            return literal("absolute" if kind == "instant" else kind)
        formats = self.declared.date_format
        return literal(times.form_of(formats)) if formats else times.iso_form(self._trimmed(name))

    def _instant(self, name: str, kind: str) -> Measured:
        form = self._form(name)
        parts = {name: self.us(name), f"{name}__form": form, f"{name}__given": self._given(name, kind)}
        without = f"{name}__given AND {name} IS NULL"
        wrong = [(f"far_{name}", without)]
        if kind == "text":
            wrong = [(f"far_{name}", f"NOT ({in_range(name)})"), (f"unparsable_{name}", without)]
        if self.declared.time_zone is None and form not in ("'absolute'", "'day'"):
            wrong.append((f"zoneless_{name}", f"{name} IS NOT NULL AND {name}__form = 'clock'"))
        return Measured(parts, f"NOT {name}__given", wrong=wrong)

    def _date(self, name: str, kind: str) -> Measured:
        day = self._checked(name, kind, f"CAST({_day(self.us(name))} AS INTEGER)")
        return Measured(day.parts, day.missing, wrong=[(f"unparsable_{name}", f"{name}__given AND {name} IS NULL")])

    def _is_local(self, column: Column) -> bool:
        form = self._form(column.name)
        return form != "'absolute'" and not (form == "'clock'" and self.declared.time_zone in (None, "UTC"))

    @property
    def _currency(self) -> str:
        """Return SQL of a row's currency: its own, the declared one; beside orders, else that of its market."""
        declared = _NO_TEXT if self.declared.currency is None else literal(self.declared.currency)
        own = "currency" if "currency" in self.kinds else declared
        return own if self.table in ("orders", "exchange_rates") else f"COALESCE({own}, own__)"

    @property
    def _home(self) -> str:
        """Return SQL of what a row's market says of it."""
        if "market" in self.kinds or self.needs_home:
            return "h.code AS market__, h.zone AS zone__, h.currency AS own__, h.per_minor AS own_per__"
        texts = ", ".join(f"{_NO_TEXT} AS {name}" for name in ("market__", "zone__", "own__"))
        return f"{texts}, CAST(NULL AS BIGINT) AS own_per__"

    @property
    def _placing(self) -> str:
        """Return SQL of the join that finds a row's market: its own, or that of its customer."""
        if "market" in self.kinds:
            return "LEFT JOIN market_names AS h ON h.written = m.market"
        return "LEFT JOIN customer_markets AS h ON h.customer_id = m.customer_id" if self.needs_home else ""

    def _offset_join(self, name: str) -> str:
        days = f"{name}__days"
        return (
            f"LEFT JOIN local_days AS {days} ON {days}.zone = {self._zone(name)} AND {days}.day = {_day(f's.{name}')}"
        )

    def _zone(self, name: str) -> str:
        """Return SQL of the zone a time is local to; NULL where it is none, or UTC."""
        declared = self.declared.time_zone
        of_day = literal(declared) if declared not in (None, "UTC", "market") else "s.zone__"
        of_clock = _NO_TEXT if declared in (None, "UTC") else of_day
        return f"CASE s.{name}__form WHEN 'day' THEN {of_day} WHEN 'clock' THEN {of_clock} END"

    def _value(self, column: Column) -> str:
        name = column.name
        if column.kind is Kind.MARKET:
            return "market__"
        if column.kind is Kind.MONEY:
            return _half_even_millionths(name) if self.kinds[name] in _IN_MILLIONTHS else _half_even(_exact(name))
        if column.kind is not Kind.INSTANT:
            return name
        return f"CASE WHEN {in_range(name)} THEN {name}{f' - {name}__shift' if name in self.local else ''} END"

    def _wrong(self, column: Column) -> Sequence[tuple[str, str]]:
        return self.measured[column.name].wrong

    def _judgement(self, rated: Sequence[str]) -> str:
        """Return SQL of the first reason why a row is refused; NULL where it is kept."""
        cases = [(f"no_{c.name}", self.measured[c.name].missing) for c in self.columns if c.required]
        cases += [(r, sql) for c in self.columns for r, sql in self._wrong(c) if _refuses(c, r)]
        if "market" in self.kinds:
            cases.append(("unknown_market", "market IS NOT NULL AND market__ IS NULL"))
        if self.table in ("orders", "exchange_rates", "subscriptions"):
            cases.append(("unknown_currency", "per__ IS NULL"))
        if self.table == "orders":
            have = " AND ".join(f"{name} IN ({', '.join(map(literal, rated))})" for name in ("currency__", "own__"))
            cases.append(("no_exchange_rate", f"currency__ <> own__ AND NOT ({have if rated else 'FALSE'})"))
        if self.table == "exchange_rates":
            cases.append(("unusable_rate", "NOT (rate > 0 AND rate < 1e300)"))
        if "refunded_amount" in self.kinds:
            cases.append(("negative_refund", "refunded_amount < 0"))
        return f"CASE {' '.join(f'WHEN {sql} THEN {literal(reason)}' for reason, sql in cases)} END"


_NO_TEXT = "CAST(NULL AS VARCHAR)"
_IN_MILLIONTHS = ("integer", "float", "short")


def _refuses(column: Column, reason: str) -> bool:
    decisive = column.required or column.name in _DECISIVE or column.kind is Kind.ID
    return decisive or reason.startswith("zoneless")


def in_range(us: str) -> str:
    """Return SQL, whether a time lies in the years from 1900 to 2199."""
    return f"{us} BETWEEN {_FIRST_US} AND {_BEYOND_US - 1}"


def _day(us: str) -> str:
    return f"(({us} + {_PLUS_DAYS * DAY_US}) // {DAY_US} - {_PLUS_DAYS})"


def _shift(name: str) -> str:
    days = f"{name}__days"
    return f"COALESCE(CASE WHEN s.{name} >= {days}.switch_us THEN {days}.after_us ELSE {days}.before_us END, 0)"


def _exact(name: str) -> str:
    """Return SQL of a decimal amount in minor units, not rounded yet."""
    return f"({name} * CAST(1000000 // per__ AS DECIMAL(7, 0)))"


def _half_even(exact: str) -> str:
    """Return SQL of a decimal, rounded half to even, as BIGINT."""
    whole, rest = f"CAST(FLOOR({exact}) AS BIGINT)", f"({exact} - FLOOR({exact}))"
    return f"({whole} + CASE WHEN {rest} > 0.5 OR ({rest} = 0.5 AND {whole} % 2 <> 0) THEN 1 ELSE 0 END)"


def _half_even_millionths(name: str) -> str:
    """Return SQL of millionths in minor units, rounded half to even, as BIGINT."""
    twice = f"2 * ABS({name} % per__)"
    up = f"{twice} > per__ OR ({twice} = per__ AND ({name} // per__) % 2 <> 0)"
    return f"({name} // per__ + CASE WHEN {up} THEN CASE WHEN {name} < 0 THEN -1 ELSE 1 END ELSE 0 END)"
