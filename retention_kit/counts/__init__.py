"""Engines count: from millions of orders to tables of integers that fit on a page."""

from retention_kit.counts.counting import (
    COUNTS_TABLES,
    FILES,
    FURTHER_TABLES,
    GUIDE_TABLES,
    PURCHASE_TABLES,
    Counted,
    MarketCounts,
    count,
    counted,
    counts_in,
    engine,
    sql,
)
from retention_kit.counts.database import fingerprint, load_in, remember
from retention_kit.counts.engines import DuckDB, Engine, engine_of

__all__ = [
    "COUNTS_TABLES",
    "FILES",
    "FURTHER_TABLES",
    "GUIDE_TABLES",
    "PURCHASE_TABLES",
    "Counted",
    "DuckDB",
    "Engine",
    "MarketCounts",
    "count",
    "counted",
    "counts_in",
    "engine",
    "engine_of",
    "fingerprint",
    "load_in",
    "remember",
    "sql",
]
