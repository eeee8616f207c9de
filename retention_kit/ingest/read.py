"""Files and tables in memory become columns as they are: by their own types, text as text, nothing guessed."""

import codecs
import csv
import gzip
import io
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from retention_kit.errors import DataError, KitError, listed, shown, unopened
from retention_kit.ingest.expressions import literal
from retention_kit.ingest.profile import TableProfile
from retention_kit.ingest.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK = 1 << 22
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS = {";": "a semicolon", "\t": "a tab", ",": "a comma", "|": "a bar"}


@dataclass(frozen=True)
class Raw:
    """A table as it is: a view of the engine, its columns, and how much could not be read.

    Parameters
    ----------
    table, shown : its name, and what it is called where it is.
    view, columns : of the engine.
    n_rows : with those that could not be read; None where nobody has counted.
    n_unreadable : rows that could not be read.
    has_rows : whether `file_row_number` numbers the rows.
    """

    table: str
    shown: str
    view: str
    columns: tuple[str, ...]
    n_rows: int | None
    n_unreadable: int
    has_rows: bool = True


@contextmanager
def raw(source: Source, table: str, connection: duckdb.DuckDBPyConnection) -> Iterator[Raw]:
    """Offer a table's files, or the table in memory, as a view of its columns and `file_row_number`, for a while.

    Raises
    ------
    DataError : a file that is empty, damaged, not in the declared encoding, or has a header that cannot be.
    """
    view = f"raw_{table}"
    if table in source.frames:
        yield Raw(table, table, view, *_offer_frame(source.frames[table], view, connection), 0)
        connection.unregister(view)
        return
    paths, declared = source.paths(table), source.profile.table(table)
    for path in paths:
        _check_readable(path, declared, table, where=source.where)
    if all(path.name.endswith((".parquet", ".pq")) for path in paths):
        columns = _offer_parquet(paths, view, connection)
        yield Raw(table, paths[0].name, view, columns, _n_rows(view, connection), 0)
        connection.execute(f"DROP VIEW {view}")
        return
    with tempfile.TemporaryDirectory(prefix="retention-kit-") as folder:
        columns, n_unreadable = _offer_text(paths, declared, view, connection, Path(folder), where=source.where)
    yield Raw(table, paths[0].name, view, columns, _n_rows(view, connection) + n_unreadable, n_unreadable)
    connection.execute(f"DROP VIEW {view}; DROP TABLE {view}_text")


def _check_readable(path: Path, declared: TableProfile, table: str, *, where: str) -> None:
    if not path.is_file():
        raise DataError(f"'{shown(path.name)}' of {table} is no file.", to_try="the files themselves, each by its name")
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as why:
        raise unopened(path.name, why) from why
    if not start:
        raise DataError(f"{path.name} is empty.", to_try=f"export {table} again")
    if start in _UTF_16 and not declared.encoding.startswith("utf-16"):
        raise _wrong_encoding(path, declared.encoding, where=where)


def _offer_frame(frame: "pa.Table", view: str, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, ...], int]:
    import numpy as np
    import pyarrow as pa

    columns = tuple(name for name in frame.column_names if name != "file_row_number")
    rows = pa.array(np.arange(frame.num_rows))
    connection.register(view, frame.select(columns).append_column("file_row_number", rows))
    return columns, frame.num_rows


def _n_rows(view: str, connection: duckdb.DuckDBPyConnection) -> int:
    return connection.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0]


def _offer_parquet(paths: Sequence[Path], view: str, connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    files = "[" + ", ".join(literal(str(path)) for path in paths) + "]"
    schemas = [_parquet_schema(path, connection) for path in paths]
    for path, schema in zip(paths, schemas, strict=True):
        if schema != schemas[0]:
            raise DataError(
                f"{path.name} has other columns than {paths[0].name}.",
                found=listed(f"{name} {type_}" for name, type_ in sorted(schema - schemas[0])),
                to_try=f"the columns and types of {paths[0].name}",
            )
    connection.execute(
        f"CREATE TEMP VIEW {view} AS SELECT * EXCLUDE (file_row_number), "
        f"file_row_number + {_rows_before(files, len(paths), connection)} AS file_row_number "
        f"FROM read_parquet({files}, file_row_number = true)"
    )
    described = connection.execute(f"DESCRIBE {view}").fetchall()
    return tuple(name for name, *_ in described if name != "file_row_number")


def _rows_before(files: str, n_files: int, connection: duckdb.DuckDBPyConnection) -> str:
    """Return SQL for how many rows the files before a row's own hold."""
    if n_files == 1:
        return "0"
    counted = connection.execute(
        f"SELECT file_name, num_rows FROM parquet_file_metadata({files}) ORDER BY file_name"
    ).fetchall()
    before, starts = 0, []
    for _, n_rows in counted:
        starts.append(before)
        before += n_rows
    return f"({starts})[CAST(file_index AS BIGINT) + 1]"


def _parquet_schema(path: Path, connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Return the file's columns with their types."""
    try:
        described = connection.execute(f"DESCRIBE FROM read_parquet({literal(str(path))})").fetchall()
    except duckdb.Error as why:
        raise DataError(
            f"{path.name} cannot be read as Parquet.",
            found=f"{path.stat().st_size:,} bytes, damaged or another format",
            to_try="export it again; a text file must end in .csv",
        ) from why
    return {(name, type_) for name, type_, *_ in described}


def _offer_text(
    paths: Sequence[Path],
    declared: TableProfile,
    view: str,
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    where: str,
) -> tuple[tuple[str, ...], int]:
    """Read text files as text columns; return the columns and how many rows could not be read."""
    readable = [_as_utf8(path, declared, folder, number, where=where) for number, path in enumerate(paths)]
    headers = [_header(utf8, path, declared, where=where) for utf8, path in zip(readable, paths, strict=True)]
    for path, header in zip(paths, headers, strict=True):
        if header != headers[0]:
            raise DataError(
                f"{path.name} has other columns than {paths[0].name}.",
                found=listed(header),
                to_try=f"the columns {listed(headers[0])}, in this order",
            )
    columns = "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in headers[0]) + "}"
    rejects = f"rejects_table = '{view}_rejects', rejects_scan = '{view}_scans', rejects_limit = 0"
    try:
        connection.execute(
            f"CREATE TEMP TABLE {view}_text AS FROM read_csv("
            f"[{', '.join(literal(str(path)) for path in readable)}], auto_detect = false, header = true, "
            f"skip = {_n_skipped(readable[0], paths[0], declared, where=where)}, "
            f"columns = {columns}, delim = {literal(declared.separator)}, quote = {literal(declared.quote)}, "
            f"escape = {literal(declared.quote)}, nullstr = '', strict_mode = true, null_padding = false, "
            f"store_rejects = true, {rejects})"
        )
    except duckdb.Error:  # its message would quote the line
        raise DataError(
            f"{paths[0].name} cannot be read as declared.",
            found=f"separator '{declared.separator}', quote '{declared.quote}'",
            to_try=f"declare the separator and quote in {where}",
        ) from None
    n_unreadable = _n_unreadable(view, paths[0], declared, connection, where=where)
    connection.execute(
        f"CREATE TEMP VIEW {view} AS SELECT *, rowid AS file_row_number FROM {view}_text;"
        f"DROP TABLE {view}_rejects; DROP TABLE {view}_scans"
    )
    return tuple(headers[0]), n_unreadable


def _n_unreadable(
    view: str, path: Path, declared: TableProfile, connection: duckdb.DuckDBPyConnection, *, where: str
) -> int:
    """Return how many lines are no rows; a line in another encoding is an error for the whole file."""
    n_lines, n_encoding = connection.execute(
        f"SELECT count(DISTINCT (file_id, line)), count(*) FILTER (error_type = 'INVALID ENCODING') FROM {view}_rejects"
    ).fetchall()[0]
    if n_encoding:
        raise _wrong_encoding(path, declared.encoding, where=where)
    return n_lines


def _wrong_encoding(path: Path, encoding: str, *, where: str) -> KitError:
    with path.open("rb") as file:
        if file.read(2) in _UTF_16:
            return DataError(
                f"{path.name} is not text in {encoding}.",
                found='the mark of UTF-16 at its start, as in Excel\'s "Unicode text"',
                to_try=f'declare encoding = "utf-16" in {where}, and separator = "\\t" where tabs separate it',
            )
    return DataError(
        f"{path.name} is not text in {encoding}.",
        to_try=f'declare its encoding in {where}, such as encoding = "cp1252"',
    )


def _as_utf8(path: Path, declared: TableProfile, folder: Path, number: int, *, where: str) -> Path:
    """Return a file the engine can read: the file itself, or its text written again as UTF-8."""
    if not path.name.endswith((".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")):
        raise DataError(
            f"{path.name} is of a kind that cannot be read.",
            found=f"'{path.suffix}'",
            to_try="Parquet, or text saved as .csv; unpack archives, save spreadsheets as CSV UTF-8",
        )
    packed = path.name.endswith(".gz")
    if codecs.lookup(declared.encoding).name == "utf-8" and not packed:
        return path
    written = folder / f"{number}.csv"
    try:
        with (
            gzip.open(path) if packed else path.open("rb") as read,
            written.open("w", encoding="utf-8", newline="") as write,
        ):
            decoded = codecs.getreader(declared.encoding)(read)
            while text := decoded.read(_CHUNK):
                write.write(text)
    except (gzip.BadGzipFile, EOFError) as why:
        raise DataError(f"{path.name} is damaged.", to_try="export it again") from why
    except UnicodeError:
        raise _wrong_encoding(path, declared.encoding, where=where) from None
    return written


def _header(utf8: Path, path: Path, declared: TableProfile, *, where: str) -> list[str]:
    """Return the names in the first line, each once."""
    try:
        with utf8.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline(1 << 20)
            if _is_separator_line(first, path, declared, where=where):
                first = text.readline(1 << 20)
    except UnicodeError:
        raise _wrong_encoding(path, declared.encoding, where=where) from None
    rows = csv.reader(io.StringIO(first), delimiter=declared.separator, quotechar=declared.quote)
    try:
        header = [name.strip() for name in next(iter(rows), [])]
    except csv.Error:  # one name that goes on for 131,072 characters
        raise DataError(
            f"{path.name} has a header that cannot be read.",
            found=f"a first line of {len(first):,} characters or more, separated as declared too rarely",
            to_try=f"names of columns in the first line, with the separator and quote declared in {where}",
        ) from None
    header = [name or f"column{number}" for number, name in enumerate(header, 1)] if any(header) else []
    if not header:
        raise DataError(f"{path.name} has no header.", to_try="names of columns in the first line")
    twice = [name for name, n in Counter(header).items() if n > 1]
    if twice:
        raise DataError(
            f"{path.name} has columns of the same name.",
            found=listed(twice),
            to_try="give each column its own name",
        )
    _check_separator(header, first, path, declared, where=where)
    return header


def _is_separator_line(first: str, path: Path, declared: TableProfile, *, where: str) -> bool:
    """Return whether the line is Excel's `sep=;`, which says the separator and is no header."""
    said = re.fullmatch(r'"?sep=(.)"?\r?\n?', first)
    if said and said[1] != declared.separator:
        raise DataError(
            f"{path.name} says that its separator is another.",
            found=first.strip(),
            to_try=f'declare separator = "{said[1]}" in {where}',
        )
    return said is not None


def _n_skipped(utf8: Path, path: Path, declared: TableProfile, *, where: str) -> int:
    with utf8.open(encoding="utf-8-sig", newline="") as text:
        return int(_is_separator_line(text.readline(1 << 20), path, declared, where=where))


def _check_separator(header: list[str], first: str, path: Path, declared: TableProfile, *, where: str) -> None:
    if len(header) > 1:
        return
    looks = max(_SEPARATORS, key=first.count)
    if looks != declared.separator and first.count(looks):
        shown = "\\t" if looks == "\t" else looks
        raise DataError(
            f"{path.name} has one column.",
            found=f"its header holds {_SEPARATORS[looks]} {first.count(looks)} times",
            to_try=f'declare separator = "{shown}" in {where}',
        )
