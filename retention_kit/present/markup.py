"""A table in HTML and in text: the one renderer of every page, notebook and terminal."""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from retention_kit.present.cells import is_hidden, shown, sort_key
from retention_kit.present.exports import csv_text
from retention_kit.present.formats import ABSENT
from retention_kit.present.languages import N_, _, worded
from retention_kit.table import NAMING, Column, Role, Table

MOST_ROWS = 60
"""Rows that are shown; the files hold all."""

_MANY_COLUMNS = 9  # from here on a table is set closer
_LONG = 60  # characters from which on a cell is a text to be read
_MOST_BESIDE_A_TEXT = 4  # columns a phone can show beside one another where one of them is a text
_SHORT = 16  # characters of a row's name that are kept on one line
_FEWEST_TO_SORT = 3  # rows

STYLE = Markup(
    "<style>.rk-scroll{overflow-x:auto}.rk-table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".rk-table caption{caption-side:top;text-align:start;font-weight:600;padding:.4em .5em;white-space:normal}"
    ".rk-table :is(th,td){padding:.25em .7em;text-align:start;vertical-align:top;background:none}"
    ".rk-table :is(.rk-num){text-align:end;white-space:nowrap}.rk-table thead th{border-bottom:1px solid;opacity:.75}"
    ".rk-table tbody th{font-weight:500}.rk-table tfoot td{font-size:.85em;opacity:.75;white-space:normal}"
    ".rk-file{font-size:.85em}.rk-hidden{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}"
    "</style>"
)
"""What a notebook needs to show a table well, light or dark; a page has a style sheet of its own."""


def styled(table: Table) -> str:
    """Return a table's HTML with a style of its own, as JupyterLab and VS Code show it."""
    return str(STYLE + html_of(table))


def html_of(table: Table) -> Markup:
    """Return a table's HTML: a region that scrolls, each number's cell with its value in `data-sort`.

    A number that stands in the report's data has its place there in `data-id`.
    """
    return _boxed(table, Markup(""))


def with_file(table: Table) -> Markup:
    """Return a table's HTML as a page holds it: with a link to its CSV, which the page holds too."""
    return _boxed(table, _file(table))


def _boxed(table: Table, file: Markup) -> Markup:
    body = _nothing(table) if not len(table) else _grid(table)
    region = Markup('<div class="rk-scroll" role="region" tabindex="0" aria-label="{}">{}</div>')
    return Markup('<div id="{}">{}{}</div>').format(_id(table.name), region.format(worded(table.title), body), file)


def text(table: Table) -> str:
    """Return a table as plain text: title, columns, notes."""
    import pandas as pd

    titles = [worded(column.title) for column in table.columns]
    rows = [[told for _column, told, *_ in cells] for cells in _rows(table)]
    notes = [worded(note) for note in (*table.notes, *_more(table))]
    if not rows:
        return "\n".join([worded(table.title), worded(table.nothing) or _(_NO_ROWS), *notes])
    grid = pd.DataFrame(rows).set_axis(titles, axis=1).to_string(index=False)
    return "\n".join([worded(table.title), grid, *notes])


_NO_ROWS = N_("Nothing to show")


def _grid(table: Table) -> Markup:
    rows = list(_rows(table))
    columns = table.columns
    texts = _columns_to_read(columns, rows)
    sortable = len(rows) >= _FEWEST_TO_SORT and columns[0].is_number | all(row[0][1] for row in rows)
    kinds = {"rk-table": True, "rk-sortable": sortable, "rk-wide": len(columns) >= _MANY_COLUMNS, "rk-stack": texts}
    head = Markup("").join(
        Markup('<th scope="col"{}{}>{}</th>').format(
            _class(_kind(column)), _role(texts, "columnheader"), worded(column.title)
        )
        for column in columns
    )
    body = Markup("\n").join(
        Markup("<tr{}>{}</tr>").format(_role(texts, "row"), _cells(table, row, texts=texts)) for row in rows
    )
    notes = [worded(note) for note in (*table.notes, *_more(table)) if note]
    foot = Markup("").join(
        Markup('<tr{}><td colspan="{}"{}><span class="rk-still">{}</span></td></tr>').format(
            _role(texts, "row"), len(columns), _role(texts, "cell"), note
        )
        for note in notes
    )
    return Markup("<table{}{}>\n{}<thead{}><tr{}{}>{}</tr></thead>\n<tbody{}>\n{}\n</tbody>{}</table>").format(
        _class(*(name for name, is_so in kinds.items() if is_so)),
        _role(texts, "table"),
        _caption(table),
        _role(texts, "rowgroup"),
        _role(texts, "row"),
        _class("rk-names" if texts else ""),
        head,
        _role(texts, "rowgroup"),
        body,
        Markup("<tfoot{}>{}</tfoot>").format(_role(texts, "rowgroup"), foot) if foot else "",
    )


def _nothing(table: Table) -> Markup:
    """Return a table without rows: its title, what is said in their place, and its notes."""
    told = [worded(table.nothing) or _(_NO_ROWS), *(worded(note) for note in table.notes)]
    rows = Markup("").join(Markup("<tr><td>{}</td></tr>").format(line) for line in told)
    return Markup('<table class="rk-table">\n{}<tbody>{}</tbody></table>').format(_caption(table), rows)


def _caption(table: Table) -> Markup:
    title = worded(table.title)
    return Markup('<caption><span class="rk-still">{}</span></caption>\n').format(title) if title else Markup("")


def _rows(table: Table) -> Iterator[list[tuple[Column, str, Any, Mapping[str, Any]]]]:
    """Yield each row that is shown: of each column what it says, its label in the frame, the row's values."""
    first = table.frame.head(MOST_ROWS)
    for at, row in zip(first.index, first.to_dict("records"), strict=True):
        yield [(column, shown(table, column, at, row), at, row) for column in table.columns]


def _more(table: Table) -> Sequence[str]:
    n = len(table) - MOST_ROWS
    # Translators: below a table of which only the first rows are shown
    return [_("{n} more rows are in the file of the table.").format(n=n)] if n > 0 else []


def _cells(table: Table, row: Sequence[tuple], *, texts: set[int]) -> Markup:
    return Markup("").join(_cell(table, nth, *cell, texts=texts) for nth, cell in enumerate(row))


def _cell(
    table: Table, nth: int, column: Column, told: str, at: Any, row: Mapping[str, Any], *, texts: set[int]
) -> Markup:
    is_name = nth == 0 and not column.is_number and bool(told)
    tag = "th" if is_name else "td"
    attributes = [("scope", "row")] if is_name else []
    kinds = [_kind(column)]
    if column.role is Role.PERIOD or (nth == 0 and len(told) <= _SHORT):
        kinds.append("rk-short")
    if texts:
        attributes += [("role", "rowheader" if is_name else "cell"), ("data-label", worded(column.title))]
        kinds += ["rk-long" if nth in texts else "", "rk-absent" if told in ("", ABSENT) else ""]
    hidden = bool(column.parts) and is_hidden(table, at, column.parts[0])
    key = None if hidden else sort_key(column, row)
    if key is not None:
        attributes.append(("data-sort", number(key)))
        if table.twin and column.is_number:
            attributes.append(("data-id", " ".join(f"{table.twin}.{at}.{part}" for part in column.parts)))
    written = Markup("").join(Markup(' {}="{}"').format(Markup(name), value) for name, value in attributes)
    return Markup("<{0}{1}{2}>{3}</{0}>").format(Markup(tag), written, _class(*kinds), told)


def number(value: float) -> str:
    """Return a number as it stands in a page's attributes and files: the shortest text that is this number."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return str(int(value))
    whole = float(value)
    return str(int(value)) if whole.is_integer() and abs(whole) < 2**63 else repr(whole)


def _kind(column: Column) -> str:
    return "rk-num" if column.is_number and column.role is not Role.FLAG else ""


def _columns_to_read(columns: Sequence[Column], rows: Sequence[Sequence[tuple]]) -> set[int]:
    """Return the columns of texts, if the table has more columns than a phone can show beside a text."""
    if len(columns) <= _MOST_BESIDE_A_TEXT:
        return set()
    words = (nth for nth, column in enumerate(columns) if column.role in NAMING)
    return {nth for nth in words if any(len(row[nth][1]) > _LONG for row in rows)}


def _class(*names: str) -> Markup:
    kept = " ".join(filter(None, names))
    return Markup(' class="{}"').format(kept) if kept else Markup("")


def _role(stacked: Collection[int], name: str) -> Markup:
    """Return the role of a part of a table that is no longer shown as one on a phone: who hears it is told."""
    return Markup(' role="{}"').format(name) if stacked else Markup("")


def _file(table: Table) -> Markup:
    """Return a paragraph that links to the table's CSV, held in the page itself."""
    if not len(table) or len(table.columns) < 2:
        return Markup("")
    # without the mark Excel takes it for Latin-1
    encoded = base64.b64encode(csv_text(table).encode("utf-8-sig")).decode()
    return Markup(
        '\n<p class="rk-file"><a href="data:text/csv;charset=utf-8;base64,{}" download="{}.csv">CSV'
        '<span class="rk-hidden">: {}</span></a></p>'
    ).format(encoded, _id(table.name), worded(table.title))


def _id(name: str) -> str:
    """Return a table's name as an id: letters, digits and hyphens alone."""
    return re.sub(r"[^a-z0-9]+", "-", str(escape(name)).casefold()).strip("-") or "table"
