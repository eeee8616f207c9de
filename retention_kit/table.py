"""A table knows itself: its numbers, and of each column what it is, so that every form is made of the numbers.

HTML, text, CSV, Excel, JSON and a picture are made at the edge, once, in the reader's language; nothing is parsed back.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from retention_kit.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCHEMA_VERSION = 1
"""Raised when a key of a table's JSON changes its meaning."""


class Role(StrEnum):
    """What a column holds, and so how it is written, sorted, summed and protected."""

    KEY = "key"  # names a row; the data's own text
    PERIOD = "period"  # names a row: 2025-Q4
    MARKET = "market"  # names a row: a market's name
    WORDS = "words"  # the kit's own words, translated
    COUNT = "count"  # whole numbers
    N = "n"  # the persons that a share or mean is of
    SHARE = "share"  # in [0, 1], written as percent
    RATIO = "ratio"  # written as percent, may pass 1
    POINTS = "points"  # a difference of shares, written in percentage points with its sign
    CHANGE = "change"  # a relative difference, written as percent with its sign
    MONEY = "money"  # units of `currency`
    NUMBER = "number"
    P = "p"  # of a test
    DAYS = "days"
    HOURS = "hours"
    FLAG = "flag"  # yes or no
    QUANTITY = "quantity"  # each row has a unit of its own
    PLAIN = "plain"  # a number of somebody's own frame: written without thousands


NAMING = (Role.KEY, Role.PERIOD, Role.MARKET, Role.WORDS)
"""Roles of columns that name rows, or say something of them: everything else is a number."""


@dataclass(frozen=True)
class Column:
    """What a reader sees as one column, and of which columns of the frame it is made.

    Attributes
    ----------
    name : the frame's column; empty for a column that is an interval alone.
    title : what stands above it, a message.
    role : what it holds.
    lower, upper : the frame's columns with the ends of its interval, written after the value, or alone.
    currency : of money.
    digits : decimals; as its role has them where not given.
    unit : what one of it is, in words; of a `quantity` the frame's column with each row's unit.
    told : the frame's column with what is shown in place of its number, as its author wrote it.
    """

    name: str
    title: str
    role: Role
    lower: str = ""
    upper: str = ""
    currency: str = ""
    digits: int | None = None
    unit: str = ""
    told: str = ""

    @property
    def is_number(self) -> bool:
        """Tell whether it holds numbers."""
        return self.role not in NAMING

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the frame's columns that it is made of, the value first."""
        return tuple(part for part in (self.name, self.lower, self.upper) if part)


def interval(title: str, role: Role, *, of: str = "", **facts: Any) -> Column:
    """Return a column of intervals: of the frame's `<of>_lower` and `<of>_upper`, or `lower` and `upper`."""
    stem = f"{of}_" if of else ""
    return Column("", title, role, lower=f"{stem}lower", upper=f"{stem}upper", **facts)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of numbers, and what each column of them is.

    Attributes
    ----------
    frame : (n_rows, n_columns) numbers and names; NaN where a number is absent or hidden.
    columns : what a reader sees, in order; other columns of the frame are in its files alone.
    name : its id in files and pages.
    title : one line above it, a message.
    definition : what its number means, one sentence.
    notes : sentences below it.
    source : the counts table it was made of.
    window, as_of : of when it is; half open, `as_of` is the first day not observed.
    hidden : (n_rows, n_columns) of the frame's cells that protect small groups; None where nothing is hidden.
    nothing : what is said in place of rows where there are none.
    twin : where its rows stand in the report's data, such as `tables.orders`; empty where they do not.
    drawn : what draws it, on given axes or its own; None where it has no picture.
    """

    frame: "pd.DataFrame"
    columns: Sequence[Column]
    name: str
    title: str
    definition: str = ""
    notes: Sequence[str] = ()
    source: str = ""
    window: str = ""
    as_of: str = ""
    hidden: "pd.DataFrame | None" = field(default=None, repr=False)
    nothing: str = ""
    twin: str = ""
    drawn: "Callable[..., Figure] | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse columns that the frame has not.

        Raises
        ------
        UsageError : with the columns that it has.
        """
        lacking = [part for column in self.columns for part in column.parts if part not in self.frame]
        if lacking and len(self.frame):
            raise UsageError(
                f"The table '{self.name}' has no column '{lacking[0]}'.",
                found=", ".join(map(str, self.frame.columns)),
            )

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.frame)

    @property
    def html(self) -> str:
        """Return it as a page holds it, in the current language, with a link to its CSV."""
        from retention_kit.present.markup import with_file

        return str(with_file(self))

    @property
    def text(self) -> str:
        """Return it as plain text, in the current language."""
        from retention_kit.present.markup import text

        return text(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return the numbers as a pandas DataFrame of one's own, shares in [0, 1]; NaN where absent or hidden."""
        return self.frame.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values by the published schema, `retention_kit/schemas/table.json`."""
        from retention_kit.present.exports import as_dict

        return as_dict(self)

    def to_json(self, path: str | Path | None = None) -> str | None:
        """Return the table as JSON, or write it to a file."""
        from retention_kit.present.exports import json_text

        return _text_or_file(json_text(self), path)

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """Return the table as CSV, or write it to a file: numbers as they are, titles in the current language."""
        from retention_kit.present.exports import csv_text

        return _text_or_file(csv_text(self), path)

    def to_parquet(self, path: str | Path) -> None:
        """Write the frame as Parquet, what it is of in the file's metadata."""
        from retention_kit.present.exports import parquet_bytes

        Path(path).write_bytes(parquet_bytes(self))

    def to_excel(self, path: str | Path) -> None:
        """Write a workbook: the table, and a sheet that says what it is.

        Raises
        ------
        UsageError : the package `xlsxwriter` is not installed.
        """
        from retention_kit.present.exports import workbook_bytes

        Path(path).write_bytes(workbook_bytes([self]))

    def plot(self, *, ax: "Axes | None" = None) -> "Figure":
        """Return the table's picture, on the axes given or its own.

        Raises
        ------
        UsageError : it has none.
        """
        if self.drawn is None:
            raise UsageError(
                f"The table '{self.name}' has no picture of its own.",
                to_try="to_frame(), and seaborn or matplotlib as you like",
            )
        return self.drawn(ax=ax)

    def head(self, n: int = 5) -> Self:
        """Return the table with its first rows alone."""
        return self._of_rows(self.frame.head(n))

    def tail(self, n: int = 5) -> Self:
        """Return the table with its last rows alone."""
        return self._of_rows(self.frame.tail(n))

    def _of_rows(self, frame: "pd.DataFrame") -> Self:
        return replace(self, frame=frame, hidden=None if self.hidden is None else self.hidden.loc[frame.index])

    def _repr_html_(self) -> str:
        from retention_kit.present.markup import styled

        return styled(self)

    def __repr__(self) -> str:
        return self.text


_RAW = "raw_counts"
_FACTS = "facts_of_counts"


def as_raw(frame: "pd.DataFrame", name: str, **facts: Any) -> "pd.DataFrame":
    """Mark a counts table as raw: nothing in it protects small groups, so a page refuses it.

    Parameters
    ----------
    facts : what a metric made of it should know: `market`, `as_of`, `currency`, `min_cell`.
    """
    frame.attrs.update({_RAW: name, _FACTS: facts})
    return frame


def raw_name(shown: Any) -> str:
    """Return of which counts table a frame, a Series or a Styler shows raw rows; empty for any other."""
    return getattr(getattr(shown, "data", shown), "attrs", {}).get(_RAW, "")


def facts_of(frame: Any) -> dict[str, Any]:
    """Return what is known of the counts that a frame was made of."""
    return dict(getattr(frame, "attrs", {}).get(_FACTS, {}))


def words(texts: Iterable[str], *, index: Any = None) -> "pd.Series":
    """Return texts as a column in which messages stay messages: pandas would make plain text of them."""
    import pandas as pd

    return pd.Series(list(texts), dtype=object, index=index)


def hidden_rows(frame: "pd.DataFrame", rows: "pd.Series", *, keys: Iterable[str]) -> "pd.DataFrame":
    """Return the hidden cells of a frame of which whole rows are hidden but for their names."""
    import pandas as pd

    kept = set(keys)
    return pd.DataFrame({column: rows.astype(bool) & (column not in kept) for column in frame}, index=frame.index)


def _text_or_file(text: str, path: str | Path | None) -> str | None:
    if path is None:
        return text
    Path(path).write_text(text, encoding="utf-8-sig" if str(path).endswith(".csv") else "utf-8", newline="")
    return None
