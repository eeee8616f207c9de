"""One run at a time writes to a folder of reports; the next one is told who does."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from retention_kit.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def held(out: Path, *, name: str = ".lock") -> Iterator[None]:
    """Hold a folder's lock, which its holder's end gives back, whatever ends it.

    Raises
    ------
    UsageError : somebody else holds it; says who, and since when.
    """
    with (out / name).open("a+", encoding="utf-8") as file:
        try:
            _take(file)
        except OSError:
            raise _taken(out, file) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        file.flush()
        yield
        file.truncate(0)


def _take(file: IO[str]) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    file.seek(1 << 20)  # a byte past all that is written, so that others may read who holds it
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def _taken(out: Path, file: IO[str]) -> UsageError:
    file.seek(0)
    return UsageError(
        f"Another run writes to '{out.resolve().name}'.",
        found=file.read(200) or "no word of who it is",
        to_try="wait for its end, or --out with another folder",
    )
