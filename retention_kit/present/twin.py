"""The report's machine-readable twin: every headline and table as JSON, the same numbers as on the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from retention_kit import __version__
from retention_kit.config import GROUP, GROUP_NAME
from retention_kit.metrics import Sheet
from retention_kit.metrics.group import GroupSheet
from retention_kit.models import CustomerValue, MoneyTest
from retention_kit.periods import date_of, label
from retention_kit.present import formats, headlines, value
from retention_kit.present.languages import N_, _, current, ngettext, place
from retention_kit.present.report_data import SCHEMA_VERSION, AheadData, ChangeData, GroupReport, MarketReport, Row
from retention_kit.present.sentences import group_sentences, sentences
from retention_kit.protection import small_rows
from retention_kit.table import Column, Role, Table
from retention_kit.writing import write_whole


def twin(
    sheet: Sheet,
    *,
    data: str,
    data_fingerprint: str,
    findings: Sequence[dict[str, Any]],
    customer_value: CustomerValue | None = None,
) -> MarketReport:
    """Return the twin of a sheet as plain values, by the published schema; absent and hidden numbers are None.

    `ahead` is what is forecast of the customers, None where nothing is.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "market": sheet.market.code,
        "name": sheet.market.name,
        "currency": sheet.market.currency if "revenue" in sheet.headlines else None,
        **_told_of_both(sheet, data=data, data_fingerprint=data_fingerprint),
        "in_short": sentences(sheet),
        "changed": _read(sheet),
        "tables": {name: _rows(rows) for name, rows in sheet.tables.items()},
        "ahead": None if customer_value is None else _ahead(customer_value, min_cell=sheet.min_cell),
        "findings": list(findings),
        "settings": {
            "refund_policy": sheet.refund_policy,
            "activity_window_days": sheet.market.activity_window_days,
        },
        "restated": [],
    }


def _told_of_both(sheet: Sheet | GroupSheet, *, data: str, data_fingerprint: str) -> dict[str, Any]:
    """Return what the twin of a market and that of the group both tell: of what they are, and their headlines."""
    return {
        "as_of": sheet.as_of,
        "grain": sheet.grain,
        "base_grain": sheet.base_grain,
        "min_cell": sheet.min_cell,
        "segment": sheet.segment or None,
        "data": data,
        "data_fingerprint": data_fingerprint,
        "kit_version": __version__,
        "language": current().code,
        "headlines": [
            h.to_dict() | {"shown": headlines.shown(h), "shown_interval": headlines.interval(h)}
            for h in sheet.headlines.values()
        ],
    }


def publish(
    sheet: Sheet,
    *,
    data: str,
    data_fingerprint: str,
    findings: Sequence[dict[str, Any]],
    to: str = "",
    customer_value: CustomerValue | None = None,
    restated: pd.DataFrame | None = None,
) -> Table:
    """Write the twin to a file, where one is named, and return where the numbers come from.

    Parameters
    ----------
    customer_value : what is forecast of the customers; told in the file where given.
    to : the file; empty writes nothing.
    restated : what moved since the last report, from `restatement.restated`; told in the file where given.
    """
    if to:
        told = twin(
            sheet, data=data, data_fingerprint=data_fingerprint, findings=findings, customer_value=customer_value
        )
        told["restated"] = [] if restated is None else _rows(restated)
        write_whole({Path(to): to_json(told).encode()})
    facts = {
        _("Market"): f"{place(sheet.market.name)} ({sheet.market.code})",
        **_customers_asked(sheet.segment),
        _("Data"): data,
        _("Observed before"): formats.day(sheet.as_of) if len(sheet.as_of) == 10 else sheet.as_of,
        _("Currency"): sheet.market.currency,
        _("Time zone"): sheet.market.time_zone,
        _("Smallest group shown"): _least(sheet.min_cell),
        "retention_kit": __version__,
    }
    return _provenance(facts)


def _customers_asked(segment: str) -> dict[str, str]:
    told = _("{segment}, asked at the first order; what is known of customers without a date, as it is now")
    return {_("Customers"): told.format(segment=segment)} if segment else {}


def group_twin(
    sheet: GroupSheet,
    *,
    data: str,
    data_fingerprint: str,
    findings: Sequence[dict[str, Any]],
    customer_values: Mapping[str, CustomerValue] | None = None,
) -> GroupReport:
    """Return the twin of the group's sheet as plain values; `headlines` are those no small market can be had from.

    `ahead` is what is forecast of each market's customers.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "market": GROUP,
        "name": GROUP_NAME,
        "currency": sheet.currency,
        **_told_of_both(sheet, data=data, data_fingerprint=data_fingerprint),
        "in_short": group_sentences(sheet),
        "hidden_markets": list(sheet.hidden),
        "tables": {name: _rows(rows) for name, rows in sheet.tables.items()},
        "ahead": {code: _ahead(one, min_cell=sheet.min_cell) for code, one in (customer_values or {}).items()},
        "findings": list(findings),
        "restated": [],
    }


def publish_group(
    sheet: GroupSheet,
    *,
    data: str,
    data_fingerprint: str,
    findings: Sequence[dict[str, Any]],
    to: str = "",
    customer_values: Mapping[str, CustomerValue] | None = None,
    restated: pd.DataFrame | None = None,
) -> Table:
    """Write the group's twin to a file, where one is named, and return where the numbers come from.

    Parameters
    ----------
    to, restated : as of `publish`.
    """
    if to:
        facts = {
            "data": data,
            "data_fingerprint": data_fingerprint,
            "findings": findings,
            "customer_values": customer_values,
        }
        told = group_twin(sheet, **facts)
        told["restated"] = [] if restated is None else _rows(restated)
        write_whole({Path(to): to_json(told).encode()})
    facts = {
        _("Markets"): formats.separated(map(place, sheet.names.values())),
        _("Too small to show"): formats.separated(sheet.hidden) or _("none"),
        **_customers_asked(sheet.segment),
        _("Data"): data,
        _("Observed before"): formats.day(sheet.as_of) if len(sheet.as_of) == 10 else sheet.as_of,
        _("Currency of the group"): sheet.currency or _("none"),
        _("Smallest group shown"): _least(sheet.min_cell),
        "retention_kit": __version__,
    }
    return _provenance(facts)


def _least(n: int) -> str:
    if n == 1:
        return _("everybody: min_cell = 1 switches protection off")
    return ngettext("{n} customer", "{n} customers", n).format(n=formats.count(n))


def _provenance(facts: dict[str, str]) -> Table:
    return Table(
        pd.DataFrame({"fact": facts.keys(), "value": facts.values()}),
        [Column("fact", N_("Fact"), Role.KEY), Column("value", N_("Value"), Role.KEY)],
        name="provenance",
        title=N_("Where these numbers come from"),
    )


def _ahead(customer_value: CustomerValue, *, min_cell: int) -> AheadData:
    """Return what is forecast of a market's customers as plain values; a forecast that is withheld has none."""
    forecast, test = customer_value.forecast, customer_value.forecast.tested
    orders = customer_value.orders_ahead
    ends = None if orders is None else dict(zip(("value", "lower", "upper"), orders, strict=True))
    tested = None
    if test is not None:
        numbers = ("weeks", "n_customers", "actual", "forecast", "lower", "upper", "last_period", "steady_ratio")
        tested = {name: getattr(test, name) for name in numbers} | {"holds": bool(test.holds)}
        buckets = small_rows(test.buckets, n=["n_customers"], keys=["bucket"], min_cell=min_cell)
        tested["in_money"] = _in_money(test.money, forecast.market.minor_per_unit)
        tested |= {"split": date_of(test.split_day).isoformat(), "by_repeat_orders_before": _rows(buckets)}
    return {
        "in_short": value.sentences(customer_value),
        "law": forecast.law,
        "withheld": forecast.withheld or None,
        "orders_in_the_next_year": ends,
        "still_customers": None if orders is None else customer_value.n_still,
        "horizon_weeks": customer_value.horizon_weeks,
        "yearly_rate": customer_value.yearly_rate,
        "worth_of_a_new_customer": None if customer_value.clv is None else asdict(customer_value.clv),
        "acquisition_cost": customer_value.acquisition_cost,
        "payback": _rows(customer_value.payback),
        "retention": _rows(customer_value.activity),
        "back_test": tested,
    }


def _in_money(test: MoneyTest | None, minor_per_unit: int) -> dict[str, Any] | None:
    """Return the back-test in units of currency."""
    if test is None:
        return None
    numbers = ("actual", "forecast", "lower", "upper", "last_period")
    return {name: getattr(test, name) / minor_per_unit for name in numbers} | {"holds": bool(test.holds)}


def _read(sheet: Sheet) -> ChangeData:
    """Return where retention changed, as plain values."""
    reading = sheet.reading
    is_period = reading.kind in ("period", "cohorts")
    at = label(reading.at, grain=sheet.grain) if is_period else reading.at
    ends = {name: None if pd.isna(getattr(reading, name)) else getattr(reading, name) for name in ("lower", "upper")}
    return {"kind": reading.kind, "at": at, "ratio": reading.ratio, **ends, "p": reading.p}


def to_json(values: Any) -> str:
    """Return JSON that any reader takes: no NaN, UTF-8, one trailing newline."""
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _rows(rows: pd.DataFrame) -> list[Row]:
    return json.loads(rows.to_json(orient="records", double_precision=15))
