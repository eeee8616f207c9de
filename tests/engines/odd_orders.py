"""The same odd orders, all of them text, as everything that holds tables: CSV, frames, DuckDB, PostgreSQL."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

COLUMNS = (
    *("order_id", "customer_id", "market", "ordered_at", "amount", "currency", "refunded_amount", "refunded_at"),
    *("cancelled", "discount_amount", "promised_at", "campaign"),
)
GOOD = {
    "customer_id": "17850",
    "market": "NL",
    "ordered_at": "2025-01-31T10:00:00Z",
    "amount": "10.00",
    "currency": "EUR",
    "refunded_amount": None,
    "refunded_at": None,
    "cancelled": "false",
    "discount_amount": "0",
    "promised_at": "2025-02-03",
    "campaign": None,
}
ODD: Sequence[tuple[int, Mapping[str, str | None]]] = (
    (3, {"customer_id": None}),
    (2, {"customer_id": "  "}),
    (2, {"customer_id": "17850.0"}),
    (3, {"customer_id": " 17850 "}),
    (2, {"order_id": ""}),
    (1, {"order_id": "\u00a0"}),
    (2, {"market": None}),
    (4, {"market": "Nederland"}),
    (3, {"market": "XX"}),
    (2, {"market": "Danmark", "currency": "DKK"}),
    (2, {"market": " NL "}),
    (1, {"market": "NA", "currency": "NAD"}),
    (1, {"currency": None}),
    (3, {"currency": "EURO"}),
    (2, {"currency": "eur"}),
    (3, {"currency": "SEK"}),
    (4, {"currency": "USD"}),
    (2, {"ordered_at": None}),
    (2, {"ordered_at": "yesterday"}),
    (3, {"ordered_at": "31-01-2025"}),
    (1, {"ordered_at": "1-2-2025 9:05"}),
    (2, {"ordered_at": "2025-02-30"}),
    (1, {"ordered_at": "2024-02-29"}),
    (1, {"ordered_at": "2025-01-01T25:00Z"}),
    (1, {"ordered_at": "2025-01-01T24:00Z"}),
    (1, {"ordered_at": "2025-01-01T10:00:60Z"}),
    (2, {"ordered_at": "1825-01-01"}),
    (3, {"ordered_at": "2525-01-01T00:00:00Z"}),
    (1, {"ordered_at": "1900-01-01T00:00:00Z"}),
    (1, {"ordered_at": "1899-12-31T23:59:59Z"}),
    (4, {"ordered_at": "2025-01-31 10:00:00"}),
    (2, {"ordered_at": "2025-03-30 02:30"}),
    (2, {"ordered_at": "2025-10-26T02:30:00.5"}),
    (2, {"ordered_at": "2025-01-31"}),
    (1, {"ordered_at": " 2025-01-31 23:59:59,999999 +02:00 "}),
    (1, {"ordered_at": "2025-01-31T10:00-0530"}),
    (1, {"ordered_at": "2025-01-31T10:00:00.123456789+01:00"}),
    (2, {"amount": None}),
    (2, {"amount": "ten"}),
    (3, {"amount": "9,95"}),
    (1, {"amount": "1.234,50"}),
    (1, {"amount": "1,234.50"}),
    (2, {"amount": "1e3"}),
    (1, {"amount": "NaN"}),
    (1, {"amount": "10 EUR"}),
    (2, {"amount": "99999999999999"}),
    (1, {"amount": "9" * 40}),
    (1, {"amount": "-99999999999999.5"}),
    (4, {"amount": "0"}),
    (1, {"amount": "-0.00"}),
    (3, {"amount": "-5.00"}),
    (2, {"amount": "0.005"}),
    (2, {"amount": "0.015"}),
    (2, {"amount": "-2.675"}),
    (1, {"amount": "1.23456789012"}),
    (1, {"amount": " +7.5 "}),
    (1, {"amount": "9000000000000"}),
    (2, {"amount": "0", "cancelled": "true"}),
    (3, {"refunded_amount": "12.00", "refunded_at": "2025-02-10"}),
    (2, {"refunded_amount": "-1.00"}),
    (2, {"refunded_amount": "two"}),
    (3, {"refunded_amount": "1.00"}),
    (2, {"refunded_amount": "1.00", "refunded_at": "2025-01-01"}),
    (1, {"refunded_amount": "1.00", "refunded_at": "soon"}),
    (1, {"refunded_amount": "1.00", "refunded_at": "3025-01-01"}),
    (2, {"refunded_amount": "1.00", "refunded_at": "2025-02-10 12:00"}),
    (2, {"cancelled": "perhaps"}),
    (1, {"cancelled": "T"}),
    (1, {"cancelled": " 0 "}),
    (2, {"cancelled": None}),
    (2, {"discount_amount": "half"}),
    (1, {"discount_amount": "99999999999999"}),
    (1, {"discount_amount": "0.001"}),
    (2, {"promised_at": "later"}),
    (2, {"promised_at": "9999-12-31"}),
    (1, {"promised_at": "2025-02-03 10:00"}),
    (2, {"campaign": "  spring  "}),
    (1, {"campaign": " "}),
    (5, {"order_id": "again"}),
)
"""How many orders of each oddity; an order has a number of its own where it says none."""

N_ORDERS = 207

CUSTOMERS = [
    {
        "customer_id": "17850",
        "market": "NL",
        "acquired_at": "2025-01-01",
        "acquisition_cost": "1.50",
        "shoe size": "38",
    },
    {
        "customer_id": "17850",
        "market": "NL",
        "acquired_at": "2025-01-01",
        "acquisition_cost": "1.50",
        "shoe size": "38",
    },
    {"customer_id": "17851", "market": "DK", "acquired_at": "never", "acquisition_cost": "dear", "shoe size": " 41"},
    {"customer_id": None, "market": "DK", "acquired_at": None, "acquisition_cost": None, "shoe size": None},
    {"customer_id": "17852", "market": "YY", "acquired_at": None, "acquisition_cost": "1", "shoe size": "40"},
]
ENGAGEMENT = [
    {"customer_id": "17850", "occurred_at": "2025-01-15", "kind": "visit"},
    {"customer_id": "17851", "occurred_at": "2025-01-15 12:00", "kind": "visit"},
    {"customer_id": "nobody", "occurred_at": "2025-01-15", "kind": None},
]
RATES = [
    *({"date": day, "currency": code, "rate": rate} for day in ("2025-01-01", "2025-01-31")
      for code, rate in (("EUR", "1"), ("SEK", "11.25"), ("DKK", "7.46"), ("NAD", "20"))),
    {"date": "2025-01-31", "currency": "SEK", "rate": "11.25"},
    {"date": "2025-01-30", "currency": "SEK", "rate": "0"},
    {"date": "30-01-2025", "currency": "SEK", "rate": "11"},
    {"date": "2025-01-30", "currency": "CROWNS", "rate": "11"},
    {"date": "2025-01-30", "currency": "DKK", "rate": "seven"},
]  # fmt: skip
MARKETS = {
    "NL": {"name": "Netherlands", "languages": ["nl-NL"], "currency": "EUR", "time_zone": "Europe/Amsterdam"},
    "DK": {"name": "Denmark", "aliases": ["Danmark"], "languages": ["da-DK"], "currency": "DKK",
           "time_zone": "Europe/Copenhagen"},
    "NA": {"name": "Namibia", "languages": ["en-NA"], "currency": "NAD", "time_zone": "Africa/Windhoek"},
}  # fmt: skip


def orders() -> list[dict[str, str | None]]:
    """Return the orders, in the order of their numbers."""
    odd = [dict(changed) for n, changed in ODD for _ in range(n)]
    rows = [{"order_id": f"o{nth:04}"} | GOOD | changed for nth, changed in enumerate(odd)]
    assert len(rows) <= N_ORDERS, len(rows)
    rows += [{"order_id": f"o{nth:04}"} | GOOD for nth in range(len(rows), N_ORDERS)]
    return [{name: row[name] for name in COLUMNS} for row in rows]


def tables() -> dict[str, list[dict[str, str | None]]]:
    """Return every odd table by the kit's name."""
    return {"orders": orders(), "customers": CUSTOMERS, "engagement": ENGAGEMENT, "exchange_rates": RATES}


def as_frame(rows: Sequence[Mapping[str, str | None]]) -> pd.DataFrame:
    """Return rows as a frame of texts."""
    return pd.DataFrame(list(rows), dtype=object)


def as_csv(rows: Sequence[Mapping[str, str | None]], path: Path) -> str:
    """Write rows as CSV; return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def as_query(rows: Sequence[Mapping[str, str | None]]) -> str:
    """Return SQL of DuckDB's of the rows as texts."""
    names = ", ".join(f'"{name}"' for name in rows[0])
    values = ", ".join(f"({', '.join(_literal(value) for value in row.values())})" for row in rows)
    typed = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in rows[0])
    return f"SELECT {typed} FROM (VALUES {values}) AS t ({names})"


def _literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
