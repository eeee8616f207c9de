"""A profile says how a foreign export becomes the kit's tables; a source is a profile with its files."""

import codecs
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from glob import glob
from pathlib import Path
from typing import Annotated, Any, Literal

from babel.numbers import list_currencies
from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator

from retention_kit.config import (
    Markets,
    Strict,
    Texts,
    markets_of,
    project_root,
    read_markets,
    read_toml,
    time_zones,
    validated,
)
from retention_kit.errors import ConfigError, UsageError, listed, near_miss, shown, unknown_name
from retention_kit.ingest.expressions import refuse_other_than_expressions
from retention_kit.ingest.findings import ALL_REASONS
from retention_kit.ingest.tables import TABLES

READABLE = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
"""How names of files end that can be read."""

_NOT_OF_FILES = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}


def _iso(value: Any) -> Any:
    """Return a date or time of TOML, written without quotes, as its text."""
    return value.isoformat() if isinstance(value, date) else value


_DATE = Annotated[str, BeforeValidator(_iso)]


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
    currency : of all amounts, where no column says it.
    where : which rows to take, in SQL over the file's columns.
    group_by_order : the rows are order lines; amounts are added up, the earliest time is the order's.
    columns : the kit's column = an SQL expression over the file's columns; a column that has the kit's
        name already needs none. `file_row_number` counts the rows of all files from 0.
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
    currency: str | None = None
    where: str | None = None
    group_by_order: bool = False
    columns: dict[str, str] = Field(default_factory=dict)

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

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str | None) -> str | None:
        if currency is not None and currency not in list_currencies():
            raise ValueError(f"'{currency}' is not a currency of ISO 4217")
        return currency

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
    min_cell : smallest number of customers that is shown; 1 shows everybody.
    refund_policy : a refund lowers the `order` it belongs to, or counts when it was `processed`.
    free_orders : whether an order of amount zero is `left_out` of the kept orders, or `kept` as one.
    max_refused : share of a table's rows that may be refused.
    expected : share by reason that is known, and does not count against `max_refused`.
    brackets : own stretches of days since the first order, first and last day of each, such as [[1, 10], [11, 20]].
    group_currency : of the overview of all markets, into which exchange_rates convert; that of the markets, where all
        have the same one.
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
    group_currency: str | None = None
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

    @field_validator("group_currency")
    @classmethod
    def _is_a_currency(cls, currency: str | None) -> str | None:
        if currency is not None and currency not in list_currencies():
            raise ValueError(f"'{currency}' is not a currency of ISO 4217")
        return currency

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


@dataclass(frozen=True)
class Source:
    """A profile with its files and markets: all that reading needs, and nothing read yet.

    Parameters
    ----------
    name : what the data are called.
    where : the file that declares how they are read, for advice in errors.
    profile, markets : as declared.
    files : path or glob by table.
    unknown_markets : `fail` when the data name a market that is not declared, or `ignore` its rows.
    max_refused : share of a table's rows that may be refused.
    """

    name: str
    where: str
    profile: Profile
    markets: Markets
    files: Mapping[str, str]
    unknown_markets: Literal["fail", "ignore"]
    max_refused: float

    @property
    def as_of(self) -> str | None:
        """Return the first instant not observed, where the profile names one."""
        return self.profile.as_of

    @property
    def min_cell(self) -> int:
        """Return the smallest number of customers that is shown."""
        return self.profile.min_cell

    @property
    def refund_policy(self) -> Literal["order", "processed"]:
        """Return when a refund counts."""
        return self.profile.refund_policy

    @property
    def free_orders(self) -> Literal["left_out", "kept"]:
        """Return whether an order of amount zero is a kept order."""
        return self.profile.free_orders

    @property
    def complete_history(self) -> bool:
        """Return whether the data hold everybody's first order ever."""
        return self.profile.complete_history

    @property
    def engine(self) -> str | None:
        """Return the URL of the engine that holds the tables; None where files hold them."""
        told = None if self.profile.engine is None else self.profile.engine.get_secret_value()
        if told is None or not told.startswith("$"):
            return told
        if not os.environ.get(told[1:]):
            raise ConfigError(
                f"{self.where} takes its engine from the environment variable {told[1:]}, which is not set.",
                to_try=f"export {told[1:]}=postgresql://user:password@host/database",
            )
        return os.environ[told[1:]]

    @property
    def in_engine(self) -> dict[str, str]:
        """Return the engine's table by the kit's, where an engine holds them."""
        named = {table: self.profile.table(table).table for table in TABLES}
        return {table: name for table, name in named.items() if name is not None}

    @property
    def tables(self) -> tuple[str, ...]:
        """Return which of the kit's tables there are."""
        return tuple(self.files) or tuple(self.in_engine)

    def paths(self, table: str) -> list[Path]:
        """Return the files of a table, in order of their names."""
        return _paths(self.files[table], table=table)

    def fingerprint(self) -> str:
        """Return a sha256 that changes when the files, the profile or the markets do; reads no data."""
        files = {
            table: [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.paths(table)]
            for table in sorted(self.files)
        }
        markets = {code: market.model_dump(mode="json") for code, market in self.markets.items()}
        told = [files, self.profile.model_dump(mode="json"), markets, self.unknown_markets, self.max_refused]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def source(
    data: str,
    *,
    files: Mapping[str, str] | None = None,
    unknown_markets: Literal["fail", "ignore"] = "fail",
    max_refused: float | None = None,
) -> Source:
    """Return where the tables are and how they are read; reads no data.

    Parameters
    ----------
    data : the name of a profile in `data/sources`, the path of a profile, or a folder whose files
        are named as the tables, `orders.parquet` or `orders.csv`.
    files : path or glob by table, instead of or beside those of the profile.
    unknown_markets : `fail` when the data name a market that is not declared, or `ignore` its rows.
    max_refused : share of a table's rows that may be refused; the profile's where not given.

    Raises
    ------
    UsageError, ConfigError : no such profile, folder or file; a profile that says what cannot be.
    """
    if unknown_markets not in ("fail", "ignore"):
        raise unknown_name("way of treating unknown markets", unknown_markets, ["fail", "ignore"])
    path = _located(data)
    profile = _folder_profile(path) if path.is_dir() else read_profile(path)
    named = _named_files(profile, path) | _given_files(files or {})
    _refuse_two_places(profile, named, where=path.name)
    if "orders" not in named and profile.engine is None:
        raise _no_orders(path, named)
    for table, file in named.items():
        _paths(file, table=table)
    return Source(
        name=path.stem if path.is_file() else path.resolve().name,
        where=path.name if path.is_file() else f"data/sources/{path.resolve().name}.toml",
        profile=profile,
        markets=_markets(profile, path),
        files=named,
        unknown_markets=unknown_markets,
        max_refused=profile.max_refused if max_refused is None else max_refused,
    )


def declared_markets(data: str) -> Markets:
    """Return the markets that data declare, without asking for their files.

    Parameters
    ----------
    data : as of `source`.
    """
    path = _located(data)
    return _markets(_folder_profile(path) if path.is_dir() else read_profile(path), path)


def read_profile(path: Path) -> Profile:
    """Return the profile that a TOML file declares; an unknown key is an error that names the near miss."""
    tables = read_toml(path)
    sections = {
        name: _table_profile(name, tables[name], where=f"{path.name} [{name}]") for name in TABLES if name in tables
    }
    return validated(Profile, tables | sections, where=path.name)


def _refuse_two_places(profile: Profile, files: Mapping[str, str], *, where: str) -> None:
    """Refuse tables both in files and in an engine, or in neither: they are counted in one place."""
    named = [table for table in TABLES if profile.table(table).table is not None]
    if profile.engine is None:
        if named:
            raise ConfigError(
                f"{where} names tables, and no engine that holds them.",
                found=listed(named),
                to_try='engine = "postgresql://…" at its top, or engine = "$NAME" of an environment variable',
            )
        return
    if files:
        raise ConfigError(
            f"{where} names an engine and files.",
            found=listed(files),
            to_try='table = "schema.name" instead of file: all tables are counted in one place',
        )
    if "orders" not in named:
        raise ConfigError(
            f"{where} names no table of orders.", found=listed(named), to_try='[orders] table = "schema.name"'
        )


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
    asked = profile.columns if profile.where is None else {**profile.columns, "where": profile.where}
    refuse_other_than_expressions(asked, where=where)
    return profile


def _located(data: str) -> Path:
    """Return the profile or folder that `data` names."""
    if not data.strip():
        raise UsageError("No data are named.", to_try="a profile in data/sources, such as sample, or a folder")
    if data.endswith(".toml"):
        return _from_here_or_project(data)
    sources = project_root() / "data" / "sources"
    named = sources / f"{data}.toml"
    if "/" not in data and named.is_file():
        return named
    folder = _from_here_or_project(data)
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise UsageError(
            f"'{folder.name}' is neither a profile nor a folder.",
            found="a file",
            to_try="the folder it is in, with the file named orders, or a profile and the file beside it",
        )
    raise unknown_name("data source or folder", data, sorted(file.stem for file in sources.glob("*.toml")))


def _from_here_or_project(path: str) -> Path:
    """Return a path from the working folder, or else from the project's folder."""
    here = Path(path).expanduser()
    if here.is_absolute() or here.exists():
        return here
    there = project_root() / here
    return there if there.exists() else here


def _folder_profile(folder: Path) -> Profile:
    """Return the profile of a folder: the kit's own names, instants in UTC, its own markets if it has them."""
    plain = TableProfile(time_zone="UTC")
    return Profile(**dict.fromkeys(TABLES, plain))


def _named_files(profile: Profile, path: Path) -> dict[str, str]:
    if path.is_dir():
        found = {table: _file_named(table, path) for table in TABLES}
        return {table: str(file) for table, file in found.items() if file is not None}
    return {
        table: str(path.parent / declared.file)
        for table in TABLES
        if (declared := getattr(profile, table)) is not None and declared.file is not None
    }


def _file_named(table: str, folder: Path) -> Path | None:
    """Return the file, or folder of files, that holds a table; None where there is none."""
    found = [path for path in [folder / table, *(folder / f"{table}{ending}" for ending in READABLE)] if path.exists()]
    if len(found) > 1:
        raise UsageError(
            f"The folder '{folder.name}' holds {table} twice.",
            found=listed(path.name for path in found),
            to_try="keep one of them",
        )
    return found[0] if found else None


def _given_files(files: Mapping[str, str]) -> dict[str, str]:
    for table in files:
        if table not in TABLES:
            raise unknown_name("table", table, TABLES)
        if not str(files[table]).strip():
            raise UsageError(f"No file of {table} is named.", to_try=f"{table}=path/to/{table}.parquet")
    return {table: str(_from_here_or_project(str(file))) for table, file in files.items()}


def _no_orders(path: Path, named: Mapping[str, str]) -> UsageError:
    if path.is_dir():
        there = sorted(file.name for file in path.iterdir() if not file.name.startswith("."))
        return UsageError(
            f"The folder '{path.resolve().name}' holds no orders.",
            found=listed(there),
            to_try="a file orders.parquet or orders.csv in it, or a profile that says which file it is",
        )
    return UsageError(
        f"{path.name} names no file of orders.",
        found=listed(named),
        to_try="give the file on the command line: --file path/to/orders.parquet",
    )


def _paths(file: str, *, table: str) -> list[Path]:
    path = Path(file)
    if path.is_dir():
        found = sorted(inside for inside in path.iterdir() if _is_a_part(inside))
    elif path.exists():
        found = [path]
    else:
        found = sorted(Path(inside) for inside in glob(file))
    if not found:
        near = near_miss(path.name, [other.name for other in _siblings(path)])
        raise UsageError(
            f"There is no file '{path.name}' of {table}.",
            found=listed(other.name for other in _siblings(path)),
            to_try=f"'{near}'" if near else "check the path",
        )
    return found


def _is_a_part(path: Path) -> bool:
    return path.name.endswith(READABLE) and not path.name.startswith(".")


def _siblings(path: Path) -> list[Path]:
    folder = path if path.is_dir() else path.parent
    return sorted(inside for inside in folder.iterdir() if inside.is_file()) if folder.is_dir() else []


def _markets(profile: Profile, path: Path) -> Markets:
    if not isinstance(profile.markets, str):
        return markets_of(profile.markets, where=path.name)
    beside = (path if path.is_dir() else path.parent) / profile.markets
    named = beside if beside.is_file() else project_root() / "data" / profile.markets
    if path.is_file() and named.resolve() == path.resolve():
        raise ConfigError(
            f"{path.name} names itself as the file of its markets.",
            found=f'markets = "{profile.markets}"',
            to_try='markets = "markets.toml", or the markets themselves as [markets.NL], …',
        )
    return read_markets(named)
