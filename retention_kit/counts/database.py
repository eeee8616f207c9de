"""Tables of a database, by their state: they are loaded where they lie, by the loader of `ingest`."""

import hashlib
import os

from retention_kit.counts.engines import engine_of, shown_url
from retention_kit.ingest import Source
from retention_kit.ingest.loading import columns_there, load_in

__all__ = ["fingerprint", "load_in", "remember"]

_REMEMBERED = "RETENTION_KIT_REMEMBERED"


def fingerprint(source: Source) -> str:
    """Return a sha256 that changes when the source, or a table of its engine, does.

    Of files: their names, sizes and times. Of PostgreSQL's own tables: its counters of rows ever inserted, updated and
    deleted; of views and of other engines: the number of rows and a sum of their hashes, which reads them once.
    Between `remember` and the end of the process, and in those it starts, it is what it was then.
    """
    if source.engine is None:
        return source.fingerprint()
    of_source, _, remembered = os.environ.get(_REMEMBERED, "").partition(" ")
    if of_source == source.fingerprint():
        return remembered
    with engine_of(source.engine) as engine:
        for table in source.in_engine:
            columns_there(engine, source, table)
        states = [(table, name, engine.state(engine.raw(name))) for table, name in source.in_engine.items()]
    told = [source.fingerprint(), shown_url(source.engine), *states]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def remember(source: Source) -> None:
    """Take the data of a source to stay as they are: all markets of a run show one state of a database."""
    if source.engine is not None:
        os.environ[_REMEMBERED] = f"{source.fingerprint()} {fingerprint(source)}"
