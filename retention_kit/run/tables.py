"""Tables of a page: at home on every screen, ready to be sorted by a reader and to be taken into a spreadsheet."""

import base64
import csv
import io
import re
from collections.abc import Sequence
from itertools import chain, count
from typing import TypeAlias

from babel import Locale
from bs4 import BeautifulSoup, Tag

from retention_kit.run.cells import ABSENT, Reading, Said, reading, spreadsheet_safe

_Row: TypeAlias = list[tuple[Tag, int]]
"""A row's cells, each with its column's number."""

_NUMBER = re.compile(r"[−+-]?[^\w\s]{0,2}\s?\d[\d\s.,'’]*\s?(?:[%‰×]|[A-Z]{3}|[^\w\s])?(?:\s?[–-]\s?\d[\d\s.,]*\s?%?)?")
_SHORT = 16  # characters of a row's name that are kept on one line
_MANY_COLUMNS = 8  # from the ninth on, a table is set closer
_LONG = 60  # characters from which on a cell is a text to be read
_MOST_BESIDE_A_TEXT = 4  # columns a phone can show beside one another where one of them is a text
_FEWEST_TO_SORT = 3  # rows
_PERIOD = re.compile(r"\d{4}-[\dQW-]+(?:(?:, | to | – )\d{4}-[\dQW-]+)?")


def dress(table: Tag, soup: BeautifulSoup, *, locale: Locale, file_stem: str, taken: set[str]) -> None:
    """Give a table its own scrolling region, its numbers the right-hand side, and below it a file of it.

    Parameters
    ----------
    table : in the page's soup; changed in place.
    soup : the page.
    locale : how the table's numbers are written.
    file_stem : how the name of its file begins; the table's own id follows.
    taken : what the page's other tables are called; this one's name is added.
    """
    for name in ("border", "style", "width", "cellpadding", "cellspacing", "bgcolor"):
        del table[name]
    _merge_index_names(table)
    rows = [_cells(row) for row in table.find_all("tr") if row.find_parent("table") is table]
    body = [cells for cells in rows if any(cell.name == "td" for cell, _ in cells)]
    numeric = _numeric_columns(body)
    for cells in rows:
        for cell, column in cells:
            if column in numeric and not cell.get("colspan") and "rk-num" not in cell.get("class", []):
                _add_class(cell, "rk-num")
    for cells in body:
        for cell, column in cells:
            del cell["headers"]  # the titles' scope says it, in fewer words
            if _stays_on_a_line(cell.get_text(" ", strip=True), first=column == 0):
                _add_class(cell, "rk-short")
    if max((column for cells in rows for _, column in cells), default=0) >= _MANY_COLUMNS:
        _add_class(table, "rk-wide")
    head = next((cells for cells in reversed(rows) if cells not in body), [])
    texts = _columns_to_read(body)
    if texts:
        _prepare_stacking(table, head, body, texts=texts)
    for named in [*table.find_all("caption"), *table.find_all(class_=["gt_title", "gt_subtitle"])]:
        if named.contents:
            named.contents[0].wrap(soup.new_tag("span", attrs={"class": "rk-still"}))
    titles = [cell.get_text(" ", strip=True) for cell, _ in head]
    _name_columns(head, titles, soup)
    label = _label(table, taken)
    region = soup.new_tag("div", attrs={"class": "rk-scroll", "role": "region", "tabindex": "0", "aria-label": label})
    table.wrap(region)
    data = [cells for cells in body if cells[0][0].find_parent(["thead", "tfoot"]) is None]
    if _is_a_grid(data, width=len(titles)):
        read = reading(locale)
        by_column = zip(*data, strict=True)
        columns = [[read.said(cell.get_text(" ", strip=True)) for cell, _ in column] for column in by_column]
        _prepare_sorting(table, data, columns, read=read)
        content, name = _csv(titles, columns, read=read), f"{file_stem}{_file_name(table)}.csv"
        region.insert_after(_file_link(content, name, label=label, soup=soup))


def _name_columns(head: _Row, titles: Sequence[str], soup: BeautifulSoup) -> None:
    """Say of each title that it names a column; one without a word names none, and a row of such goes.

    A name_of_several_words may be broken after each of them.
    """
    for (cell, _), title in zip(head, titles, strict=True):
        if title:
            cell["scope"] = cell.get("scope", "col")
        else:
            cell.name = "td"
        if "_" in title and cell.string:
            words = cell.string.extract().split("_")
            cell.extend(chain.from_iterable((f"{word}_", soup.new_tag("wbr")) for word in words[:-1]))
            cell.append(words[-1])
    if head and not any(titles):
        head[0][0].parent.decompose()


def _is_a_grid(data: Sequence[_Row], *, width: int) -> bool:
    """Tell whether every row has one cell for each title, and there are two columns at least."""
    return bool(data) and width > 1 and all([n for _, n in cells] == list(range(width)) for cells in data)


def _prepare_sorting(table: Tag, data: Sequence[_Row], columns: Sequence[Sequence[Said]], *, read: Reading) -> None:
    """Let a table be sorted, each cell of a column of numbers told by which; not one whose rows go together."""
    if len(data) < _FEWEST_TO_SORT or any(cell.is_absent for cell in columns[0]):
        return
    _add_class(table, "rk-sortable")
    for number, column in enumerate(columns):
        for cells, key in zip(data, read.order(column) or (), strict=False):
            if key is not None:
                cells[number][0]["data-sort"] = f"{key:f}"


def _csv(titles: Sequence[str], columns: Sequence[Sequence[Said]], *, read: Reading) -> str:
    """Return a table as CSV: a percentage as a share, an interval as two columns, a period as its label."""
    named: list[tuple[str, list[str]]] = []
    for title, column in zip(titles, columns, strict=True):
        ends, labels = read.ends(column), read.periods(column)
        if labels is not None:
            named.append((title, [label or "" for label in labels]))
        elif ends is None:
            named.append((title, [_plain(cell, read=read) for cell in column]))
        else:
            named += [
                (f"{title} {sign}", ["" if pair is None else f"{pair[at]:f}" for pair in ends])
                for at, sign in enumerate("≥≤")
            ]
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow([spreadsheet_safe(title) for title, _ in named])
    lines.writerows(zip(*(values for _, values in named), strict=True))
    return file.getvalue()


def _plain(cell: Said, *, read: Reading) -> str:
    number = read.alone(cell)
    return f"{number:f}" if number is not None else "" if cell.is_absent else spreadsheet_safe(cell.text)


def _file_name(table: Tag) -> str:
    """Return the table's own id as part of a file's name: letters, digits and hyphens alone."""
    named = table.find_parent(id=True)
    return re.sub(r"[^a-z0-9]+", "-", (named["id"] if named else "table").casefold()).strip("-")


def _file_link(content: str, name: str, *, label: str, soup: BeautifulSoup) -> Tag:
    """Return a paragraph that links to a file held in the page itself."""
    encoded = base64.b64encode(content.encode("utf-8-sig")).decode()  # without the mark Excel takes it for Latin-1
    link = soup.new_tag("a", href=f"data:text/csv;charset=utf-8;base64,{encoded}", download=name)
    link.string = "CSV"
    told = soup.new_tag("span", attrs={"class": "rk-hidden"})
    told.string = f": {label}"
    link.append(told)
    paragraph = soup.new_tag("p", attrs={"class": "rk-file"})
    paragraph.append(link)
    return paragraph


def _add_class(tag: Tag, name: str) -> None:
    tag["class"] = [*tag.get("class", []), name]


def _columns_to_read(body: Sequence[_Row]) -> set[int]:
    """Return the columns of texts, if the table has more columns than a phone can show beside a text."""
    if max((len(cells) for cells in body), default=0) <= _MOST_BESIDE_A_TEXT:
        return set()
    cells = (found for row in body for found in row)
    return {column for cell, column in cells if not cell.get("colspan") and len(cell.get_text(" ", strip=True)) > _LONG}


def _prepare_stacking(table: Tag, head: _Row, body: Sequence[_Row], *, texts: set[int]) -> None:
    """Let each row become a card on a narrow screen: every cell is told its column's name.

    A table that is no longer shown as one keeps its roles for those who hear it.
    """
    names = {column: cell.get_text(" ", strip=True) for cell, column in head}
    table["class"] = [*table.get("class", []), "rk-stack"]
    table["role"] = "table"
    for part in table.find_all(["thead", "tbody", "tfoot", "tr"]):
        part["role"] = "row" if part.name == "tr" else "rowgroup"
    for cell, _ in head:
        cell["role"] = "columnheader"
    if head:
        head[0][0].parent["class"] = [*head[0][0].parent.get("class", []), "rk-names"]
    for cells in body:
        for cell, column in cells:
            text = cell.get_text(" ", strip=True)
            cell["role"] = "rowheader" if cell.name == "th" else "cell"
            if not cell.get("colspan"):
                cell["data-label"] = names.get(column, "")
                kinds = [("rk-long", column in texts), ("rk-absent", text in ABSENT)]
                cell["class"] = [*cell.get("class", []), *(kind for kind, is_so in kinds if is_so)]


def _stays_on_a_line(text: str, *, first: bool) -> bool:
    """Tell whether a cell is a short name of a row, or a date or period that would break at its hyphens."""
    return (first and len(text) <= _SHORT) or bool(_PERIOD.fullmatch(text))


def _merge_index_names(table: Tag) -> None:
    """Lift the names of a frame's index, which pandas puts into a row of their own, into the row above.

    The name of all columns together, which may stand there, gives way.
    """
    head = table.find("thead")
    rows = head.find_all("tr", recursive=False) if head else []
    if len(rows) != 2:
        return
    above, below = (row.find_all("th", recursive=False) for row in rows)
    pairs = list(zip(above, below, strict=False))
    spanned = any(cell.get("colspan") or cell.get("rowspan") for cell in [*above, *below])
    if (
        len(above) != len(below)
        or spanned
        or any(a.get_text(strip=True) and b.get_text(strip=True) for a, b in pairs[1:])
    ):
        return
    for upper, lower in pairs:
        if lower.get_text(strip=True):
            upper.string = lower.get_text(" ", strip=True)
    rows[1].decompose()


def _cells(row: Tag) -> _Row:
    """Return a row's cells, each with its column's number."""
    cells, column = [], 0
    for cell in row.find_all(["th", "td"], recursive=False):
        cells.append((cell, column))
        span = str(cell.get("colspan", "1"))
        column += int(span) if span.isdigit() else 1
    return cells


def _numeric_columns(body: Sequence[_Row]) -> set[int]:
    """Return the columns whose every cell is a number or absent, and one at least a number."""
    numeric: dict[int, bool] = {}
    for cells in body:
        for cell, column in cells:
            text = cell.get_text(" ", strip=True)
            if text not in ABSENT:
                is_number = cell.name == "td" and bool(_NUMBER.fullmatch(text))
                numeric[column] = numeric.get(column, True) and is_number
    return {column for column, is_number in numeric.items() if is_number}


def _label(table: Tag, taken: set[str]) -> str:
    """Return what a table is about: its caption, else the heading above it; with a number where that is taken."""
    named = table.find("caption") or table.find(class_="gt_title") or table.find_previous(["h2", "h3", "h4"])
    text = (named.get_text(" ", strip=True) if named else "") or "Table"
    label = next(name for n in count(1) if (name := text if n == 1 else f"{text} ({n})") not in taken)
    taken.add(label)
    return label
