"""Forecasts as text: all that was fitted of the markets, to be fitted once and told in each report.

Floats are written so that they read back the same; nothing but what models are made of can be read.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.messages import N_, Listed, Message, Number, Period
from retention_kit.models.backtest import BackTest
from retention_kit.models.customer_value import CustomerValue, customer_value
from retention_kit.models.fitting import Fit
from retention_kit.models.forecasts import MarketForecast, known_patterns, no_forecast, purchase_forecasts
from retention_kit.models.laws import LAWS
from retention_kit.models.money import MoneyTest
from retention_kit.models.patterns import patterns
from retention_kit.models.pooling import MarketModel
from retention_kit.models.purchases import DEFAULT_LAW, PurchaseModel
from retention_kit.models.seasons import Seasons, no_seasons
from retention_kit.models.spend import SpendModel

_KINDS = {
    kind.__name__: kind for kind in (BackTest, Fit, MarketModel, MoneyTest, Number, PurchaseModel, Seasons, SpendModel)
}
_EACH_BY_ITSELF = N_(
    "{market}: customers differ by market, and so do currencies: each market has a forecast of its own."
)
_NOT_SERIALIZED = ("market", "patterns")


def serialized_forecasts(
    tables: Mapping[str, pd.DataFrame],
    *,
    markets: Mapping[str, Market],
    as_of: str,
    holdout_weeks: int,
    min_cell: int,
    law: str = DEFAULT_LAW,
) -> dict[str, pd.DataFrame]:
    """Return the forecasts of all markets, fitted together, as a table of texts.

    Parameters
    ----------
    tables : counts tables of all markets, with those of the hold-out; the others are as of `purchase_forecasts`.

    Returns
    -------
    `forecasts`: one row per market: `market`, `forecast`, which `deserialized_forecast` reads.
    """
    facts = {"markets": markets, "as_of": as_of, "holdout_weeks": holdout_weeks, "min_cell": min_cell, "law": law}
    found = purchase_forecasts(tables, tables, **facts).by_market
    rows = [(code, json.dumps(_to_json(_parts(forecast)), ensure_ascii=False)) for code, forecast in found.items()]
    return {"forecasts": pd.DataFrame(rows, columns=["market", "forecast"])}


def deserialized_forecast(forecasts: pd.DataFrame, rfm_counts: pd.DataFrame, *, market: Market) -> MarketForecast:
    """Return the forecast of one market as it was fitted; of the group one that says why there is none.

    Parameters
    ----------
    forecasts : the table of `serialized_forecasts`.
    rfm_counts : of the market, the same that it was fitted to.
    market : its names and assumptions.

    Raises
    ------
    MetricError : it is not among those fitted.
    """
    if market.code == GROUP:
        return _of_the_group(rfm_counts, market)
    found = forecasts.loc[forecasts["market"] == market.code, "forecast"]
    if found.empty:
        raise no_forecast(market.code, forecasts["market"])
    parts = _from_json(json.loads(found.iloc[0]))
    known = known_patterns(rfm_counts, seasons=parts["seasons"], as_of_day=parts["as_of_day"])
    return MarketForecast(market=market, patterns=known, **parts)


def customer_values(
    forecasts: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    markets: Mapping[str, Market],
    codes: Iterable[str],
    **terms: Any,
) -> dict[str, CustomerValue]:
    """Return what the forecasts say of the customers of each market.

    Parameters
    ----------
    forecasts : the table of `serialized_forecasts`.
    tables : counts tables of all markets.
    markets : by code.
    codes : of the markets asked for.
    terms : as of `models.customer_value`.
    """
    found = {}
    for code in codes:
        rfm, cost = (tables[name][tables[name]["market"] == code] for name in ("rfm_counts", "acquisition_counts"))
        found[code] = customer_value(deserialized_forecast(forecasts, rfm, market=markets[code]), rfm, cost, **terms)
    return found


def _of_the_group(rfm_counts: pd.DataFrame, market: Market) -> MarketForecast:
    """Return no forecast, and why: customers differ by market, and so do currencies."""
    why = Message(_EACH_BY_ITSELF, market=market.name)
    none = no_seasons("")
    facts = {"law": DEFAULT_LAW, "as_of_day": 0, "seasons": none, "seasons_before": none}
    nothing = {"market_model": None, "spend": None, "tested": None, "notes": {"model": why, "spend": why, "test": ""}}
    return MarketForecast(market=market, patterns=patterns(rfm_counts), **facts, **nothing)


def _parts(forecast: MarketForecast) -> dict[str, Any]:
    return {one.name: getattr(forecast, one.name) for one in fields(forecast) if one.name not in _NOT_SERIALIZED}


def _to_json(value: Any) -> Any:
    """Return a value as JSON has it; what JSON does not know as an object that names its kind."""
    if isinstance(value, Message):
        facts = {"template": value.template, "plural": value.plural, "facts": _to_json(value.facts)}
        return {"kind": "message", **facts}
    if isinstance(value, Listed):
        return {"kind": "listed", "items": [_to_json(item) for item in value.parts]}
    if isinstance(value, Period):
        return {"kind": "period", "text": str(value)}
    if isinstance(value, np.ndarray):
        return {"kind": "array", "values": value.tolist()}
    if isinstance(value, pd.DataFrame):
        return {"kind": "table", "columns": {name: column.tolist() for name, column in value.items()}}
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value):
        parts = {one.name: _to_json(getattr(value, one.name)) for one in fields(value)}
        return {"kind": type(value).__name__, "parts": parts}
    if isinstance(value, Mapping):
        return {"kind": "mapping", "items": {name: _to_json(item) for name, item in value.items()}}
    if getattr(value, "id", None) in LAWS:
        return {"kind": "law", "id": value.id}
    if isinstance(value, tuple):
        return {"kind": "tuple", "items": [_to_json(item) for item in value]}
    return value


def _from_json(value: Any) -> Any:
    """Return what `_to_json` was given."""
    if not isinstance(value, dict):
        return value
    kind = value["kind"]
    if kind in _KINDS:
        return _KINDS[kind](**{name: _from_json(part) for name, part in value["parts"].items()})
    made = {
        "message": lambda: Message(value["template"], value["plural"], **_from_json(value["facts"])),
        "listed": lambda: Listed(_from_json(item) for item in value["items"]),
        "period": lambda: Period(value["text"]),
        "array": lambda: np.array(value["values"]),
        "table": lambda: pd.DataFrame(value["columns"]),
        "tuple": lambda: tuple(_from_json(item) for item in value["items"]),
        "mapping": lambda: {name: _from_json(item) for name, item in value["items"].items()},
        "law": lambda: LAWS[value["id"]],
    }
    return made[kind]()
