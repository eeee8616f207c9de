"""Reports in other formats: typed, of one source, and safe whatever a name looks like."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from pyarrow import parquet

from retention_kit.errors import UsageError
from retention_kit.run import browser
from retention_kit.run.exports import as_workbook, asked_formats, export, tables_of

HOSTILE = ["<script>alert(1)</script>", "$x_1$", "=cmd|' /C calc'!A0", "../../etc/passwd", "N" * 1000, "\u202egnihtyna",
           "@SUM(A1)", "+1", "-1", "https://example.org"]  # fmt: skip


def twin(name: str = "Netherlands", **tables: list[dict[str, Any]]) -> dict[str, Any]:
    headline = {"id": "rate", "label": name, "value": 0.664, "lower": None, "upper": None, "unit": "share", "n": 1695}
    return {"market": "NL", "name": name, "as_of": "2026-01-01", "kit_version": "0.1.0", "headlines": [headline],
            "tables": tables, "findings": []}  # fmt: skip


def returned(values: list[str]) -> list[dict[str, Any]]:
    return [
        {"value": value, "n": 10 + n, "share": None if n == 1 else 0.5, "hidden": n == 1}
        for n, value in enumerate(values)
    ]


def write(folder: Path, told: dict[str, Any]) -> Path:
    (folder / "NL.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "NL.html").write_text("<!DOCTYPE html><title>a page</title><h1>A page</h1>", encoding="utf-8")
    return folder


def names(folder: Path) -> list[str]:
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith(".exports"))


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_a_table_is_typed_alike_in_every_format(tmp_path):
    write(tmp_path, twin(returned=returned(["card", "iDEAL"])))
    export(tmp_path, ["NL"], formats=["csv", "parquet", "xlsx"])
    table = parquet.read_table(tmp_path / "NL.tables" / "returned.parquet")
    assert [str(field.type) for field in table.schema] == ["large_string", "int64", "double", "bool"]
    assert table["share"].to_pylist() == [0.5, None]
    assert rows_of(tmp_path / "NL.tables" / "returned.csv") == [
        ["value", "n", "share", "hidden"], ["card", "10", "0.5", "False"], ["iDEAL", "11", "", "True"],
    ]  # fmt: skip
    sheet = openpyxl.load_workbook(tmp_path / "NL.xlsx")["returned"]
    assert [[cell.value for cell in row] for row in sheet.rows] == [
        ["value", "n", "share", "hidden"], ["card", 10, 0.5, False], ["iDEAL", 11, None, True],
    ]  # fmt: skip


def test_a_parquet_file_says_what_it_is_of(tmp_path):
    write(tmp_path, twin(returned=returned(["card"])))
    export(tmp_path, ["NL"], formats=["parquet"])
    told = parquet.read_schema(tmp_path / "NL.tables" / "returned.parquet").metadata
    assert (told[b"market"], told[b"as_of"], told[b"kit_version"]) == (b"NL", b"2026-01-01", b"0.1.0")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_in_every_format_and_in_no_files_name(tmp_path, name):
    write(tmp_path, twin(name, returned=returned([name, "card"]), **{name: returned(["card"])}))
    export(tmp_path, ["NL"], formats=["csv", "parquet", "xlsx"])
    quoted = f"'{name}" if name[0] in "=+-@" else name
    assert rows_of(tmp_path / "NL.tables" / "returned.csv")[1][0] == quoted
    assert pd.read_parquet(tmp_path / "NL.tables" / "returned.parquet")["value"][0] == name
    book = openpyxl.load_workbook(tmp_path / "NL.xlsx")
    cell = book["returned"]["A2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (name, "s", None)
    assert book["headlines"]["B2"].value == name
    assert all(cell.data_type != "f" for sheet in book for row in sheet.rows for cell in row)
    assert all(set(path.name) <= {*"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *"0123456789_."}
               and path.parent.name in ("NL.tables", tmp_path.name) for path in tmp_path.rglob("*.*") if path.is_file()
               and path.parent.name != ".exports")  # fmt: skip


def test_the_same_twin_makes_the_same_workbook():
    told = twin(returned=returned(["card"]))
    assert as_workbook(tables_of(told), told) == as_workbook(tables_of(told), told)


def test_two_long_names_have_two_sheets():
    told = twin(**{f"{'n' * 40}{n}": returned(["card"]) for n in (1, 2)}, About=returned(["card"]))
    book = openpyxl.load_workbook(io.BytesIO(as_workbook(tables_of(told), told)))
    assert book.sheetnames == ["about", "headlines", "n" * 31, f"{'n' * 27}_2", "about_3"]


def test_files_of_another_report_go_and_what_is_of_somebody_else_stays(tmp_path):
    write(tmp_path, twin(returned=returned(["card"]), orders=returned(["card"])))
    (tmp_path / "NL.pdf").write_text("mine")
    export(tmp_path, ["NL"], formats=["csv", "xlsx"])
    assert names(tmp_path) == [
        "NL.html", "NL.json", "NL.pdf", "NL.tables/headlines.csv", "NL.tables/orders.csv",
        "NL.tables/returned.csv", "NL.xlsx",
    ]  # fmt: skip
    write(tmp_path, twin(returned=returned(["card"])))
    export(tmp_path, ["NL"], formats=["csv"])
    assert names(tmp_path) == ["NL.html", "NL.json", "NL.pdf", "NL.tables/headlines.csv", "NL.tables/returned.csv"]
    export(tmp_path, ["NL"], formats=["html", "json"])
    assert names(tmp_path) == ["NL.html", "NL.json", "NL.pdf"]


def test_a_list_of_files_leads_nowhere_else(tmp_path):
    write(tmp_path, twin(returned=returned(["card"])))
    (tmp_path / "kept.csv").write_text("mine")
    (tmp_path / ".exports").mkdir()
    (tmp_path / ".exports" / "NL.json").write_text(
        json.dumps(["../kept.csv", "kept.csv", "/etc/hosts", "NL.tables/../kept.csv"])
    )
    export(tmp_path, ["NL"], formats=["html"])
    assert (tmp_path / "kept.csv").is_file()


def test_a_report_without_a_twin_has_no_tables(tmp_path):
    (tmp_path / "NL.html").write_text("<h1>A page</h1>")
    assert export(tmp_path, ["NL"], formats=["csv", "parquet", "xlsx"]) == []


def test_an_unknown_format_is_told_before_anything_is_run():
    with pytest.raises(UsageError) as told:
        asked_formats("html, xslx")
    assert str(told.value) == (
        "There is no format 'xslx'.\n  found: 'html', 'json', 'csv', 'parquet', 'xlsx', 'pdf'\n  try:   'xlsx'"
    )


def test_formats_are_taken_as_they_are_written():
    assert asked_formats("JSON, csv,,csv") == ("json", "csv")


def test_a_workbook_without_its_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(UsageError) as told:
        asked_formats("xlsx")
    assert str(told.value) == (
        "Workbooks are written by the package 'xlsxwriter'.\n  found: it is not installed\n"
        "  try:   python -m pip install 'retention-kit[xlsx]'"
    )


def test_a_pdf_without_its_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(UsageError) as told:
        asked_formats("pdf")
    assert str(told.value) == (
        "Reports are printed as PDF by the package 'playwright'.\n  found: it is not installed\n"
        "  try:   python -m pip install 'retention-kit[pdf]'"
    )


def test_a_pdf_without_a_browser_is_told(monkeypatch):
    monkeypatch.setenv(browser.VARIABLE, "no-such-program")
    with pytest.raises(UsageError) as told:
        browser.program()
    assert str(told.value) == (
        "There is no Chromium, which prints reports as PDF.\n  found: RETENTION_KIT_CHROMIUM is 'no-such-program'\n"
        "  try:   apt-get install chromium, or its program in RETENTION_KIT_CHROMIUM"
    )
