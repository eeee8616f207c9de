"""Engines count: from millions of orders to tables of integers that fit on a page."""

from retention_kit.counts.collecting import collect
from retention_kit.counts.counting import COUNTS_TABLES, FILES, Counted, MarketCounts, count, counted, engine, sql

__all__ = ["COUNTS_TABLES", "FILES", "Counted", "MarketCounts", "collect", "count", "counted", "engine", "sql"]
