"""What a report's JSON holds: the types that its schema, `schemas/report.json` of the package, is made from."""

from typing import Any, Literal

from typing_extensions import TypedDict

SCHEMA_VERSION = 1
"""Raised when a key changes its meaning or goes; a key that is added does not raise it."""

Number = int | float
Row = dict[str, str | int | float | bool | None]
"""A row of a table: None where a number is absent or hidden, which `hidden` tells apart."""

_EXPLAINED = {"use_attribute_docstrings": True}


class HeadlineData(TypedDict):
    """One number of a market, with all that is needed to argue with it; None where it is absent or hidden."""

    __pydantic_config__ = _EXPLAINED

    id: str
    label: str
    value: Number | None
    unit: str
    """What one of it is: `share` of 0 to 1, `customers`, `currency per order`."""
    definition: str
    window: str
    """Half open: its last date is not in it."""
    as_of: str
    n: int | None
    """How many customers it is about."""
    lower: Number | None
    upper: Number | None
    conf_level: Number | None
    numerator: Number | None
    denominator: Number | None
    currency: str | None
    note: str
    """Why there is no value, where there is none."""
    hidden: bool
    """Whether it protects a small group."""
    shown: str
    """As it is written in the report's language."""
    shown_interval: str


class FindingData(TypedDict):
    """So many of so many rows of a table, and what was found of them."""

    __pydantic_config__ = _EXPLAINED

    table: str
    reason: str
    """Its code."""
    n: int
    of: int
    severity: Literal["refused", "warning", "note"]
    """Left out · kept, with doubts · kept."""
    unit: str
    column: str
    facts: dict[str, Any]
    text: str


class ChangeData(TypedDict):
    """Where retention changed, as the report tells it."""

    kind: str
    at: str | None
    ratio: Number
    lower: Number | None
    upper: Number | None
    p: Number


class Forecast(TypedDict):
    """A number that is forecast, with its interval."""

    value: Number
    lower: Number
    upper: Number


class WorthData(TypedDict):
    """What a new customer is worth over a horizon, discounted; money in units of the market's currency."""

    orders: Number
    order_value: Number
    value: Number
    lower: Number
    upper: Number
    weeks: int
    yearly_rate: Number
    gross_margin: Number | None


class MoneyTestData(TypedDict):
    """A forecast of money, held against what came; in units of the market's currency."""

    __pydantic_config__ = _EXPLAINED

    actual: Number
    forecast: Number
    lower: Number
    upper: Number
    last_period: Number
    """What came in the period of the same length before."""
    holds: bool


class BackTestData(TypedDict):
    """A forecast made before the last weeks, held against what came in them."""

    __pydantic_config__ = _EXPLAINED

    weeks: int
    n_customers: int
    actual: Number
    forecast: Number
    lower: Number
    upper: Number
    last_period: Number
    steady_ratio: Number | None
    holds: bool
    in_money: MoneyTestData | None
    split: str
    """First day of the weeks held out."""
    by_repeat_orders_before: list[Row]


class AheadData(TypedDict):
    """What is forecast of a market's customers; no numbers where the forecast is withheld."""

    __pydantic_config__ = _EXPLAINED

    in_short: list[str]
    law: str
    withheld: str | None
    """Why there is no forecast, where there is none."""
    orders_in_the_next_year: Forecast | None
    still_customers: Number | None
    horizon_weeks: int
    yearly_rate: Number
    worth_of_a_new_customer: WorthData | None
    acquisition_cost: Number | None
    payback: list[Row]
    retention: list[Row]
    back_test: BackTestData | None


class SettingsData(TypedDict):
    """What was declared, and decides what is counted."""

    refund_policy: str
    activity_window_days: int


class _Report(TypedDict):
    __pydantic_config__ = _EXPLAINED

    schema_version: Literal[1]
    name: str
    currency: str | None
    """Of every amount; None where amounts of several currencies are not added."""
    as_of: str
    """First day, or instant, not observed."""
    grain: str
    base_grain: str
    min_cell: int
    """Groups and counts below it are hidden."""
    segment: str | None
    """Of which customers it is, a name or an expression; None of all."""
    data: str
    data_fingerprint: str
    kit_version: str
    language: str
    headlines: list[HeadlineData]
    in_short: list[str]
    tables: dict[str, list[Row]]
    """Every table of the report by name, row by row."""
    findings: list[FindingData]
    restated: list[Row]
    """Numbers of closed periods that are others than in the last report, and why."""


class MarketReport(_Report):
    """The report of one market."""

    __pydantic_config__ = _EXPLAINED

    market: str
    """Its code."""
    changed: ChangeData
    ahead: AheadData | None
    settings: SettingsData


class GroupReport(_Report):
    """The report of all markets together; `headlines` are those that no small market can be had from."""

    __pydantic_config__ = _EXPLAINED

    market: Literal["ALL"]
    hidden_markets: list[str]
    """Codes of the markets that are too small to be shown."""
    ahead: dict[str, AheadData]
    """What is forecast, by market."""
