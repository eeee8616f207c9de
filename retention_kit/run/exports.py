"""A report's tables for other programs: CSV, Parquet and a workbook from its twin, and its page as PDF.

All are made of the files that lie there already, the twin and the page: what is hidden in them stays hidden.
"""

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from retention_kit.errors import KitError, UsageError, unknown_name
from retention_kit.present.cells import spreadsheet_safe
from retention_kit.run import record
from retention_kit.writing import write_whole

FORMATS = ("html", "json", "csv", "parquet", "xlsx", "pdf")
"""What a report can be written as; the first two always are."""

_FACTS = ("name", "market", "data", "as_of", "currency", "grain", "base_grain", "min_cell", "data_fingerprint",
          "kit_version")  # fmt: skip
_ABOUT = "about"  # name of the workbook's first sheet
_LONGEST_NAME = 31  # characters of a sheet's name, and of a table's file
_NUMBER_FORMATS = {"share": "0.0%", "ratio": "0.0%", "customers": "#,##0", "orders": "#,##0", "days": "#,##0"}


def asked_formats(written: str) -> tuple[str, ...]:
    """Return the formats of a list such as `html,json,xlsx`, after a look whether each can be made here.

    Raises
    ------
    UsageError : an unknown format, or the package or program it takes is missing.
    """
    formats = tuple(dict.fromkeys(name.strip().casefold() for name in written.split(",") if name.strip()))
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("format", name, FORMATS)
    if "xlsx" in formats and find_spec("xlsxwriter") is None:
        raise UsageError(
            "Workbooks are written by the package 'xlsxwriter'.",
            found="it is not installed",
            to_try="python -m pip install 'retention-kit[xlsx]'",
        )
    if "pdf" in formats:
        from retention_kit.run.browser import can_print

        can_print()
    return formats


def export(out: Path, markets: Iterable[str], *, formats: Sequence[str]) -> list[Path]:
    """Write the reports of markets in more formats; return the files.

    Of a market, `<market>.xlsx` and `<market>.pdf` lie beside its report, a file for each table in `<market>.tables/`.
    What an earlier call has exported of these markets and this one does not is of another report, and goes.

    Parameters
    ----------
    out : the folder of the reports.
    markets : those whose reports this run has written; one without a twin has a page to print and no tables.
    formats : as of `asked_formats`.

    Raises
    ------
    KitError : a page could not be printed, or a file not be written.
    """
    files: dict[str, dict[Path, bytes]] = {market: {} for market in markets}
    for market, mine in files.items():
        twin = record.twin_of(out, market)
        tables, folder = tables_of(twin), out / f"{market}.tables"
        if "csv" in formats:
            mine |= {folder / f"{name}.csv": as_csv(rows) for name, rows in tables.items()}
        if "parquet" in formats:
            mine |= {folder / f"{name}.parquet": as_parquet(rows, twin) for name, rows in tables.items()}
        if "xlsx" in formats and tables:
            mine[out / f"{market}.xlsx"] = as_workbook(tables, twin)
    if "pdf" in formats:
        for market, page, content in _printed(out, files):
            files[market][page.with_suffix(".pdf")] = content
    for market, mine in files.items():
        _put(mine, market=market, out=out)
    return sorted(path for mine in files.values() for path in mine)


def _printed(out: Path, markets: Iterable[str]) -> Iterator[tuple[str, Path, bytes]]:
    """Yield market, page and PDF of every page there is."""
    from retention_kit.run.browser import printed

    known = record.read(out)["markets"]
    pages = [(market, page) for market in markets for page in _pages(out, market, known.get(market, {}))]
    contents = printed(page.resolve() for _, page in pages)
    for (market, page), content in zip(pages, contents.values(), strict=True):
        yield market, page, content


def _pages(out: Path, market: str, entry: Mapping[str, Any]) -> list[Path]:
    """Return a market's pages, one for each of its languages."""
    names = dict.fromkeys([f"{market}.html", *entry.get("languages", {}).values()])
    own = [name for name in names if re.fullmatch(rf"{re.escape(market)}(\.[\w-]+)?\.html", name)]
    return [out / name for name in own if (out / name).is_file()]


def _put(files: Mapping[Path, bytes], *, market: str, out: Path) -> None:
    """Put a market's files in their places, and take away those that an earlier call has put there, by its own list."""
    list_of = out / ".exports" / f"{market}.json"
    try:
        earlier = {out / name for name in _read_list(list_of)}
        if not files and not earlier:
            return
        for folder in {path.parent for path in files} | {list_of.parent}:
            folder.mkdir(exist_ok=True)
        names = sorted(path.relative_to(out).as_posix() for path in {*files, *earlier})
        write_whole({list_of: json.dumps(names).encode()})  # first: what is put there is known whatever happens then
        write_whole(files)
        for path in earlier - set(files):
            path.unlink(missing_ok=True)
            if path.parent != out and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        write_whole({list_of: json.dumps(sorted(path.relative_to(out).as_posix() for path in files)).encode()})
    except OSError as why:
        raise KitError(
            f"The report of '{market}' could not be written in more formats.",
            found=os.strerror(why.errno or 0),
            to_try="make room or ask for the right to write, then run it again",
        ) from why


def _read_list(path: Path) -> list[str]:
    """Return the names of a list of files; none where there is no such list, and none that leads elsewhere."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    market = path.stem
    return [name for name in names if re.fullmatch(rf"{re.escape(market)}\.[\w.-]+(/\w+\.(csv|parquet))?", str(name))]


def tables_of(twin: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return a twin's tables with typed columns, by names fit for files and sheets; the headlines first.

    A hidden number is missing.
    """
    parts = {"headlines": twin.get("headlines", []), **twin.get("tables", {}), "findings": twin.get("findings", [])}
    found: dict[str, pd.DataFrame] = {}
    for number, (name, rows) in enumerate(parts.items()):
        plain = re.sub(r"\W+", "_", name.casefold(), flags=re.ASCII)[:_LONGEST_NAME]
        if rows:
            found[f"{plain[: _LONGEST_NAME - 4]}_{number}" if plain in {*found, _ABOUT} else plain] = _typed(rows)
    return found


def _typed(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame: whole numbers where all are, else floats, truths, texts; anything deeper as JSON."""
    frame = pd.DataFrame(rows)
    for name in frame:
        is_deep = frame[name].map(lambda value: isinstance(value, dict | list))
        if is_deep.any():
            frame[name] = frame[name].map(lambda value: json.dumps(value, ensure_ascii=False))
    return frame.convert_dtypes()


def as_csv(rows: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8: numbers as they are, no text that a spreadsheet takes for a formula."""
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow([spreadsheet_safe(name) for name in rows])
    lines.writerows([_cell(value) for value in row] for row in rows.itertuples(index=False, name=None))
    return file.getvalue().encode("utf-8-sig")  # without the mark Excel takes it for Latin-1


def _cell(value: Any) -> Any:
    if pd.isna(value):
        return ""
    return spreadsheet_safe(value) if isinstance(value, str) else value


def as_parquet(rows: pd.DataFrame, twin: Mapping[str, Any]) -> bytes:
    """Return a table as Parquet; what it is of stands in the file's metadata."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(rows, preserve_index=False)
    facts = {name: str(twin[name]) for name in _FACTS if twin.get(name) is not None}
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(facts), file)
    return file.getvalue()


def as_workbook(tables: Mapping[str, pd.DataFrame], twin: Mapping[str, Any]) -> bytes:
    """Return a workbook with a sheet for each table, its numbers numbers and its texts texts, whatever they look like.

    The same twin makes the same bytes.
    """
    from xlsxwriter import Workbook

    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(file, options) as book:
        book.set_properties({"title": str(twin.get("name", "")), "created": datetime(2000, 1, 1, tzinfo=UTC)})
        bold = book.add_format({"bold": True, "bottom": 1})
        formats = {unit: book.add_format({"num_format": written}) for unit, written in _NUMBER_FORMATS.items()}
        facts = pd.DataFrame([(name, str(twin[name])) for name in _FACTS if twin.get(name) is not None])
        _fill(book.add_worksheet(_ABOUT), facts.set_axis(["fact", "value"], axis=1), bold=bold, formats={})
        for name, rows in tables.items():
            _fill(book.add_worksheet(name), rows, bold=bold, formats=formats)
    return file.getvalue()


def _fill(sheet: Any, rows: pd.DataFrame, *, bold: Any, formats: Mapping[str, Any]) -> None:
    """Write a table into a sheet: titles that stay in sight and filter, each cell by its type."""
    for column, name in enumerate(rows):
        sheet.write_string(0, column, name, bold)
    units = rows["unit"] if "unit" in rows else pd.Series([""] * len(rows))
    for row, (unit, values) in enumerate(zip(units, rows.itertuples(index=False, name=None), strict=True), start=1):
        for column, value in enumerate(values):
            if pd.isna(value):
                continue
            if isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, str):
                sheet.write_string(row, column, value)
            else:
                is_of_unit = rows.columns[column] in ("value", "lower", "upper")
                sheet.write_number(row, column, value, formats.get(unit) if is_of_unit else None)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, len(rows), len(rows.columns) - 1)
    sheet.autofit(max_width=360)
