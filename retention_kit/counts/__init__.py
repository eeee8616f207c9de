"""Engines count: from millions of orders to tables of integers that fit on a page."""

from retention_kit.counts.counting import (
    COUNTS_TABLES,
    FURTHER_TABLES,
    GUIDE_TABLES,
    PURCHASE_TABLES,
    Counted,
    MarketCounts,
    count,
    counted,
    counts_in,
    engine,
)
from retention_kit.counts.database import fingerprint, load_in, remember
from retention_kit.counts.engines import DuckDB, Engine, engine_of
from retention_kit.counts.files import FILES, sql
from retention_kit.counts.segments import Segment, asked_segment
from retention_kit.counts.session import Asked, Session

__all__ = [
    "COUNTS_TABLES",
    "FILES",
    "FURTHER_TABLES",
    "GUIDE_TABLES",
    "PURCHASE_TABLES",
    "Asked",
    "Counted",
    "DuckDB",
    "Engine",
    "MarketCounts",
    "Segment",
    "Session",
    "asked_segment",
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
