"""Who may import whom: the rooms of the house, in the order data walks through them."""

import ast
from pathlib import Path

import pytest

import retention_kit

PACKAGE = Path(retention_kit.__file__).parent
MAY_IMPORT = {
    "errors": set(),
    "messages": set(),
    "config": {"errors"},
    "periods": {"errors", "config"},
    "writing": {"errors"},
    "table": {"errors"},
    "ingest": {"errors", "messages", "config", "periods", "writing"},
    "counts": {"errors", "config", "periods", "ingest"},
    "metrics": {"errors", "messages", "config", "periods", "table"},
    "models": {"errors", "messages", "config", "periods", "metrics"},
    "actions": {"errors", "messages", "config", "periods", "writing", "metrics", "models"},
    "present": {"errors", "messages", "config", "periods", "metrics", "models", "actions", "writing", "table"},
    "run": {"errors", "messages", "config", "writing", "table"},
}
ORCHESTRATES = PACKAGE / "run" / "orchestration.py"
COUNTS_ONCE = {"counts", "ingest", "models"}
"""What the one file that makes the runs of a call asks for besides, before they start."""

WORDS = {
    f"retention_kit.present.{name}"
    for name in ("languages", "formats", "prose", "cells", "markup", "exports", "frames", "blocks")
}
"""What every room that shows something may say it with, and how a table is written; no analysis."""

ENGINES = {"duckdb", "sqlglot", "pyspark", "psycopg"}


def rooms_and_files() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in MAY_IMPORT:
            found.append((room, path))
    return found


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


@pytest.mark.parametrize(("room", "path"), rooms_and_files(), ids=lambda value: str(getattr(value, "name", value)))
def test_a_room_imports_only_the_rooms_before_it(room, path):
    names = {name for name in imported(path) if name.startswith("retention_kit.")}
    if room in ("run", "table"):
        names -= {"retention_kit.present"}  # of `from retention_kit.present import formats`, which is named besides
        names = {name for name in names if not any(f"{name}.".startswith(f"{words}.") for words in WORDS)}
    rooms = {name.split(".")[1] for name in names}
    rooms -= {"__version__", room}
    allowed = MAY_IMPORT[room] | (COUNTS_ONCE if path == ORCHESTRATES else set())
    assert rooms <= allowed, f"{room} may not import {rooms - allowed}"


def test_what_words_are_said_with_imports_no_analysis():
    for words in WORDS:
        found = {name for name in imported(PACKAGE / "present" / f"{words.rpartition('.')[2]}.py") if "kit." in name}
        rooms = {name.split(".")[1] for name in found if name not in WORDS and name != "retention_kit.present"}
        assert rooms - {"present"} <= {"errors", "messages", "config", "writing", "table"}
        assert all(name in WORDS or name.rpartition(".")[0] in WORDS for name in found if ".present." in name)


@pytest.mark.parametrize(
    "path", [path for room, path in rooms_and_files() if room in ("metrics", "models", "actions", "present", "run")]
)
def test_past_the_counts_tables_there_is_no_engine(path):
    assert not {name.split(".")[0] for name in imported(path)} & ENGINES


def test_every_room_is_in_the_list():
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert found == {*MAY_IMPORT, "__init__", "__main__", "cli", "shop"}


def test_nothing_in_the_package_imports_the_public_api():
    for path in PACKAGE.rglob("*.py"):
        if path.parent != PACKAGE or path.stem not in ("__init__", "cli"):
            assert "retention_kit.shop" not in imported(path), path.name
