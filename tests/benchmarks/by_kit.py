"""The kit: load and count apart, and a second run, which the store answers."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from retention_kit import ingest
from retention_kit.counts import GUIDE_TABLES, DuckDB, counts_in, store


def tables(known: dict[str, Any], part: Callable[[str], None]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yield each table's name and how it is written."""
    source = ingest.source(known["folder"])
    grains = ["month"]
    part("start")
    with DuckDB(memory_limit=known["memory_limit"]) as engine:
        findings = ingest.load(source, engine.connection)
        part("load")
        found = counts_in(engine, source, as_of=known["as_of"], grains=grains, tables=GUIDE_TABLES)
        part("count")
    kept = Path(known["store"]) / store.key(source, as_of=known["as_of"], grains=grains)
    if not kept.is_dir():
        store.write(kept, found, findings)
    part("keep")
    again = store.read(Path(known["store"]) / store.key(source, as_of=known["as_of"], grains=grains), GUIDE_TABLES)
    part("again")
    assert again is not None
    for name, table in found.items():
        yield name, partial(table.to_parquet, index=False)
