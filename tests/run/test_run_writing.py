import os
import stat
from pathlib import Path

import pytest

from retention_kit.writing import write_whole


def test_files_appear_whole_with_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole({tmp_path / "a.html": b"a", tmp_path / "a.json": b"{}"})
    finally:
        os.umask(before)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.html": b"a", "a.json": b"{}"}
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == 0o640


def test_if_one_file_cannot_be_written_none_changes(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"old")
    with pytest.raises(OSError, match="No such file"):
        write_whole({tmp_path / "a.html": b"new", tmp_path / "nowhere" / "a.json": b"{}"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.html": b"old"}
