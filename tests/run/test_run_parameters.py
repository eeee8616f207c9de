from collections.abc import Callable
from pathlib import Path

import pytest

from retention_kit.errors import UsageError
from retention_kit.run.parameters import Notebook, checked, parsed, read_notebook, without_paths

ALL_TYPES = """
market: str = "NL"  # which market
window_days: int = 90
conf_level: float = 0.95
pooled: bool = True
files: dict = {}
markets: list[str] = []
untyped = 5
day: date = None
""".strip()


@pytest.fixture
def asked(notebook_file: Callable[..., Path]) -> Notebook:
    return read_notebook(notebook_file([], parameters=ALL_TYPES))


def test_a_notebook_tells_its_parameters_with_types_defaults_and_help(asked: Notebook) -> None:
    market = asked.parameters["market"]
    assert (market.type, market.default, market.help) == (str, "NL", "which market")
    assert asked.parameters["untyped"].type is int
    assert asked.name == "asked.ipynb"
    assert len(asked.sha256) == 64


def test_an_unknown_parameter_names_the_near_miss(asked: Notebook) -> None:
    with pytest.raises(UsageError) as error:
        checked(asked.parameters, {"markt": "FR"})
    assert str(error.value) == (
        "There is no parameter 'markt'.\n"
        "  found: 'market', 'window_days', 'conf_level', 'pooled', 'files', 'markets', 'untyped', 'day'\n"
        "  try:   'market'"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_days", "90"),
        ("window_days", True),
        ("window_days", 90.0),
        ("market", False),  # YAML reads Norway's NO so
        ("conf_level", float("nan")),
        ("pooled", 1),
        ("files", []),
        ("markets", [1]),
    ],
)
def test_a_value_of_another_type_is_refused(asked: Notebook, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"The parameter '{name}' is not of type"):
        checked(asked.parameters, {name: value})


def test_a_wrong_type_says_what_was_found_and_what_to_try(asked: Notebook) -> None:
    with pytest.raises(UsageError) as error:
        parsed(asked.parameters, {"window_days": "abc"})
    assert str(error.value) == (
        "The parameter 'window_days' is not of type int.\n"
        "  found: 'abc'\n"
        "  try:   a whole number such as 90 (default 90)"
    )


def test_text_of_the_command_line_becomes_the_declared_type(asked: Notebook) -> None:
    written = {"market": "NO", "window_days": "60", "conf_level": "0.9", "pooled": "false", "untyped": "-1"}
    written |= {"files": '{"orders": "a.parquet"}', "markets": '["NL", "DK"]'}
    assert parsed(asked.parameters, written) == {
        "market": "NO",
        "window_days": 60,
        "conf_level": 0.9,
        "pooled": False,
        "untyped": -1,
        "files": {"orders": "a.parquet"},
        "markets": ["NL", "DK"],
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("window_days", "1_000"),
        ("window_days", "9.0"),
        ("conf_level", "0,95"),
        ("conf_level", "inf"),
        ("pooled", "yes"),
        ("files", "[]"),
        ("files", '{"a": NaN}'),
        ("markets", "NL"),
        ("markets", "[1]"),
    ],
)
def test_text_that_only_resembles_the_type_is_refused(asked: Notebook, name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"The parameter '{name}' is not of type"):
        parsed(asked.parameters, {name: text})


def test_a_type_that_cannot_be_passed_is_refused(asked: Notebook) -> None:
    with pytest.raises(UsageError, match="'day' has no type that can be given from outside"):
        checked(asked.parameters, {"day": "2026-01-01"})


def test_a_notebook_without_a_parameters_cell_is_refused(notebook_file: Callable[..., Path]) -> None:
    with pytest.raises(UsageError) as error:
        read_notebook(notebook_file(["1 + 1"], parameters=None))
    assert str(error.value) == (
        "asked.ipynb has no cell tagged 'parameters', so it cannot be told which market to report.\n"
        "  try:   put them into one cell, each 'name: type = default  # help', and tag it 'parameters'"
    )


def test_a_notebook_that_is_not_there_names_the_near_miss(notebook_file: Callable[..., Path]) -> None:
    path = notebook_file([], name="market_report.ipynb")
    with pytest.raises(UsageError) as error:
        read_notebook(path.with_name("market_reprot.ipynb"))
    assert str(error.value) == (
        "There is no notebook 'market_reprot.ipynb'.\n  found: 'market_report.ipynb'\n  try:   'market_report.ipynb'"
    )


def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.ipynb"
    path.write_text('{"cells": [', encoding="utf-8")
    with pytest.raises(UsageError, match=r"torn.ipynb is not a notebook that can be read\."):
        read_notebook(path)


def test_braces_in_a_folder_are_not_taken_for_parameters(notebook_file: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "{market}"
    folder.mkdir()
    path = folder / "asked.ipynb"
    path.write_bytes(notebook_file([]).read_bytes())
    assert "market" in read_notebook(path).parameters


def test_published_parameters_hold_no_path_no_password_and_no_twin() -> None:
    given = {
        "market": "NL",
        "twin": "/tmp/twin.json",
        "data": "/home/somebody/export",
        "files": {"orders": "..\\secret\\orders.parquet"},
        "url": ["postgresql://me:password@host/shop"],
        "n": 3,
    }
    assert without_paths(given) == {
        "market": "NL",
        "data": "export",
        "files": {"orders": "orders.parquet"},
        "url": ["postgresql://…"],
        "n": 3,
    }
