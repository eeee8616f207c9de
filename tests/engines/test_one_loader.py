"""The same odd orders say the same, word for word, whether they come as a file, a frame, or a table of an engine."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import odd_orders
import pandas as pd
import pyarrow as pa
import pytest
from database_files import Shelf

from retention_kit import ingest
from retention_kit.counts import engine_of
from retention_kit.ingest.embedded import Embedded
from retention_kit.ingest.findings import reasons as of_columns
from retention_kit.ingest.loading import loaded
from retention_kit.ingest.tables import TABLES, Kind

WAYS = {
    "as they are": {},
    "in the market's zone": {"time_zone": "market"},
    "in a zone by name": {"time_zone": "America/New_York"},
    "with a decimal comma": {"decimal": ",", "thousands": "."},
    "with dates of the Netherlands": {"date_format": ["%d-%m-%Y", "%d-%m-%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"]},
    "with words for months": {"date_format": "%Y-%m-%d", "where": "market <> 'XX' OR market IS NULL"},
}
"""How a profile may say that the orders are written."""

SETTINGS = {"max_refused": 1, "refund_policy": "processed"}
ATTRIBUTES = {"shoe_size": '"shoe size"'}
_LINE = "CASE WHEN currency = 'SEK' OR order_id = 'o0200' THEN 'mixed' ELSE substring(order_id, 1, 4) END"
LINES = {"group_by_order": True, "columns": {"order_id": _LINE}}

Form = Callable[[dict[str, Any]], tuple[Any, Any]]
"""From how the orders are written to an engine and the source that lies in it."""


def profile(written: dict[str, Any]) -> str:
    """Return the profile that says how the orders are written."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in (SETTINGS | {"max_refused": 1.0}).items()]
    for table in odd_orders.tables():
        lines.append(f"[{table}]")
        keys = written if table == "orders" else {k: v for k, v in written.items() if k in ("time_zone", "decimal")}
        for key, value in keys.items():
            lines += [f"{key} = {_toml(value)}"]
        lines += ["attributes = { shoe_size = '\"shoe size\"' }"] if table == "customers" else []
    for code, market in odd_orders.MARKETS.items():
        lines += [f"[markets.{code}]", *(f"{key} = {json.dumps(value)}" for key, value in market.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json.dumps(text)}" for key, text in value.items()) + " }"
    return json.dumps(value)


def of_files(written: dict[str, Any], folder: Path) -> ingest.Source:
    files = {name: odd_orders.as_csv(rows, folder / f"{name}.csv") for name, rows in odd_orders.tables().items()}
    (folder / "shop.toml").write_text(profile(written), encoding="utf-8")
    return ingest.source(str(folder / "shop.toml"), files=files, unknown_markets="ignore")


def of_frames(written: dict[str, Any], made: Callable[[pd.DataFrame], Any]) -> ingest.Source:
    plain = {"time_zone": None} | {key: value for key, value in written.items() if key in ("time_zone", "decimal")}
    return ingest.source(
        {name: made(odd_orders.as_frame(rows)) for name, rows in odd_orders.tables().items()},
        markets=odd_orders.MARKETS,
        unknown_markets="ignore",
        orders={"time_zone": None} | written,
        customers=plain | {"attributes": ATTRIBUTES},
        engagement=plain,
        exchange_rates=plain,
        **SETTINGS,
    )


def of_shelf(written: dict[str, Any], shelf: Shelf) -> ingest.Source:
    there = {name: shelf.lay(f"odd_{name}", odd_orders.as_query(rows)) for name, rows in odd_orders.tables().items()}
    return shelf.source(profile(written), there, unknown_markets="ignore")


def said_and_made(engine: Any, source: ingest.Source) -> tuple[list[dict], list[str], dict[str, list[tuple]]]:
    """Return findings, errors and every row of every table, in the order of their texts."""
    findings, wrong = loaded(engine, source)
    rows = {}
    for name, columns in findings.columns.items():
        listed = ", ".join(columns)
        rows[name] = sorted(map(_plain, engine.values(f"SELECT {listed} FROM {name}")), key=repr)
    errors = [re.sub(r"(shop|company)\.toml|the call", "WHERE", str(error)) for error in wrong]
    return findings.to_dicts(), errors, rows


def _plain(row: tuple) -> tuple:
    missing = (None if value is None or value != value else value for value in row)
    return tuple(float(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in missing)


@pytest.fixture(params=["frames", "Arrow", "duckdb", "postgresql"])
def form(request, tmp_path_factory) -> Callable[[dict[str, Any]], tuple[list, list, dict]]:
    """Return a function that loads the odd orders in another form than files."""
    if request.param in ("frames", "Arrow"):
        made = (lambda frame: frame) if request.param == "frames" else pa.Table.from_pandas

        def load_frames(written: dict[str, Any]) -> tuple[list, list, dict]:
            with duckdb.connect() as connection:
                return said_and_made(Embedded(connection), of_frames(written, made))

        return load_frames
    folder = tmp_path_factory.mktemp("odd")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        duckdb.connect(str(folder / "company.duckdb")).close()
        url = f"duckdb://{folder}/company.duckdb"

    def load_there(written: dict[str, Any]) -> tuple[list, list, dict]:
        source = of_shelf(written, Shelf(request.param, url, folder))
        with engine_of(url) as engine:
            return said_and_made(engine, source)

    return load_there


@pytest.mark.parametrize("way", [*WAYS, "as order lines"])
def test_the_same_odd_orders_give_the_same_findings_word_for_word_and_the_same_tables(form, way, tmp_path):
    written = LINES if way == "as order lines" else WAYS[way]
    with duckdb.connect() as connection:
        findings, errors, rows = said_and_made(Embedded(connection), of_files(written, tmp_path))
    found = form(written)
    assert found[0] == findings
    assert found[1] == errors
    assert found[2] == rows
    assert rows["orders"]


def test_the_odd_orders_show_every_reason_that_text_can_give(tmp_path):
    reasons = set()
    for written in (*WAYS.values(), LINES):
        with duckdb.connect() as connection:
            findings, _, _ = said_and_made(Embedded(connection), of_files(written, tmp_path))
        reasons |= {finding["reason"] for finding in findings}
    text_cannot = ("decimal_", "rounded_", "unreadable_row")
    of_orders = {reason for reason in of_columns(TABLES["orders"]) if not reason.startswith(text_cannot)}
    assert {reason for reason in of_orders if _is_about_the_odd(reason)} <= reasons


def _is_about_the_odd(reason: str) -> bool:
    """Return whether a reason is about a whole row, or about a column of the odd orders that can give it."""
    kinds = {c.name: c for c in TABLES["orders"]}
    code, _, name = reason.partition("_")
    if name not in kinds:
        return not any(reason.endswith(f"_{column}") for column in kinds) or reason == "repeated_order_id"
    if name not in odd_orders.COLUMNS or name in ("cancelled", "campaign"):
        return False
    of_kind = {Kind.INSTANT: ("unparsable", "far", "zoneless"), Kind.MONEY: ("unparsable", "large", "finer")}
    is_finer_refund = reason in ("finer_refunded_amount", "large_refunded_amount")
    return not is_finer_refund and (
        code in of_kind.get(kinds[name].kind, ()) or (code == "no" and kinds[name].required)
    )


TYPED = """
    SELECT 'o' || i AS order_id, i + 0.0::DOUBLE AS customer_id, 'NL' AS market,
        CASE WHEN i = 3 THEN NULL WHEN i = 4 THEN TIMESTAMP '1825-01-01' WHEN i = 5 THEN TIMESTAMP '2525-01-01'
            ELSE TIMESTAMP '2025-03-30 02:30:00' + to_hours(CAST(i AS BIGINT)) END AS ordered_at,
        CASE WHEN i = 6 THEN NULL WHEN i = 7 THEN -2.675 WHEN i = 8 THEN 0.015 WHEN i = 9 THEN 0
            ELSE 12.5 END::DECIMAL(12, 3) AS amount,
        'EUR' AS currency,
        CASE WHEN i = 10 THEN 'Infinity'::DOUBLE WHEN i = 11 THEN 1e20 WHEN i = 12 THEN 0.005 WHEN i = 13 THEN -1
            WHEN i = 14 THEN 99 END AS refunded_amount,
        CASE WHEN i = 14 THEN DATE '2025-01-01' WHEN i = 15 THEN DATE '1825-01-01' END AS refunded_at,
        i = 16 AS cancelled, i AS discount_amount, TIMESTAMPTZ '2025-04-01 12:00:00+00' AS promised_at
    FROM range(20) AS t(i)
"""
"""Orders by the types of their columns, which a file of text has not. (NaN is missing in pandas, and nowhere else.)"""


@pytest.mark.parametrize("kind", ["pandas", "Arrow", "duckdb", "postgresql"])
def test_orders_by_the_types_of_their_columns_give_the_same_findings_and_the_same_tables(kind, request, tmp_path):
    text = profile({"time_zone": "market"})
    text = text[: text.index("[customers]")] + text[text.index("[markets.NL]") :]
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; COPY ({TYPED}) TO '{tmp_path / 'orders.parquet'}'")
        (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
        of_parquet = ingest.source(str(tmp_path / "shop.toml"), files={"orders": str(tmp_path / "orders.parquet")})
        expected = said_and_made(Embedded(connection), of_parquet)
        frame = connection.sql(TYPED)
        frame = frame.df() if kind == "pandas" else frame.to_arrow_table()
    if kind in ("pandas", "Arrow"):
        with duckdb.connect() as connection:
            source = ingest.source(frame, markets=odd_orders.MARKETS, **SETTINGS)
            assert said_and_made(Embedded(connection), source) == expected
        return
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"duckdb://{tmp_path}/company.duckdb"
    if kind == "duckdb":
        duckdb.connect(str(tmp_path / "company.duckdb")).close()
    shelf = Shelf(kind, url, tmp_path)
    source = shelf.source(text, {"orders": shelf.lay("typed", TYPED)})
    with engine_of(url) as engine:
        assert said_and_made(engine, source) == expected
    assert {"far_ordered_at", "decimal_customer_id", "finer_amount"} <= {finding["reason"] for finding in expected[0]}
