"""Tables in memory become Arrow: typed where they are typed, and text where a column holds a mixture.

What is wrong with one is told by its columns' names and types, never by a value.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention_kit.errors import DataError, UsageError, listed, shown

if TYPE_CHECKING:
    import pyarrow as pa

_TAKEN = "a table of pandas, Polars or Arrow, a relation of DuckDB, or any other that hands over Arrow"


def arrow(frame: Any, *, table: str) -> "pa.Table":
    """Return a table in memory as Arrow, copied where its owner could change it later.

    Parameters
    ----------
    frame : of pandas, whose named indices become columns; or of any library that speaks Arrow's PyCapsule interface.
    table : what it holds, for errors.

    Raises
    ------
    UsageError : it is no table.
    DataError : two columns of one name, or a column that cannot be read.
    """
    columns = _of_pandas(frame, table) if _library(frame) == "pandas" else _of_capsule(frame, table)
    twice = [name for name, n in Counter(name.casefold() for name, _ in columns).items() if n > 1]
    if twice:
        raise DataError(
            f"{table} has columns of the same name.", found=listed(twice), to_try="give each column its own name"
        )
    import pyarrow as pa

    plain = {name: _told(_plain, column, name, table) for name, column in columns}
    return pa.table(plain)


def fingerprint(table: "pa.Table") -> str:
    """Return a sha256 of the content of a table: its columns, their types, every value, in order."""
    hashed = hashlib.sha256(table.schema.serialize())
    for batch in table.combine_chunks().to_batches(max_chunksize=1 << 20):
        hashed.update(batch.serialize())
    return hashed.hexdigest()


def _library(frame: Any) -> str:
    return type(frame).__module__.partition(".")[0]


def _of_pandas(frame: Any, table: str) -> list[tuple[str, Any]]:
    """Return the columns of a pandas frame; one of objects is text where no type holds all of it."""
    if not hasattr(frame, "columns"):
        raise _no_frame(frame, table)
    kept = [name for name in frame.index.names if name is not None]
    whole = frame.reset_index(level=kept) if kept else frame
    return [(str(name), _told(_array, column, str(name), table)) for name, column in whole.items()]


def _array(column: Any) -> "pa.Array":
    import pyarrow as pa

    try:
        return pa.array(column.copy(), from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        missing = column.isna()
        texts = [None if lacks else _text(value) for value, lacks in zip(column, missing, strict=True)]
        return pa.array(texts, pa.string())


def _text(value: Any) -> str:
    """Return a value of a mixed column as a file of text would have it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _of_capsule(frame: Any, table: str) -> list[tuple[str, Any]]:
    if not hasattr(frame, "__arrow_c_stream__"):
        raise _no_frame(frame, table)
    import pyarrow as pa

    try:
        read = pa.table(frame)
    except Exception as why:  # whatever a library raises may quote a value
        raise DataError(
            f"{table} cannot be read as Arrow.", found=f"a {_kind(frame)}; {type(why).__name__}", to_try=_TAKEN
        ) from None
    return list(zip(read.column_names, read.columns, strict=True))


def _plain(column: Any) -> "pa.ChunkedArray":
    """Return a column in the types that the engine reads: no dictionary, no half or 256 bits.

    Of one where all is missing the type says nothing: dates that nobody has may be a column of numbers.
    """
    import pyarrow as pa

    if column.null_count == len(column):
        return pa.nulls(len(column))
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    return column.cast(pa.decimal128(38, column.type.scale)) if pa.types.is_decimal256(column.type) else column


def _told(conversion: Callable[[Any], Any], column: Any, name: str, table: str) -> Any:
    """Return a column converted; where it cannot be, the error names it and quotes nothing."""
    try:
        return conversion(column)
    except Exception as why:
        raise DataError(
            f"{table} has a column that cannot be read.",
            found=f"'{shown(name)}' is {getattr(column, 'dtype', None) or column.type}; {type(why).__name__}",
            to_try=f"'{shown(name)}' as text, or leave it out",
        ) from None


def _kind(frame: Any) -> str:
    return f"{_library(frame)} {type(frame).__name__}".removeprefix("builtins ")


def _no_frame(frame: Any, table: str) -> UsageError:
    lazy = hasattr(frame, "collect")
    return UsageError(
        f"{table} is no table.",
        found=f"a {_kind(frame)}",
        to_try=f".collect() it first: {_TAKEN}" if lazy else f"{_TAKEN}; or the name of a profile, or a path",
    )
