"""Folders for temporary files that say whose they are, so that those of a killed process can be swept."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

SHORT = "/tmp"
"""Where a folder has a short path."""

_NAME, _OWNER = "retention-kit-", "owner"


def own_folder(parent: str | None = None) -> Path:
    """Return a new folder, readable by this user alone, which says whose it is; in the one for temporary files."""
    folder = Path(tempfile.mkdtemp(prefix=_NAME, dir=parent))
    (folder / _OWNER).write_text(_identity(os.getpid()), encoding="ascii")
    return folder


def sweep() -> None:
    """Remove the folders of processes that were killed before they could."""
    for folder in {Path(parent) / name for parent in (tempfile.gettempdir(), SHORT) for name in _ours(parent)}:
        with suppress(OSError, ValueError, IndexError):
            owner = (folder / _OWNER).read_text(encoding="ascii")
            if folder.stat().st_uid == os.getuid() and owner != _identity(int(owner.split()[0])):
                shutil.rmtree(folder, ignore_errors=True)


def _ours(parent: str) -> list[str]:
    return [path.name for path in Path(parent).glob(f"{_NAME}*")]


def _identity(pid: int) -> str:
    """Return what tells a process from all others, also from a later one with its number."""
    try:
        return f"{pid} {psutil.Process(pid).create_time()}"
    except psutil.NoSuchProcess:
        return ""
