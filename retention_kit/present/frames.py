"""Somebody's own pandas frame, Series or Styler as a table: its numbers, written as it shows them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd

from retention_kit.messages import Verbatim
from retention_kit.table import Column, Role, Table

_MOST_DECIMALS = 6  # as many as pandas shows


def table_of(shown: "pd.DataFrame | pd.Series | Any", *, name: str = "table", title: str = "") -> Table:
    """Return a frame, a Series or a Styler as a table; what a Styler writes is shown, and its numbers are kept.

    The index is shown where it is more than the number of a row.
    """
    if isinstance(shown, pd.Series):
        return table_of(shown.to_frame("" if shown.name is None else shown.name), name=name, title=title)
    if isinstance(shown, pd.DataFrame):
        frame, columns = _of_frame(shown)
        return Table(frame, columns, name=name, title=title)
    return _of_styler(shown, name=name, title=title or Verbatim(shown.caption or ""))


def _of_frame(shown: pd.DataFrame) -> tuple[pd.DataFrame, list[Column]]:
    """Return a frame with names of its own, and what its columns are."""
    titles = [*_index_titles(shown), *map(_title, shown.columns)]
    levels = [shown.index.get_level_values(nth) for nth in range(shown.index.nlevels)] if _has_index(shown) else []
    values = [pd.Series(level) for level in levels]
    values += [shown.iloc[:, nth].reset_index(drop=True) for nth in range(shown.shape[1])]
    plain, columns = {}, []
    for nth, (title, column) in enumerate(zip(titles, values, strict=True)):
        name = f"c{nth}"
        plain[name], role, digits = _told(column)
        columns.append(Column(name, Verbatim(title), Role.KEY if nth < len(levels) else role, digits=digits))
    return pd.DataFrame(plain), columns


def _told(column: pd.Series) -> tuple[pd.Series, Role, int | None]:
    """Return a column as it can be shown, what it holds, and with how many decimals."""
    numbers = column
    if column.dtype == object and all(_is_number(value) for value in column.dropna()) and column.notna().any():
        numbers = pd.to_numeric(column.map(lambda value: None if pd.isna(value) else float(value)))
    if pd.api.types.is_bool_dtype(numbers):
        return numbers.astype(object), Role.FLAG, None
    if pd.api.types.is_numeric_dtype(numbers) and not pd.api.types.is_complex_dtype(numbers):
        return numbers.astype(object).where(numbers.notna(), None), Role.PLAIN, _decimals(numbers)
    texts = column.astype(object).map(lambda value: None if _is_missing(value) else str(value))
    return texts.astype(object), Role.KEY, None


def _decimals(numbers: pd.Series) -> int:
    """Return the fewest decimals that show every number as it is, six at the most."""
    known = numbers.dropna()
    if not pd.api.types.is_float_dtype(known):
        return 0
    written = (f"{float(value):.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2] for value in known)
    return max((len(decimals) for decimals in written), default=0)


def _of_styler(styler: Any, *, name: str, title: str) -> Table:
    """Return what a Styler shows: its texts to look at, the numbers of its frame to sort by and for files."""
    shown: pd.DataFrame = styler.data
    told = styler._translate(sparse_index=False, sparse_cols=False)
    visible = [nth for nth in range(shown.shape[1]) if nth not in styler.hidden_columns]
    rows = [nth for nth in range(shown.shape[0]) if nth not in styler.hidden_rows]
    frame, columns = _of_frame(shown.iloc[rows, visible])
    if any(styler.hide_index_) and len(columns) > len(visible):
        columns = columns[len(columns) - len(visible) :]
    first = len(columns) - len(visible)
    for nth, texts in enumerate(zip(*_texts(told), strict=True)):
        column = columns[first + nth]
        if column.is_number:
            frame[f"told_{column.name}"] = pd.Series(texts, dtype=object)
            columns[first + nth] = Column(column.name, column.title, column.role, told=f"told_{column.name}")
    return Table(frame, columns, name=name, title=title)


def _texts(told: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what each row of a Styler's body shows in its cells of data."""
    for row in told["body"]:
        cells = [cell for cell in row if cell["type"] == "td" and "data" in cell["class"].split()]
        yield [str(cell["display_value"]) for cell in cells if cell["is_visible"]]


def _has_index(shown: pd.DataFrame) -> bool:
    return not isinstance(shown.index, pd.RangeIndex) or shown.index.name is not None


def _index_titles(shown: pd.DataFrame) -> list[str]:
    return ["" if name is None else str(name) for name in shown.index.names] if _has_index(shown) else []


def _title(name: Any) -> str:
    return " · ".join(map(str, filter(None, name))) if isinstance(name, tuple) else str(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and pd.isna(value))
