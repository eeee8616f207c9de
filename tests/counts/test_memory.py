"""How much memory the embedded engine may take, and what becomes of a ledger that does not fit."""

import pandas as pd
import psutil
import pytest

from retention_kit import counts, ingest
from retention_kit.counts import DuckDB, counts_in
from retention_kit.counts.engines import LEDGER_ROW_BYTES, MEMORY_SHARE, memory_bytes
from retention_kit.errors import UsageError
from retention_kit.simulate.benchmark import write_orders


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("4GB", 4 * 10**9),
        ("1.5 GiB", 1.5 * 2**30),
        (" 700mib ", 700 * 2**20),
        ("256MiB", 256 * 2**20),
    ],
)
def test_an_amount_of_memory_is_read(amount, expected):
    assert memory_bytes(amount) == expected


def test_three_fifths_of_the_machine_where_nothing_is_said():
    assert memory_bytes(None) == int(psutil.virtual_memory().total * MEMORY_SHARE)
    assert MEMORY_SHARE == 3 / 5


@pytest.mark.parametrize("amount", ["", "4", "4 G", "much", "-4GB", "1MB", "4GB; ATTACH 'x'"])
def test_what_is_no_amount_is_told(amount):
    with pytest.raises(UsageError) as raised:
        memory_bytes(amount)
    assert str(raised.value) == (
        f"Memory cannot be limited to '{amount}'.\n  try:   an amount of at least 256MiB, such as 4GB"
    )


def test_the_environment_limits_the_engine(monkeypatch):
    monkeypatch.setenv("RETENTION_KIT_MEMORY", "300MiB")
    with DuckDB() as engine:
        assert engine.memory_bytes == 300 * 2**20
        assert engine.values("SELECT current_setting('memory_limit') AS n") == [("300.0 MiB",)]
    with DuckDB(memory_limit="400MiB") as engine:
        assert engine.memory_bytes == 400 * 2**20


def test_a_ledger_is_cut_into_parts_that_fit():
    with DuckDB(memory_limit="256MiB") as engine:
        most = 256 * 2**20 // LEDGER_ROW_BYTES
        for n, n_parts in ((0, 1), (most, 1), (most + 1, 2), (3 * most, 3)):
            engine.create("entries", f"SELECT range AS n FROM range({n})")
            assert engine.n_parts("entries") == n_parts


@pytest.mark.slow
def test_every_table_of_the_sample_is_the_same_in_parts():
    class InParts(DuckDB):
        def n_parts(self, ledger: str) -> int:
            del ledger
            return 4

    source = ingest.source("sample")
    whole = counts.count(source, as_of="2026-01-01", grains=["month", "quarter"])
    with InParts() as engine:
        ingest.load(source, engine.connection)
        parts = counts_in(engine, source, as_of="2026-01-01", grains=["month", "quarter"])
    assert list(parts) == list(whole.tables)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(parts[name], table, obj=name)


@pytest.mark.slow
def test_more_orders_than_fit_are_counted_all_the_same(tmp_path):
    write_orders(tmp_path / "company", n_orders=1_000_000, n_markets=3)
    source = ingest.source(str(tmp_path / "company"))
    tables = ("cohort_counts", "order_counts")
    found = {}
    for limit in ("256MiB", "4GB"):
        with DuckDB(memory_limit=limit) as engine:
            ingest.load(source, engine.connection)
            found[limit] = counts_in(engine, source, as_of="2026-01-01", grains=["month"], tables=tables)
    for name in tables:
        pd.testing.assert_frame_equal(found["256MiB"][name], found["4GB"][name], obj=name)
