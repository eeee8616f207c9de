"""A source is a profile with where its tables are: in files, in memory, or in an engine of their own."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from retention_kit.config import Markets, data_root, markets_of, project_root, read_markets, read_toml
from retention_kit.errors import ConfigError, UsageError, listed, near_miss, unknown_name
from retention_kit.ingest import frames
from retention_kit.ingest.expressions import quoted
from retention_kit.ingest.profile import Profile, TableProfile, profile_of
from retention_kit.ingest.tables import TABLES
from retention_kit.periods import as_of_instant

if TYPE_CHECKING:
    import pyarrow as pa

READABLE = (".parquet", ".pq", ".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
"""How names of files end that can be read."""

_CALL = "the call"
"""Who declares what no profile does."""


@dataclass(frozen=True)
class Source:
    """A profile with its files or tables and markets: all that reading needs, and nothing read yet.

    Parameters
    ----------
    name : what the data are called.
    where : the file that declares how they are read, for advice in errors.
    profile, markets : as declared.
    files : path or glob by table.
    frames : tables in memory, as Arrow, by table.
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
    frames: Mapping[str, "pa.Table"] = field(default_factory=dict, repr=False, compare=False)

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
    def segments(self) -> Mapping[str, str]:
        """Return the expressions of segments by the name that the profile gives them."""
        return self.profile.segments

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
        return tuple(self.files) or tuple(self.frames) or tuple(self.in_engine)

    def paths(self, table: str) -> list[Path]:
        """Return the files of a table, in order of their names."""
        return _paths(self.files[table], table=table)

    def fingerprint(self) -> str:
        """Return a sha256 that changes when the files, the tables in memory, the profile or the markets do.

        Of files: their names, sizes and times; of tables in memory: their content.
        """
        files = {
            table: [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.paths(table)]
            for table in sorted(self.files)
        }
        markets = {code: market.model_dump(mode="json") for code, market in self.markets.items()}
        told = [files, self.profile.model_dump(mode="json"), markets, self.unknown_markets, self.max_refused]
        told += [self._frames_fingerprint] if self.frames else []
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _frames_fingerprint(self) -> dict[str, str]:
        return {table: frames.fingerprint(self.frames[table]) for table in sorted(self.frames)}


def source(
    data: Any,
    *,
    files: Mapping[str, str] | None = None,
    market: str | None = None,
    currency: str | None = None,
    time_zone: str | None = None,
    markets: Markets | Mapping[str, Any] | Iterable[Any] | None = None,
    unknown_markets: Literal["fail", "ignore"] = "fail",
    max_refused: float | None = None,
    **declared: Any,
) -> Source:
    """Return where the tables are and how they are read; reads no file.

    Parameters
    ----------
    data : the name of a profile in `data/sources`, the path of a profile, a folder whose files are named as the
        tables, `orders.parquet` or `orders.csv`, a file of orders, or the URL of an engine with a table `orders`. Or
        the orders in memory, a table of pandas, Polars, Arrow, DuckDB or any library that hands over Arrow; or
        several, by the kit's names of tables.
    files : path or glob by table, instead of or beside those of the profile.
    market : code of the only market, of all rows where no column says it.
    currency : of that market; without one, of all amounts where no column says it.
    time_zone : of that market; without one, of times without an offset, as in a profile. In memory these are in their
        market's own where nothing is said.
    markets : all markets, as `markets.toml` has them: by code, or a list with `code`; or codes of the project's.
    unknown_markets : `fail` when the data name a market that is not declared, or `ignore` its rows.
    max_refused : share of a table's rows that may be refused; the profile's where not given.
    declared : what a profile may say besides, such as `as_of`, `min_cell`, `refund_policy` or `customers`, over what
        the profile says. What it says of a table is of the orders (`columns`, `where`, `group_by_order`), or, as
        `decimal` or `date_format`, of every table.

    Raises
    ------
    UsageError, ConfigError : no such profile, folder or file; no table; a profile or call that says what cannot be.
    DataError : a table in memory with a column that cannot be read.
    """
    if unknown_markets not in ("fail", "ignore"):
        raise unknown_name("way of treating unknown markets", unknown_markets, ["fail", "ignore"])
    given = _given_files(files or {})
    tables = _tables_in_memory(data)
    place = _Place("data in memory", _CALL, None, {}, {}) if tables else _declaring(os.fspath(data))
    named = _called_markets(market, markets, currency=currency, time_zone=time_zone)
    told = _of_every_table(market, named, currency=currency, time_zone=time_zone or ("market" if tables else None))
    profile = _overridden(place, _by_table(declared, told, tables))
    found = place.files | _files_of(profile, place) | given
    _refuse_two_places(profile, found, where=place.where)
    if not tables and "orders" not in found and profile.engine is None:
        raise _no_orders(place.path, found)
    if tables and "orders" not in tables:
        raise UsageError("No table of orders is given.", found=listed(tables), to_try='{"orders": …} beside them')
    for table, file in found.items():
        _paths(file, table=table)
    return Source(
        name=place.name,
        where=place.where,
        profile=profile,
        markets=named or _markets(profile, place),
        files=found,
        unknown_markets=unknown_markets,
        max_refused=profile.max_refused if max_refused is None else max_refused,
        frames=tables,
    )


def observation_end(
    source: Source,
    asked: Any = None,
    *,
    to_try: str = "--as-of DATE, the first day that is not observed: for data up to 9 December 2011, 2011-12-10",
) -> str:
    """Return the first day or instant not observed, as its text: the one asked for, else the profile's.

    Parameters
    ----------
    asked : a date, a datetime with an offset, or the text of one; None or empty where nobody asks.
    to_try : what is told to somebody who names none.

    Raises
    ------
    UsageError : none is given, and the profile names none; or it is neither a date nor an instant.
    """
    asked = asked or source.as_of
    if not asked:
        raise UsageError(f"The data '{source.name}' name no as_of, and none is given.", to_try=to_try)
    text = (asked if isinstance(asked, str) else asked.isoformat()).removesuffix("T00:00:00")
    as_of_instant(text, zone=UTC)
    return text


@dataclass(frozen=True)
class _Place:
    """Where data are and who says how they are read: a profile, a folder or file, an engine's URL, or the call."""

    name: str
    where: str
    path: Path | None
    tables: Mapping[str, Any]
    files: dict[str, str]


def _tables_in_memory(data: Any) -> dict[str, "pa.Table"]:
    """Return the tables of data in memory as Arrow; none where data are a text or path."""
    if isinstance(data, str | os.PathLike):
        return {}
    given = data if isinstance(data, Mapping) else {"orders": data}
    for table in given:
        if table not in TABLES:
            raise unknown_name("table", str(table), TABLES)
    return {table: frames.arrow(frame, table=table) for table, frame in given.items()}


def _declaring(data: str) -> _Place:
    """Return the place that a text names."""
    if "://" in data:
        return _Place(data.split("://")[0], _CALL, None, {"engine": data, "orders": {"table": "orders"}}, {})
    path = _located(data)
    if path.is_dir():
        name = path.resolve().name
        tables = {table: {"time_zone": "UTC"} for table in TABLES}
        return _Place(name, f"data/sources/{name}.toml", path, tables, _files_in(path))
    if path.suffix != ".toml":
        return _Place(path.name.split(".")[0], _CALL, path, {}, {"orders": str(path)})
    return _Place(path.stem, path.name, path, read_toml(path), {})


def _files_of(profile: Profile, place: _Place) -> dict[str, str]:
    """Return the files that a profile names, which lie beside it."""
    named = {table: profile.table(table).file for table in TABLES}
    folder = place.path.parent if place.path else Path()
    return {table: str(folder / file) for table, file in named.items() if file is not None}


def _called_markets(market: str | None, markets: Any, *, currency: str | None, time_zone: str | None) -> Markets | None:
    """Return the markets that the call declares; None where it declares none."""
    if isinstance(markets, Markets) or (markets is None and market is None):
        return markets
    if markets is None:
        told = {"currency": currency, "time_zone": time_zone}
        return markets_of({market: _market(market, told)}, where=_CALL)
    if not isinstance(markets, Mapping):
        markets = {m if isinstance(m, str) else dict(m)["code"]: {} if isinstance(m, str) else m for m in markets}
    return markets_of({code: _market(code, dict(told)) for code, told in markets.items()}, where=_CALL)


def _market(code: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is declared of a market; what the call leaves out is the project's, and its name in English."""
    from babel import Locale

    told = {key: value for key, value in told.items() if value is not None and key != "code"}
    if not {"currency", "time_zone"} <= told.keys():
        with suppress(UsageError):
            told = read_markets(project_root() / "data" / "markets.toml")[code].model_dump(exclude={"code"}) | told
    return {"name": Locale("en").territories.get(code, code), "languages": ["en"]} | told


def _of_every_table(
    market: str | None, markets: Markets | None, *, currency: str | None, time_zone: str | None
) -> dict[str, Any]:
    """Return what the call says of every table: whose its rows are, in which money and zone."""
    if market is None:
        told = {"currency": currency, "time_zone": time_zone}
    else:
        own = markets[market]  # a market that the list lacks is told with those that are there
        told = {"market": own.code, "currency": currency or own.currency, "time_zone": time_zone and "market"}
    return {key: value for key, value in told.items() if value is not None}


_OF_ORDERS = ("columns", "where", "group_by_order")


def _by_table(declared: Mapping[str, Any], told: Mapping[str, Any], tables: Mapping[str, "pa.Table"]) -> dict[str, Any]:
    """Return what the call says as a profile would: what is of a table under its name."""
    flat = {key: value for key, value in declared.items() if key in TableProfile.model_fields}
    said = {key: value for key, value in declared.items() if key not in flat}
    of_all = dict(told) | {key: value for key, value in flat.items() if key not in _OF_ORDERS}
    of_orders = of_all | {key: value for key, value in flat.items() if key in _OF_ORDERS}
    for table in TABLES:
        if not isinstance(said.get(table, {}), Mapping):
            raise UsageError(
                f"{table} is to say how a table is read.",
                found=f"a {type(said[table]).__name__}",
                to_try=f"a table itself as part of the data: {{'orders': …, '{table}': …}}",
            )
        own = {**(of_orders if table == "orders" else of_all), **said.get(table, {})}
        if table in tables and "columns" in own:  # one that is the name of a column is quoted
            names = tables[table].column_names
            own["columns"] = {name: quoted(sql) if sql in names else sql for name, sql in own["columns"].items()}
        said |= {table: own} if own else {}
    return said


def _overridden(place: _Place, called: Mapping[str, Any]) -> Profile:
    """Return the profile of a place, with what the call says over it."""
    if called and place.where != _CALL:
        profile_of(called, where=_CALL)
    tables = dict(place.tables)
    for key, value in called.items():
        tables[key] = {**tables.get(key, {}), **value} if key in TABLES else value
    return profile_of(tables, where=place.where)


def declared_markets(data: str) -> Markets:
    """Return the markets that data declare, without asking for their files.

    Parameters
    ----------
    data : as of `source`.
    """
    place = _declaring(data)
    return _markets(profile_of(place.tables, where=place.where), place)


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


def _located(data: str) -> Path:
    """Return the profile or folder that `data` names."""
    if not data.strip():
        raise UsageError("No data are named.", to_try="a profile in data/sources, such as sample, or a folder")
    if data.endswith(".toml"):
        return _from_here_or_project(data)
    profiles = _profiles() if "/" not in data else {}
    if data in profiles:
        return profiles[data]
    path = _from_here_or_project(data)
    if path.is_dir() or (path.is_file() and path.name.endswith(READABLE)):
        return path
    if path.is_file():
        raise UsageError(
            f"'{path.name}' is neither a profile nor a folder.",
            found="a file",
            to_try="a file of orders as CSV or Parquet, the folder it is in, or a profile and the file beside it",
        )
    raise unknown_name("data source or folder", data, sorted(_profiles()))


def _profiles() -> dict[str, Path]:
    """Return the project's profiles by name; none where there is no project."""
    try:
        return {file.stem: file for file in (data_root() / "data" / "sources").glob("*.toml")}
    except UsageError:
        return {}


def _from_here_or_project(path: str) -> Path:
    """Return a path from the working folder, or else from the project's folder."""
    here = Path(path).expanduser()
    if here.is_absolute() or here.exists():
        return here
    there = data_root() / here
    return there if there.exists() else here


def _files_in(folder: Path) -> dict[str, str]:
    found = {table: _file_named(table, folder) for table in TABLES}
    return {table: str(file) for table, file in found.items() if file is not None}


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
        if not isinstance(files[table], str | os.PathLike):
            raise UsageError(
                f"files names no file of {table}.",
                found=f"a {type(files[table]).__name__}",
                to_try=f"tables in memory as the data themselves: {{'{table}': …}}",
            )
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


def _markets(profile: Profile, place: _Place) -> Markets:
    if not isinstance(profile.markets, str):
        return markets_of(profile.markets, where=place.where)
    if place.path is None:
        return _project_markets(profile.markets)
    folder = place.path if place.path.is_dir() else place.path.parent
    beside = folder / profile.markets
    named = beside if beside.is_file() else data_root() / "data" / profile.markets
    if place.path.is_file() and named.resolve() == place.path.resolve():
        raise ConfigError(
            f"{place.path.name} names itself as the file of its markets.",
            found=f'markets = "{profile.markets}"',
            to_try='markets = "markets.toml", or the markets themselves as [markets.NL], …',
        )
    return read_markets(named)


def _project_markets(name: str) -> Markets:
    try:
        return read_markets(project_root() / "data" / name)
    except UsageError:
        raise ConfigError(
            f"{_CALL} declares no market, and there is no project that does.",
            to_try='market="SE", currency="SEK", time_zone="Europe/Stockholm", or markets={"SE": {…}, …}',
        ) from None
