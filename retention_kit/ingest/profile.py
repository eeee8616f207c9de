"""A profile says how a foreign export becomes the kit's tables: in a TOML file, or in the call."""

import codecs
import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from babel.numbers import list_currencies
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from retention_kit.config import Strict, Texts, read_toml, time_zones, validated
from retention_kit.errors import ConfigError, near_miss, shown, unknown_name
from retention_kit.ingest.expressions import refuse_other_than_expressions
from retention_kit.ingest.findings import ALL_REASONS
from retention_kit.ingest.tables import TABLES

_NOT_OF_FILES = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}


def _iso(value: Any) -> Any:
    """Return a date or time, as TOML has it without quotes, as its text; midnight without a zone is its date."""
    if isinstance(value, datetime) and value.tzinfo is None and value == datetime(value.year, value.month, value.day):
        value = value.date()
    return value.isoformat() if isinstance(value, date) else value


_DATE = Annotated[str, BeforeValidator(_iso)]


def _known_currency(currency: str) -> str:
    if currency not in list_currencies():
        raise ValueError(f"'{currency}' is not a currency of ISO 4217")
    return currency


_CURRENCY = Annotated[str, AfterValidator(_known_currency)]


def _brackets(value: Any) -> Any:
    """Return lists of TOML as tuples, refused where one is no stretch of days."""
    if not isinstance(value, list):
        return value
    for pair in value:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(day) is int for day in pair)
        if not whole or not 1 <= pair[0] <= pair[1] <= _LONGEST_AGE:
            raise ValueError(f"a bracket is its first and last day, from 1 to {_LONGEST_AGE}, such as [1, 7]")
    return tuple(tuple(pair) for pair in value)


_LONGEST_AGE = 3650
_BRACKETS = Annotated[tuple[tuple[int, int], ...], BeforeValidator(_brackets)]


class TableProfile(Strict):
    """How one file, or several alike, become one of the kit's tables.

    Parameters
    ----------
    file : path or glob, relative to the profile; may be given on the command line instead.
    table : instead of a file, the table or view of the profile's engine, as `schema.name`.
    encoding, separator, quote, decimal, thousands : of a text file; nothing of it is guessed.
    date_format : one or several strftime texts; ISO 8601 where not given.
    time_zone : of times without an offset: `UTC`, a zone's name, or `market` for each market's own.
        A date without a clock is a day in that zone, or in the market's where it says `UTC`.
    currency, market : of all rows, where no column says it.
    where : which rows to take, in SQL over the file's columns.
    group_by_order : the rows are order lines; amounts are added up, the earliest time is the order's.
    columns : the kit's column = an SQL expression over the file's columns; a column that has the kit's
        name already needs none. `file_row_number` counts the rows of all files from 0.
    attributes : of customers, columns of the company's own, likewise; kept as they are, as text.
    """

    file: str | None = None
    table: str | None = Field(default=None, min_length=1)
    encoding: str = "utf-8"
    separator: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'", "’", "\u00a0", "\u202f"] = ""
    date_format: Texts = ()
    time_zone: str | None = None
    currency: _CURRENCY | None = None
    market: str | None = None
    where: str | None = None
    group_by_order: bool = False
    columns: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, encoding: str) -> str:
        try:
            "a".encode(encoding)  # codecs such as base64 are known, and no encodings of text
            name = codecs.lookup(encoding).name
        except (LookupError, UnicodeError):
            name = "undefined"
        if name.replace("-", "_") in _NOT_OF_FILES:
            raise ValueError(f"'{shown(encoding)}' is not an encoding of text, such as 'utf-8' or 'cp1252'")
        return name

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, zone: str | None) -> str | None:
        if zone is not None and zone != "market" and zone not in time_zones():
            near = near_miss(zone, ["market", *time_zones()])
            raise ValueError(f"'{zone}' is not a time zone" + (f": did you mean '{near}'?" if near else ""))
        return zone

    @field_validator("date_format")
    @classmethod
    def _are_date_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for text in formats:
            marks = re.findall(r"%-?(.?)", text)
            if set(marks) - set("YymdHIMSfzpbBj%") or not {"Y", "y"} & set(marks):
                raise ValueError(f"'{text}' is not a date format, such as '%d-%m-%Y %H:%M'")
        return formats

    @field_validator("thousands")
    @classmethod
    def _is_not_the_decimal(cls, thousands: str, info: ValidationInfo) -> str:
        if thousands == info.data.get("decimal"):
            raise ValueError(f"decimal is '{thousands}' too")
        return thousands


class Profile(Strict):
    """A foreign export: where it comes from, what its tables are, how strictly it is read.

    Parameters
    ----------
    as_of : first instant not observed, where the call names none.
    min_cell : smallest number of customers that is shown; 1 shows every group, and the report says so.
    refund_policy : a refund lowers the `order` it belongs to, or counts when it was `processed`.
    free_orders : whether an order of amount zero is `left_out` of the kept orders, or `kept` as one.
    max_refused : share of a table's rows that may be refused.
    expected : share by reason that is known, and does not count against `max_refused`.
    brackets : own stretches of days since the first order, first and last day of each, such as [[1, 10], [11, 20]].
    group_currency : of the overview of all markets, into which exchange_rates convert; that of the markets, where all
        have the same one.
    segments : names for segments, each a column or an expression over columns of the data: `club = "tier <> 'none'"`.
    complete_history : whether the data hold everybody's first order ever; where not, the first cohort is flagged.
    engine : URL of the engine that holds the tables, or `$NAME` of the environment variable that says it.
    markets : path of a `markets.toml`, relative to the profile or to `data/`; or the markets themselves.
    """

    title: str = ""
    licence: str = ""
    note: str = ""
    as_of: _DATE | None = None
    min_cell: int = Field(default=10, ge=1)
    refund_policy: Literal["order", "processed"] = "order"
    free_orders: Literal["left_out", "kept"] = "left_out"
    max_refused: float = Field(default=0.01, ge=0, le=1)
    expected: dict[str, float] = Field(default_factory=dict)
    brackets: _BRACKETS = ()
    segments: dict[str, str] = Field(default_factory=dict)
    group_currency: _CURRENCY | None = None
    complete_history: bool = False
    engine: SecretStr | None = None
    markets: str | dict[str, Any] = "markets.toml"
    orders: TableProfile = TableProfile()
    customers: TableProfile | None = None
    engagement: TableProfile | None = None
    tickets: TableProfile | None = None
    surveys: TableProfile | None = None
    assignments: TableProfile | None = None
    subscriptions: TableProfile | None = None
    exchange_rates: TableProfile | None = None

    @field_validator("markets", mode="before")
    @classmethod
    def _are_a_path_or_tables(cls, markets: Any) -> Any:
        if not isinstance(markets, str | Mapping):
            raise ValueError("neither the path of a markets.toml, in quotes, nor tables such as [markets.NL]")
        return markets

    @field_validator("expected")
    @classmethod
    def _are_reasons(cls, expected: dict[str, float]) -> dict[str, float]:
        for reason in expected:
            if reason not in ALL_REASONS:
                near = near_miss(reason, ALL_REASONS)
                raise ValueError(f"'{reason}' is no reason" + (f": did you mean '{near}'?" if near else ""))
        return expected

    def table(self, name: str) -> TableProfile:
        """Return how a table is read; by its own names, as UTF-8, where nothing is declared."""
        return getattr(self, name) or TableProfile()


def read_profile(path: Path) -> Profile:
    """Return the profile that a TOML file declares; an unknown key is an error that names the near miss."""
    return profile_of(read_toml(path), where=path.name)


def profile_of(tables: Mapping[str, Any], *, where: str) -> Profile:
    """Return the profile of parsed TOML."""
    sections = {
        name: _table_profile(name, tables[name], where=f"{where} [{name}]") for name in TABLES if name in tables
    }
    profile = validated(Profile, {**tables, **sections}, where=where)
    refuse_other_than_expressions(profile.segments, where=f"{where} [segments]")
    return profile


def _table_profile(table: str, values: Any, *, where: str) -> TableProfile:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is not a table.", to_try=f'[{table}] and under it file = "…"')
    profile = validated(TableProfile, values, where=where)
    known = [column.name for column in TABLES[table]]
    for column in profile.columns:
        if column not in known:
            raise unknown_name(f"column of {table}", column, known, error=ConfigError)
    if profile.group_by_order and table != "orders":
        raise ConfigError(f"{where} cannot be grouped by order.", to_try="group_by_order only under [orders]")
    _refuse_attributes(table, profile, where=where)
    asked = profile.columns | profile.attributes
    asked |= {} if profile.where is None else {"where": profile.where}
    refuse_other_than_expressions(asked, where=where)
    return profile


def _refuse_attributes(table: str, profile: TableProfile, *, where: str) -> None:
    """Refuse attributes of another table than customers, and names that SQL or the kit has another use for."""
    if profile.attributes and table != "customers":
        raise ConfigError(f"{where} cannot have attributes.", to_try="attributes only under [customers]")
    taken = {name for column in TABLES[table] for name in (column.name, column.engine_name)}
    for name in profile.attributes:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or "__" in name or name in taken:
            raise ConfigError(
                f"{where} cannot name an attribute '{shown(name)}'.",
                found="a column of the kit" if name in taken else "",
                to_try="small letters, digits and single underscores, such as shoe_size",
            )
