"""The index of a folder of reports: markets by name, their headlines from the twins, what failed and why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from babel.numbers import format_decimal

from retention_kit.present.languages import locale_of
from retention_kit.run import record
from retention_kit.run.page import rendered
from retention_kit.writing import write_whole

HEADLINES = (
    ("customers",),
    ("customer_retention_rate",),
    ("repeat_customer_rate_by_days", "repeat_customer_rate"),
    ("purchase_frequency_per_year", "purchase_frequency"),
    ("average_order_value",),
    ("clv_simple",),
)
"""The headlines that are columns, in this order: of each group the first one that a twin has."""

WORDS = {
    "skip": "Skip to the content",
    "index_title": "Customer retention by market",
    "counted": lambda n: "1 market" if n == 1 else f"{n} markets",
    "trouble": lambda n: "1 market could not be reported" if n == 1 else f"{n} markets could not be reported",
    "market": "Market",
    "status": "Status",
    "as_of": "as of",
    "data": "Data:",
    "twin_of": "The numbers as JSON:",
    "definitions": "What the numbers mean",
    "local_money": "Amounts are in each market's own currency. Markets are listed by name; "
    "they are neither added up nor ranked.",
}

STATUSES = {
    "fresh": "up to date",
    "earlier": "from an earlier run",
    "stale": "kept from an earlier run",
    "failed": "no report",
}

_KEPT = {"stale": "The last good report is kept.", "failed": "There is no earlier report."}


_BETWEEN_TWO_DAYS = {"customer_retention_rate"}
"""Headlines that compare a first day with a last one: both are named, even where the last one is `as_of`."""


@dataclass(frozen=True)
class Cell:
    """A headline as it is shown, the time it is of, and below it its interval, its n, or why it is absent."""

    shown: str
    sub: tuple[str, ...] = ()
    window: str = ""
    known: bool = True


@dataclass(frozen=True)
class Column:
    """A headline that at least one market has; `window` is the time it is of, where all markets agree."""

    id: str
    label: str
    definition: str
    window: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The label in at most two lines, the longer one as short as can be."""
        words = self.label.split()
        cuts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(len(words), 0, -1)]
        return tuple(filter(None, min(cuts, key=lambda cut: max(map(len, cut))))) if words else ()


def write_index(out: Path, *, language: str = "en") -> None:
    """Write `index.html` from what lies in the folder: `run.json`, the reports and their twins."""
    known = record.read(out)
    twins = {market: record.twin_of(out, market) for market in known["markets"]}
    html = index_page(known, twins, out=out, language=language)
    write_whole({out / "index.html": html.encode("utf-8")})


def index_page(known: Mapping[str, Any], twins: Mapping[str, Mapping[str, Any]], *, out: Path, language: str) -> str:
    """Return the index as HTML.

    Parameters
    ----------
    known : the content of `run.json`.
    twins : each market's twin, empty where it has none.
    out : the folder, to see which files are there to be linked.
    language : BCP 47; numbers of intervals are written its way.
    """
    columns = _columns(twins)
    rows = [
        _row(market, entry, twins.get(market, {}), columns=columns, out=out, language=language)
        for market, entry in known["markets"].items()
    ]
    rows.sort(key=lambda row: (row["name"].casefold(), row["market"]))
    return rendered(
        "index.html.j2",
        language=language,
        words=WORDS,
        columns=columns,
        rows=rows,
        data=", ".join(_all_data(known, twins)),
        troubled=[row for row in rows if row["reason"]],
        definitions=[(column.label, column.definition) for column in columns if column.definition],
        footer=_footer(known),
    )


def _headlines(twin: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {headline["id"]: headline for headline in twin.get("headlines", [])}


def _all_data(known: Mapping[str, Any], twins: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the data that the markets' reports are of: one, unless a folder has a longer history."""
    named = {record.data_of(entry, twins.get(market, {})) for market, entry in known["markets"].items()}
    return sorted(named - {""})


def _columns(twins: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    """Return a column for each headline that any twin has."""
    found: dict[str, Column] = {}
    windows: dict[str, set[str]] = {}
    for twin in twins.values():
        for key, headline in _headlines(twin).items():
            found.setdefault(key, Column(key, headline.get("label", key), headline.get("definition", "")))
            if headline.get("value") is not None:
                windows.setdefault(key, set()).add(_window(headline))
    for key, seen in windows.items():
        if len(seen) == 1:
            found[key] = replace(found[key], window=seen.pop())
    return [next(found[key] for key in group if key in found) for group in HEADLINES if found.keys() & set(group)]


def _row(
    market: str,
    entry: Mapping[str, Any],
    twin: Mapping[str, Any],
    *,
    columns: Sequence[Column],
    out: Path,
    language: str,
) -> dict[str, Any]:
    headlines = _headlines(twin)
    status = _status(entry)
    return {
        "market": market,
        "name": entry["name"],
        "status": status,
        "status_shown": STATUSES[status],
        "reason": entry["reason"],
        "kept": _KEPT.get(status, ""),
        "as_of": twin.get("as_of", ""),
        "currency": twin.get("currency", ""),
        "report": f"{market}.html" if (out / f"{market}.html").is_file() else "",
        "twin": f"{market}.json" if twin else "",
        "cells": [_cell(headlines.get(column.id), language=language) for column in columns],
    }


def _status(entry: Mapping[str, Any]) -> str:
    """Return fresh, stale or failed, or earlier for a good report of an earlier run."""
    return "earlier" if entry["status"] == "fresh" and not entry.get("this_run", True) else entry["status"]


def _cell(headline: Mapping[str, Any] | None, *, language: str) -> Cell:
    """Return a headline's cell: its value with its interval and its n, or a dash with the reason."""
    if headline is None:
        return Cell("–", known=False)
    if headline.get("value") is None:
        return Cell(headline.get("shown") or "–", tuple(filter(None, [headline.get("note", "")])))
    interval = _interval(headline, language)
    told = [interval, _n(headline, language) if interval else "", _unit(headline)]
    return Cell(headline["shown"], tuple(filter(None, told)), _window(headline))


def _window(headline: Mapping[str, Any]) -> str:
    """Return the time a headline is of: since when, where it reaches up to the `as_of` that its market names."""
    window = headline.get("window") or ""
    start, _, end = window.partition(" to ")
    if headline["id"] in _BETWEEN_TWO_DAYS or not end or end != headline.get("as_of"):
        return window
    return f"since {start}"


def _unit(headline: Mapping[str, Any]) -> str:
    """Return the unit of a frequency whose label does not say per what it is."""
    return headline["unit"] if headline["id"] == "purchase_frequency" else ""


def _interval(headline: Mapping[str, Any], language: str) -> str:
    """Return the interval as the twin shows it, else, for a share, from its ends; empty where it has none."""
    ends = [headline.get("lower"), headline.get("upper")]
    if None in ends:
        return ""
    if headline.get("shown_interval") or headline.get("unit") != "share":
        return headline.get("shown_interval", "")
    shown = [format_decimal(100 * end, "#,##0.0", locale=locale_of(language)) for end in ends]
    sign = re.search(r"\s?%$", headline["shown"])  # with the space before it that the value has, or has not
    return f"{shown[0]} – {shown[1]}{sign[0] if sign else ' %'}"


def _n(headline: Mapping[str, Any], language: str) -> str:
    n = headline.get("n")
    return "" if n is None else f"n {format_decimal(n, '#,##0', locale=locale_of(language))}"


def _footer(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the index was made of, as far as all its markets share it."""
    notebooks = sorted({entry["notebook"]["name"] for entry in known["markets"].values()})
    facts = [
        ("retention-kit", known["kit_version"]),
        ("Notebook", ", ".join(notebooks)),
        ("Made", known["made"]),
    ]
    return [(label, value) for label, value in facts if value]
