"""A table as a file: CSV, JSON by a published schema, Parquet, a workbook; all of the numbers themselves."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, Literal

from typing_extensions import TypedDict

from retention_kit.errors import UsageError
from retention_kit.present import formats
from retention_kit.present.cells import spreadsheet_safe
from retention_kit.present.languages import worded
from retention_kit.table import SCHEMA_VERSION, Column, Role, Table

_EXPLAINED = {"use_attribute_docstrings": True}


class ColumnData(TypedDict):
    """A column as a reader sees it, and of which keys of a row it is made."""

    __pydantic_config__ = _EXPLAINED

    name: str
    """Key of its value; empty of an interval alone."""
    title: str
    role: Role
    """What it holds, and so how it is written: a `share` is a fraction of 1, `money` is in units of `currency`."""
    lower: str
    """Key of the lower end of its interval; empty where it has none."""
    upper: str
    unit: str
    currency: str


class HiddenCells(TypedDict):
    """Which cells of a row protect small groups."""

    row: int
    columns: list[str]


class TableData(TypedDict):
    """A table that knows itself: what it is, its columns, its rows."""

    __pydantic_config__ = _EXPLAINED

    schema_version: Literal[1]
    name: str
    title: str
    definition: str
    """What its number means."""
    source: str
    """The counts table that it was made of."""
    window: str
    as_of: str
    """First day, or instant, not observed."""
    columns: list[ColumnData]
    rows: list[dict[str, str | int | float | bool | None]]
    """None where a number is absent or hidden."""
    hidden: list[HiddenCells]
    notes: list[str]


_FACTS = ("name", "title", "definition", "source", "window", "as_of")
_NUMBER_FORMATS = {Role.SHARE: "0.0%", Role.RATIO: "0.0%", Role.CHANGE: "0.0%", Role.COUNT: "#,##0", Role.N: "#,##0"}


def fields(table: Table) -> Iterator[tuple[str, str, Column]]:
    """Yield the columns of a table's file: the frame's column, its title in the current language, what it is."""
    for column in table.columns:
        title = worded(column.title)
        if column.name:
            yield column.name, title, column
        for end, sign in ((column.lower, "≥"), (column.upper, "≤")):
            if end:
                yield end, f"{title} {sign}", column


def csv_text(table: Table) -> str:
    """Return a table as CSV: a share as a fraction, an interval as two columns, a period as its label.

    A hidden number is an empty field, and no text can be taken for a formula.
    """
    file = io.StringIO()
    lines = csv.writer(file)
    known = list(fields(table))
    lines.writerow([spreadsheet_safe(title) for _name, title, _column in known])
    rows = table.frame.to_dict("records")
    for at, row in zip(table.frame.index, rows, strict=True):
        lines.writerow([plain(table, at, name, row[name], column) for name, _title, column in known])
    return file.getvalue()


def plain(table: Table, at: Any, name: str, value: Any, column: Column) -> str:
    """Return a cell of a file: the number itself; a word in the current language; nothing where absent or hidden."""
    from retention_kit.present.markup import number

    if formats.is_absent(value) or (table.hidden is not None and name in table.hidden and table.hidden.at[at, name]):
        return ""
    if column.is_number:
        return number(value)
    return spreadsheet_safe(worded(value) if column.role is Role.WORDS else str(value))


def as_dict(table: Table) -> TableData:
    """Return a table as plain values: what it is, its columns, its rows; None where a number is absent or hidden."""
    columns = [
        {
            "name": column.name,
            "title": worded(column.title),
            "role": str(column.role),
            "lower": column.lower,
            "upper": column.upper,
            "unit": column.unit,
            "currency": column.currency,
        }
        for column in table.columns
    ]
    known = [part for column in table.columns for part in column.parts]
    hidden = [] if table.hidden is None else [name for name in known if name in table.hidden]
    frame = table.frame[list(dict.fromkeys(known))]
    rows = json.loads(frame.to_json(orient="records", double_precision=15))
    return {
        "schema_version": SCHEMA_VERSION,
        **{name: worded(getattr(table, name)) for name in _FACTS},
        "columns": columns,
        "rows": rows,
        "hidden": [
            {"row": nth, "columns": [name for name in hidden if table.hidden.at[at, name]]}
            for nth, at in enumerate(table.frame.index)
            if any(table.hidden.at[at, name] for name in hidden)
        ],
        "notes": [worded(note) for note in table.notes if note],
    }


def json_text(table: Table) -> str:
    """Return a table as JSON that any reader takes: no NaN, UTF-8, one trailing newline."""
    return json.dumps(as_dict(table), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def parquet_bytes(table: Table) -> bytes:
    """Return a table's frame as Parquet; what it is of stands in the file's metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = pa.Table.from_pandas(table.frame, preserve_index=False)
    facts = {name: str(getattr(table, name)) for name in _FACTS}
    file = io.BytesIO()
    parquet.write_table(rows.replace_schema_metadata(facts), file)
    return file.getvalue()


def workbook_bytes(tables: Sequence[Table]) -> bytes:
    """Return a workbook with a sheet for each table, and one that says what they are; the same tables, the same bytes.

    Raises
    ------
    UsageError : the package that writes workbooks is not installed.
    """
    refuse_workbooks()
    from xlsxwriter import Workbook

    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(file, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        bold = book.add_format({"bold": True, "bottom": 1})
        kinds = {role: book.add_format({"num_format": written}) for role, written in _NUMBER_FORMATS.items()}
        for table in tables:
            _fill(book.add_worksheet(table.name[:31]), table, bold=bold, kinds=kinds)
        about = book.add_worksheet("about")
        for row, (fact, value) in enumerate(
            (fact, worded(getattr(table, fact))) for table in tables for fact in _FACTS if getattr(table, fact)
        ):
            about.write_string(row, 0, fact)
            about.write_string(row, 1, str(value))
    return file.getvalue()


def refuse_workbooks() -> None:
    """Refuse workbooks where the package that writes them is missing."""
    if find_spec("xlsxwriter") is None:
        raise UsageError(
            "Workbooks are written by the package 'xlsxwriter'.",
            found="it is not installed",
            to_try="python -m pip install 'retention-kit[xlsx]'",
        )


def _fill(sheet: Any, table: Table, *, bold: Any, kinds: dict[Role, Any]) -> None:
    """Write a table into a sheet: titles that stay in sight and filter, each cell by its role."""
    known = list(fields(table))
    for nth, (_name, title, _column) in enumerate(known):
        sheet.write_string(0, nth, title, bold)
    rows = table.frame.to_dict("records")
    for row, (at, values) in enumerate(zip(table.frame.index, rows, strict=True), start=1):
        for nth, (name, _title, column) in enumerate(known):
            told = plain(table, at, name, values[name], column)
            if told == "":
                continue
            if column.is_number:
                sheet.write_number(row, nth, float(values[name]), kinds.get(column.role))
            else:
                sheet.write_string(row, nth, worded(values[name]) if column.role is Role.WORDS else str(values[name]))
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, len(rows), max(len(known) - 1, 0))
    sheet.autofit(max_width=360)
