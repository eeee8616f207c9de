"""A small company of named characters, written as files and counted by the real engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from retention_kit import counts, ingest
from retention_kit.metrics import Sheet, market_sheet

HEADER = "order_id,customer_id,market,ordered_at,amount,currency"
ZONES = {"DK": "Europe/Copenhagen", "NL": "Europe/Amsterdam", "JP": "Asia/Tokyo"}
CURRENCIES = {"DK": "DKK", "NL": "EUR", "JP": "JPY"}
NAMES = {"DK": "Denmark", "NL": "Netherlands", "JP": "Japan"}
AS_OF = "2025-01-01"

MONTHLY = [f"2024-{month:02d}-15" for month in range(1, 13)]
DENMARK = {
    "always": (20, ["2023-12-15", *MONTHLY]),
    "gap": (10, ["2024-02-01", "2024-11-01"]),
    "new": (15, ["2024-11-05"]),
    "left": (12, ["2024-08-01"]),
}
"""Characters of Denmark: how many of each, and the days on which each of them orders.

By the window of 90 days, on 1 October 2024 the active are always and left: S = 32; on 1 January 2025 always,
gap and new: E = 45. R = 20, N = 15, X = 10, L = 12.
"""


def declared(**stated: Mapping[str, str]) -> str:
    """Return a `markets.toml` of DK, NL and JP; `stated` adds lines to a market."""
    lines = []
    for code, zone in ZONES.items():
        facts = {
            "name": f'"{NAMES[code]}"',
            "languages": '["en"]',
            "currency": f'"{CURRENCIES[code]}"',
            "time_zone": f'"{zone}"',
        } | dict(stated.get(code, {}))
        lines += [f"[{code}]", *(f"{key} = {value}" for key, value in facts.items()), ""]
    return "\n".join(lines)


def orders(characters: Mapping[str, tuple[int, Sequence[str]]], *, market: str = "DK", amount: str = "100") -> list:
    """Return the rows of orders of a market's characters, every order of the same amount."""
    return [
        f"{market}-{who}-{i}-{nth},{market}-{who}-{i},{market},{day}T12:00:00Z,{amount},{CURRENCIES[market]}"
        for who, (n, days) in characters.items()
        for i in range(n)
        for nth, day in enumerate(days)
    ]


def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a project of the test's own, with the company's markets, and let the kit work in it."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "markets.toml").write_text(declared(), encoding="utf-8")
    monkeypatch.setenv("RETENTION_KIT_PROJECT", str(folder))


def write(folder: Path, rows: Sequence[str], *, markets: str = "", **tables: str) -> Path:
    """Write a folder of tables with its own markets, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    (folder / "markets.toml").write_text(markets or declared(), encoding="utf-8")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def sheets(
    folder: Path, *codes: str, as_of: str = AS_OF, base_grain: str = "quarter", min_cell: int = 10
) -> list[Sheet]:
    """Return the sheets of markets of a folder, counted now."""
    counted = counts.count(ingest.source(str(folder)), as_of=as_of, grains=["month", base_grain])
    return [sheet_of(counted.of(code), base_grain=base_grain, min_cell=min_cell) for code in codes]


def sheet_of(here: counts.MarketCounts, *, base_grain: str = "quarter", min_cell: int = 10) -> Sheet:
    """Return the sheet of a market's counts."""
    return market_sheet(
        here.tables, market=here.market, as_of=here.as_of, grain="month", base_grain=base_grain, min_cell=min_cell
    )


def sheet(folder: Path, characters: Mapping[str, tuple[int, Sequence[str]]] = DENMARK, **facts) -> Sheet:
    """Return the sheet of Denmark with these characters."""
    return sheets(write(folder, orders(characters)), "DK", **facts)[0]
