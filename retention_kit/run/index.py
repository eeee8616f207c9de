"""The index of a folder of reports: markets by name, their headlines from the twins, what failed and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retention_kit.present import formats
from retention_kit.present.languages import N_, _, language_of, ngettext, place, speaking
from retention_kit.run import record
from retention_kit.run.page import as_title, linked_pages, rendered
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

STATUSES = {
    "fresh": N_("up to date"),
    "earlier": N_("from an earlier run"),
    "stale": N_("kept from an earlier run"),
    "failed": N_("no report"),
}

_KEPT = {"stale": N_("The last good report is kept."), "failed": N_("There is no earlier report.")}

GROUP = "ALL"
"""The report of all markets together, which is linked above the others."""

BESIDE = ("json", "xlsx", "pdf")
"""The files beside a report that are linked."""

_FIRST_OF_GROUP = 3  # headlines of all markets together
_LAST_PERIODS = 12  # of the small curve of the retention rate
_WIDE, _HIGH = 88, 22  # its size


_BETWEEN_TWO_DAYS = {"customer_retention_rate"}
"""Headlines that compare a first day with a last one: both are named, even where the last one is `as_of`."""


@dataclass(frozen=True)
class Cell:
    """A headline as it is shown, the time it is of, and below it its interval, its n, or why it is absent.

    `key` is the number by which it is sorted.
    """

    shown: str
    sub: tuple[str, ...] = ()
    window: str = ""
    known: bool = True
    key: float | None = None


@dataclass(frozen=True)
class Column:
    """A headline that at least one market has.

    `window` is the time it is of, where all markets agree. It can be ranked where no two markets have it in different
    currencies.
    """

    id: str
    label: str
    definition: str
    window: str = ""
    currency: str = ""
    is_ranked: bool = True

    @property
    def lines(self) -> tuple[str, ...]:
        """The label in at most two lines, the longer one as short as can be."""
        words = self.label.split()
        cuts = [(" ".join(words[:n]), " ".join(words[n:])) for n in range(len(words), 0, -1)]
        return tuple(filter(None, min(cuts, key=lambda cut: max(map(len, cut))))) if words else ()


def write_index(out: Path) -> None:
    """Write `index.html` from what lies in the folder: `run.json`, the reports and their twins.

    In the language of all reports where they have one, else in English.
    """
    known = record.read(out)
    spoken = {next(iter(entry.get("languages", {})), "en") for entry in known["markets"].values()}
    language = spoken.pop() if len(spoken) == 1 else "en"
    twins = {market: record.twin_of(out, market) for market in known["markets"]}
    html = index_page(known, twins, out=out, language=language)
    write_whole({out / "index.html": html.encode("utf-8")})


def index_page(known: record.Record, twins: Mapping[str, Mapping[str, Any]], *, out: Path, language: str) -> str:
    """Return the index as HTML.

    Parameters
    ----------
    known : the content of `run.json`.
    twins : each market's twin, empty where it has none.
    out : the folder, to see which files are there to be linked.
    language : BCP 47; words and numbers are written its way.
    """
    with speaking(language):
        columns = _columns(twins)
        rows = [
            _row(market, entry, twins.get(market, {}), columns=columns, out=out)
            for market, entry in known["markets"].items()
        ]
        rows.sort(key=lambda row: (row["name"].casefold(), row["market"]))
        n = len([row for row in rows if row["market"] != GROUP])
        troubled = [row for row in rows if row["reason"]]
        return rendered(
            "index.html.j2",
            language=language_of(language).code,
            words=_words(_counted(n, twins), len(troubled)),
            columns=columns,
            group=_together(rows, columns) if n else None,
            rows=[row for row in rows if not n or row["market"] != GROUP],
            data=formats.separated(_all_data(known, twins)),
            curves=any(row["curve"] for row in rows),
            troubled=troubled,
            definitions=[(column.label, column.definition) for column in columns if column.definition],
            footer=_footer(known),
        )


def _together(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> dict[str, Any] | None:
    """Return the row of all markets together with its first headlines by name; None where there is no such report."""
    row = next((row for row in rows if row["market"] == GROUP and row["report"]), None)
    told = zip(columns, row["cells"], strict=True) if row else ()
    known = [(column.label, cell.shown, cell.sub[:1]) for column, cell in told if cell.known]
    return row and {**row, "told": known[:_FIRST_OF_GROUP]}


def _counted(n: int, twins: Mapping[str, Mapping[str, Any]]) -> str:
    """Return how many markets there are; or segments, where the reports are of those."""
    if any(twin.get("market", code) != code for code, twin in twins.items()):
        return ngettext("{n} segment", "{n} segments", n).format(n=formats.count(n))
    return ngettext("{n} market", "{n} markets", n).format(n=formats.count(n))


def _words(counted: str, n_troubled: int) -> dict[str, str]:
    """Return the words of the page, in the language that is spoken."""
    return {
        "skip": _("Skip to the content"),
        "index_title": _("Customer retention by market"),
        "counted": counted,
        "trouble": ngettext("{n} market could not be reported", "{n} markets could not be reported", n_troubled).format(
            n=formats.count(n_troubled)
        ),
        "market": _("Market"),
        "status": _("Status"),
        "trend": _("Retention, period by period"),
        "data": _("Data:"),
        "definitions": _("What the numbers mean"),
        "local_money": _("Amounts are in each market's own currency; they are neither added up nor ranked."),
    }


def _headlines(twin: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {headline["id"]: headline for headline in twin.get("headlines", [])}


def _all_data(known: record.Record, twins: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the names of the data that the markets' reports are of: one, unless a folder has a longer history."""
    named = {record.data_of(entry, twins.get(market, {})) for market, entry in known["markets"].items()}
    return sorted(named - {""})


def _columns(twins: Mapping[str, Mapping[str, Any]]) -> list[Column]:
    """Return a column for each headline that any twin has."""
    found: dict[str, Column] = {}
    windows: dict[str, set[str]] = {}
    for twin in twins.values():
        for key, headline in _headlines(twin).items():
            label, definition = (_(headline.get(name, "")) for name in ("label", "definition"))
            found.setdefault(key, Column(key, label or key, definition, currency=headline.get("currency") or ""))
            if headline.get("currency") != (found[key].currency or None):
                found[key] = replace(found[key], is_ranked=False)
            if headline.get("value") is not None:
                windows.setdefault(key, set()).add(_window(headline))
    for key, seen in windows.items():
        if len(seen) == 1:
            found[key] = replace(found[key], window=seen.pop())
    return [next(found[key] for key in group if key in found) for group in HEADLINES if found.keys() & set(group)]


def _row(
    market: str, entry: record.Entry, twin: Mapping[str, Any], *, columns: Sequence[Column], out: Path
) -> dict[str, Any]:
    headlines = _headlines(twin)
    status = _status(entry)
    about = [_("as of {day}").format(day=formats.period(twin["as_of"]))] if twin.get("as_of") else []
    return {
        "market": market,
        "name": place(entry["name"]),
        "status": status,
        "status_shown": _(STATUSES[status]),
        "reason": entry["reason"],
        "kept": _(_KEPT.get(status, "")),
        "about": " · ".join([*about, *filter(None, [twin.get("currency")])]),
        "report": f"{market}.html" if (out / f"{market}.html").is_file() else "",
        "languages": _languages(entry, out=out),
        "files": _files(market, entry["name"], out=out),
        "curve": _curve(twin),
        "cells": [_cell(headlines.get(column.id)) for column in columns],
    }


def _files(market: str, name: str, *, out: Path) -> list[dict[str, str]]:
    """Return the files beside a report that are linked: how each is called, its name, and what it is in words."""
    told = _("{market} as {format}")
    return [
        {"shown": ending.upper(), "file": file, "told": told.format(market=as_title(name), format=ending.upper())}
        for ending in BESIDE
        if (out / (file := f"{market}.{ending}")).is_file()
    ]


def _languages(entry: record.Entry, *, out: Path) -> list[dict[str, str]]:
    """Return the pages of a report in several languages, each language named in itself; none where there is one."""
    found = {code: name for code, name in entry.get("languages", {}).items() if (out / name).is_file()}
    return linked_pages(found) if len(found) > 1 else []


def _curve(twin: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the small curve of the retention rate over the last periods, and what it shows in words."""
    rows = [
        row for row in twin.get("tables", {}).get("active_base", [])
        if row.get("rule") == "window" and row.get("customer_retention_rate") is not None
    ][-_LAST_PERIODS:]  # fmt: skip
    if len(rows) < 2:
        return None
    rates = [row["customer_retention_rate"] for row in rows]
    low, span = min(rates), max(rates) - min(rates) or 1
    points = [
        (round(2 + at * (_WIDE - 4) / (len(rates) - 1), 1), round(_HIGH - 3 - (rate - low) / span * (_HIGH - 6), 1))
        for at, rate in enumerate(rates)
    ]
    ends = [
        _("{rate} in {period}").format(
            rate=formats.percent(row["customer_retention_rate"]), period=formats.period(row["period"])
        )
        for row in (rows[0], rows[-1])
    ]
    return {
        "width": _WIDE,
        "height": _HIGH,
        "points": " ".join(f"{x:g},{y:g}" for x, y in points),
        "last": points[-1],
        "told": formats.separated(ends),
        "change": round(rates[-1] - rates[0], 4),
    }


def _status(entry: record.Entry) -> str:
    """Return fresh, stale or failed, or earlier for a good report of an earlier run."""
    return "earlier" if entry["status"] == "fresh" and not entry.get("this_run", True) else entry["status"]


def _cell(headline: Mapping[str, Any] | None) -> Cell:
    """Return a headline's cell: its value with its interval and its n, or a dash with the reason."""
    if headline is None:
        return Cell(formats.ABSENT, known=False)
    if headline.get("value") is None:
        return Cell(formats.ABSENT, tuple(filter(None, [_(headline.get("note", ""))])))
    interval = _interval(headline)
    told = [interval, _n(headline) if interval else "", _unit(headline)]
    return Cell(_written(headline, "value"), tuple(filter(None, told)), _window(headline), key=headline["value"])


def _written(headline: Mapping[str, Any], name: str) -> str:
    return formats.quantity(headline[name], unit=headline.get("unit", ""), currency=headline.get("currency"))


def _window(headline: Mapping[str, Any]) -> str:
    """Return the time a headline is of: since when, where it reaches up to the `as_of` that its market names."""
    window = headline.get("window") or ""
    start, _to, end = window.partition(" to ")
    if headline["id"] in _BETWEEN_TWO_DAYS or not end or end != headline.get("as_of"):
        return formats.window(window)
    return _("since {day}").format(day=formats.period(start))


def _unit(headline: Mapping[str, Any]) -> str:
    """Return the unit of a frequency whose label does not say per what it is."""
    return _(headline["unit"]) if headline["id"] == "purchase_frequency" else ""


def _interval(headline: Mapping[str, Any]) -> str:
    """Return the interval; empty where there is none."""
    if headline.get("lower") is None or headline.get("upper") is None:
        return ""
    return formats.between(_written(headline, "lower"), _written(headline, "upper"))


def _n(headline: Mapping[str, Any]) -> str:
    n = headline.get("n")
    return "" if n is None else _("n {n}").format(n=formats.count(n))


def _footer(known: record.Record) -> list[tuple[str, str]]:
    """Return what the index was made of, as far as all its markets share it."""
    notebooks = sorted({entry["notebook"]["name"] for entry in known["markets"].values()})
    facts = [
        ("retention-kit", known["kit_version"]),
        (_("Notebook"), formats.separated(notebooks)),
        (_("Reports made"), known["made"]),
    ]
    return [(label, value) for label, value in facts if value]
