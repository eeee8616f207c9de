"""Files appear whole or not at all: written beside their place, synced, then moved into it."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def write_whole(files: Mapping[Path, bytes], *, mode: int = 0o666) -> None:
    """Put every file in its place, or leave all as they were if one cannot be written.

    Readers see the old file or the new one, never a part; its mode is `mode` less the umask.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for path, content in files.items():
            beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
            staged.append((beside, path))
            _write_synced(beside, content, mode)
        for beside, path in staged:
            os.replace(beside, path)
    finally:
        for beside, _ in staged:
            beside.unlink(missing_ok=True)


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
