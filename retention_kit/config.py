"""`markets.toml` becomes markets: their names, money, time and calendar, checked strictly.

Nothing about a market is derived from its code: currency, languages and time zone are declared.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.numbers import get_currency_precision, list_currencies
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from retention_kit.errors import ConfigError, UsageError, listed, near_miss, shown, unknown_name, unopened

GROUP = "ALL"
"""The code of all markets together; no market may take it."""

GROUP_NAME = "All markets"
"""What they are called, in English."""

Grain = Literal["day", "week", "month", "quarter", "year"]

Model = TypeVar("Model", bound=BaseModel)


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones; looking them up reads hundreds of files."""
    return frozenset(available_timezones())


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as why:
        raise ValueError(f"'{shown(value)}' is not a number such as \"13.50\"") from why


def _several(value: Any) -> Any:
    """Return one text as a list of one; a list as it is."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


_DECIMAL = Annotated[Decimal, BeforeValidator(_decimal)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""One text or a list of texts."""


class Strict(BaseModel):
    """A part of a configuration file: an unknown key is an error, and so is a wrong type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Lifespan(Strict):
    """How long a customer stays, with its unit, as `markets.toml` states it."""

    value: float = Field(gt=0)
    unit: Literal["week", "month", "quarter", "year"]


class Market(Strict):
    """A country sold to, as `markets.toml` declares it."""

    code: str
    name: str = Field(min_length=1)
    languages: Texts = Field(min_length=1)
    currency: str
    time_zone: str
    week_start: Literal["monday", "sunday", "saturday"] = "monday"
    activity_window_days: int = Field(default=90, ge=1)
    lifespan: Lifespan | None = None
    gross_margin: float | None = Field(default=None, gt=0, le=1)
    acquisition_cost: _DECIMAL | None = Field(default=None, ge=0)
    minor_digits: int | None = Field(default=None, ge=0, le=6)
    aliases: Texts = ()

    @field_validator("code")
    @classmethod
    def _is_a_code(cls, code: str) -> str:
        if not re.fullmatch(r"[A-Z][A-Z0-9-]{1,15}", code) or code == GROUP:
            raise ValueError(f"a market's code is 2 to 16 of A-Z, 0-9 and -, and not '{GROUP}', not '{code}'")
        return code

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str) -> str:
        if currency not in list_currencies():
            raise ValueError(f"'{currency}' is not a currency of ISO 4217{_did_you_mean(currency, list_currencies())}")
        return currency

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, zone: str) -> str:
        if zone not in time_zones():
            raise ValueError(f"'{zone}' is not a time zone{_did_you_mean(zone, time_zones())}")
        return zone

    @field_validator("languages")
    @classmethod
    def _are_languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            try:
                Locale.parse(language, sep="-")
            except (ValueError, UnknownLocaleError) as why:
                raise ValueError(f"'{language}' is not a language, such as 'nl-NL' or 'zh-Hans-CN'") from why
        return languages

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the market's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def digits(self) -> int:
        """Return how many decimals its money is counted with."""
        return get_currency_precision(self.currency) if self.minor_digits is None else self.minor_digits

    @property
    def minor_per_unit(self) -> int:
        """Return minor units in one unit of the currency: 100 for EUR, 1 for JPY."""
        return 10**self.digits


class Markets(Mapping[str, Market]):
    """The declared markets by code; asking for an unknown one names the near miss."""

    def __init__(self, markets: Mapping[str, Market], *, where: str) -> None:
        self._markets, self.where = dict(markets), where
        self.by_written_name = _written_names(self._markets, where=where)

    def __getitem__(self, code: str) -> Market:
        if code not in self._markets:
            raise unknown_market(code, self)
        return self._markets[code]

    def __contains__(self, code: object) -> bool:
        return code in self._markets

    def refuse_unknown(self, codes: Iterable[str]) -> None:
        """Refuse a code that is neither a declared market's nor the group's, before anything is counted or shown.

        Raises
        ------
        UsageError : with the near miss.
        """
        for code in codes:
            if code not in self and code != GROUP:
                raise unknown_market(code, self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._markets)

    def __len__(self) -> int:
        return len(self._markets)


def unknown_market(code: str, markets: Markets) -> UsageError:
    """Return the error for a market that is not declared; names the near miss by code or name."""
    error = unknown_name("market", code, list(markets))
    near = near_miss(code, markets.by_written_name)
    to_try = f"'{markets.by_written_name[near]}'" if near else f"one of them, or declare '{code}' in {markets.where}"
    return UsageError(error.what, found=error.found, to_try=to_try)


def read_markets(path: Path) -> Markets:
    """Return the markets that a `markets.toml` declares.

    Raises
    ------
    ConfigError : no such file, not TOML, a market declared twice, an unknown key, a wrong value.
    """
    return markets_of(read_toml(path), where=path.name)


def markets_of(tables: Mapping[str, Any], *, where: str) -> Markets:
    """Return the markets of parsed TOML: one table a market, `defaults` for what they share."""
    defaults = tables.get("defaults", {})
    for name, table in tables.items():
        _refuse_other_than_a_market(name, table, where=where)
    markets = {
        code: validated(Market, {"code": code, **defaults, **table}, where=f"{where} [{code}]")
        for code, table in tables.items()
        if code != "defaults"
    }
    if not markets:
        raise ConfigError(
            f"{where} declares no market.",
            to_try="add a table such as [NL] with name, languages, currency and time_zone",
        )
    return Markets(markets, where=where)


def _refuse_other_than_a_market(name: str, table: Any, *, where: str) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: '{name}' is not a table.", to_try=f"[{name}], and under it name, languages, …")
    if "code" in table:
        raise ConfigError(
            f"{where} [{name}] states a code.",
            found="code",
            to_try=f"leave it out: the code is the table's name, {name}",
        )


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file, its mistakes told as ours."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as why:
        raise ConfigError(f"There is no file '{path.name}'.", found=_beside(path), to_try="check the path") from why
    except OSError as why:
        raise unopened(path.name, why, error=ConfigError) from why
    except UnicodeDecodeError as why:
        raise ConfigError(f"{path.name} is not UTF-8 text.", to_try="save it as UTF-8") from why
    except tomllib.TOMLDecodeError as why:
        twice = re.search(r"Cannot declare \((?:'[^']+', )*'([^']+)',?\) twice", str(why))
        if twice:
            raise ConfigError(
                f"{path.name} declares '{twice[1]}' twice.", to_try="give each market its own code"
            ) from why
        raise ConfigError(f"{path.name} is not valid TOML.", found=str(why), to_try="mend that line") from why


def validated(model: type[Model], values: Mapping[str, Any], *, where: str) -> Model:
    """Return the model made of the values; every mistake is told at once, an unknown key with its near miss."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as why:
        told = [_told(error, model) for error in why.errors()]
        raise ConfigError(
            f"{where} cannot be read as written.",
            found="\n".join(text for text, _ in told),
            to_try="\n".join(dict.fromkeys(advice for _, advice in told)),
        ) from why


def _told(error: Any, model: type[BaseModel]) -> tuple[str, str]:
    """Return what one mistake is, and what to try."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        *within, key = (str(part) for part in error["loc"])
        known = _keys(model, within)
        near = near_miss(key, known)
        return (
            f"unknown key '{place}'",
            f"'{'.'.join([*within, near])}'" if near else f"one of {listed(known, most=30)}",
        )
    if error["type"] == "missing":
        return f"no '{place}'", f"add '{place}'"
    if error["type"] in _PLAIN:
        return f"'{place}': should be {_PLAIN[error['type']]}", f"{error['loc'][-1]} = {_example(error)}"
    text = error["msg"].removeprefix("Value error, ")
    return f"'{place}': {text}", f"correct '{place}'"


_PLAIN = {
    "tuple_type": "a list of texts",
    "dict_type": "a table",
    "model_type": "a table",
    "string_type": "a text in quotes",
    "bool_type": "true or false, without quotes",
}
_EXAMPLES = {
    "aliases": '["Nederland"]',
    "languages": '["nl-NL"]',
    "date_format": '["%d-%m-%Y"]',
    "lifespan": '{ value = 10, unit = "month" }',
    "expected": "{ no_customer_id = 0.26 }",
    "as_of": '"2026-01-01"',
    "tuple_type": '["…"]',
    "dict_type": "{ … }",
    "model_type": "{ … }",
    "string_type": '"…"',
    "bool_type": "true",
}


def _example(error: Any) -> str:
    """Return what could stand in the place of a value of the wrong type."""
    return _EXAMPLES.get(str(error["loc"][-1]), _EXAMPLES[error["type"]])


def _keys(model: type[BaseModel], within: Iterable[str]) -> list[str]:
    """Return the keys that a part of a model has."""
    for name in within:
        annotation = model.model_fields[name].annotation
        parts = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
        model = next((part for part in parts if issubclass(part, BaseModel)), model)
    return list(model.model_fields)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = near_miss(name, known)
    return f": did you mean '{near}'?" if near else ""


def _beside(path: Path) -> str:
    names = sorted(file.name for file in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
    return listed(names)


def _written_names(markets: Mapping[str, Market], *, where: str) -> dict[str, str]:
    """Return code by every way of writing a market: its code, its name, its aliases."""
    codes: dict[str, str] = {}
    for code, market in markets.items():
        for written in dict.fromkeys([code, market.name, *market.aliases]):
            if codes.setdefault(written, code) != code:
                raise ConfigError(
                    f"{where}: '{written}' names two markets.",
                    found=listed([codes[written], code]),
                    to_try="give each market its own name and aliases",
                )
    return codes


def project_root() -> Path:
    """Return the project's folder: the nearest one upwards that holds `data/markets.toml`.

    The environment variable `RETENTION_KIT_PROJECT` names another one.
    """
    named = os.environ.get("RETENTION_KIT_PROJECT")
    here = Path(named) if named else Path.cwd()
    for folder in [here, *([] if named else here.parents)]:
        if (folder / "data" / "markets.toml").is_file():
            return folder.resolve()
    raise UsageError(
        "No project here: there is no data/markets.toml in this folder or above it.",
        to_try="run it inside the project, or set RETENTION_KIT_PROJECT to the project's folder",
    )
