"""A notebook that ran becomes a page: no code, no script, no request, safe to send and to keep."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from traitlets.config import Config

from retention_kit.errors import UsageError
from retention_kit.run.figures import safe_svg

TEMPLATE = Path(__file__).parent / "template"

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may do for a page: show it, and nothing else."""

WORDS = {
    "skip": "Skip to the content",
    "contents": "Contents",
    "all_markets": "All markets",
    "data": "Data:",
}

_LABELS = {
    "data": "Data",
    "as_of": "As of",
    "kit_version": "retention-kit",
    "notebook": "Notebook",
    "sha256": "Its SHA-256",
}

_ACTIVE = [
    "script",
    "style",
    "iframe",
    "frame",
    "object",
    "embed",
    "link",
    "meta",
    "base",
    "noscript",
    "template",
]
_ACTIVE += ["form", "input", "button", "audio", "video", "source"]
_NUMBER = re.compile(r"[−+-]?[^\w\s]{0,2}\s?\d[\d\s.,'’]*\s?(?:[%‰×]|[A-Z]{3}|[^\w\s])?(?:\s?[–-]\s?\d[\d\s.,]*\s?%?)?")
_SHORT = 16  # characters of a row's name that are kept on one line
_MANY_COLUMNS = 9  # from the tenth on, a table is set closer
_LONG = 60  # characters from which on a cell is a text to be read
_MOST_BESIDE_A_TEXT = 4  # columns a phone can show beside one another where one of them is a text
_NAME_SHOWN, _NAME_TOLD = 60, 200  # characters of a name in a page, and in a title
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # what turns the rest of a line round
_PERIOD = re.compile(r"\d{4}-[\dQW-]+(?:(?:, | to | – )\d{4}-[\dQW-]+)?")
_ABSENT = {"", "–", "-", "—", "NaN", "<NA>", "None"}


@dataclass(frozen=True)
class Heading:
    """A section of the page, as the contents list it."""

    id: str
    text: str


def page(
    node: NotebookNode,
    *,
    market: str,
    name: str,
    language: str,
    footer: Sequence[tuple[str, str]],
    data: str = "",
) -> str:
    """Return the page of a notebook that ran, its title taken from the notebook's first heading.

    Parameters
    ----------
    node : the notebook with its outputs. Its HTML is made safe, not trusted; market and name are text.
    language : BCP 47, such as `da-DK`; written into the page after a check.
    footer : label and value of what the page was made of.
    data : name of the data, for the page's head.
    """
    node, figures = _figures_apart(node)
    soup = BeautifulSoup(_fragment(node), "html.parser")
    _make_safe(soup)
    title = _title(soup, otherwise=as_title(name))
    contents = _contents(soup)
    for table in soup.find_all("table"):
        _dress(table, soup)
    fragment = str(soup)
    for mark, svg in figures.items():
        fragment = fragment.replace(mark, svg)
    return rendered(
        "page.html.j2",
        language=language,
        words=WORDS,
        market=market,
        name=name,
        title=title,
        contents=contents,
        fragment=Markup(fragment),
        footer=footer,
        data=data,
    )


def prepared() -> None:
    """Make a page of nothing, so that the templates are read and compiled before the first page that matters."""
    page(new_notebook(), market="", name="", language="en", footer=[])


def provenance(made_of: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value of what a page was made of, for its footer."""
    shown = {**made_of, "sha256": str(made_of.get("sha256", ""))[:12]}
    return [(label, str(shown[key])) for key, label in _LABELS.items() if shown.get(key)]


def rendered(template: str, *, language: str, **values: Any) -> str:
    """Return a page of a template in `template/`; every value is escaped unless it is Markup."""
    locale = locale_of(language)
    return (
        _environment()
        .get_template(template)
        .render(
            language=str(locale).replace("_", "-"),
            direction="rtl" if locale.character_order == "right-to-left" else "ltr",
            policy=POLICY,
            style=Markup(_style()),
            **values,
        )
    )


def locale_of(language: str) -> Locale:
    """Return the locale of a BCP 47 language, such as `da-DK` or `zh-Hans-CN`.

    Raises
    ------
    UsageError : no such language.
    """
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, TypeError, UnknownLocaleError) as why:
        raise UsageError(
            f"'{language}' is not a language.", to_try="one such as 'en', 'nl-NL' or 'zh-Hans-CN'"
        ) from why


def shortened(text: str, most: int = _NAME_SHOWN) -> str:
    """Return a text of at most so many characters, the last one an ellipsis where it was longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def as_title(text: str) -> str:
    """Return a name as it stands where no markup can hold it: short, and not turning what follows it."""
    return shortened(text.translate(_TURNS), _NAME_TOLD)


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATE), autoescape=True, undefined=StrictUndefined)
    environment.filters.update(shortened=shortened, as_title=as_title)
    return environment


@cache
def _style() -> str:
    """Return the style sheet, without what only its authors need."""
    css = (TEMPLATE / "style.css").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)).strip()


@cache
def _exporter() -> HTMLExporter:
    return HTMLExporter(
        extra_template_basedirs=[str(TEMPLATE)],
        template_name="report",
        exclude_anchor_links=True,
        config=Config(
            {
                "TagRemovePreprocessor": {
                    "enabled": True,
                    "remove_cell_tags": {"remove-cell"},
                    "remove_all_outputs_tags": {"remove-output"},
                }
            }
        ),
    )


def _fragment(node: NotebookNode) -> str:
    return _exporter().from_notebook_node(node)[0]


def _figures_apart(node: NotebookNode) -> tuple[NotebookNode, dict[str, str]]:
    """Return the notebook with a mark in place of each SVG, and the figures by mark.

    An HTML parser would rewrite their names (`viewBox`), and be slow about it.
    """
    node, figures = deepcopy(node), {}
    for cell in node.cells:
        for output in cell.get("outputs", []):
            svg = output.get("data", {}).get("image/svg+xml")
            if svg is not None:
                mark = f"rk-figure-mark-{len(figures) + 1}-"
                figures[mark] = safe_svg("".join(svg), prefix=f"f{len(figures) + 1}-")
                output["data"]["image/svg+xml"] = mark
    return node, figures


def _make_safe(soup: BeautifulSoup) -> None:
    """Remove all that would act or ask for something: scripts, frames, styles, handlers, addresses."""
    for tag in soup.find_all(_ACTIVE):
        tag.decompose()
    for tag in soup.find_all(True):
        for key, value in list(tag.attrs.items()):
            if not _harmless(tag.name, key, " ".join(value) if isinstance(value, list) else str(value)):
                del tag[key]
        if tag.name == "img" and not tag.has_attr("src"):
            tag.replace_with(tag.get("alt") or "")


def _harmless(tag: str, key: str, value: str) -> bool:
    key, value = key.casefold(), value.strip().casefold()
    if key.startswith("on") or key in {"srcset", "srcdoc", "action", "formaction", "ping", "background"}:
        return False
    if key in {"src", "data", "poster"}:
        return value.startswith("data:image/")
    if key in {"href", "xlink:href"}:
        if tag != "a":
            return value.startswith(("#", "data:image/"))
        return value.startswith(("#", "http://", "https://", "mailto:", "data:text/csv")) or ":" not in value
    return not (key == "style" and re.search(r"url\s*\(|expression|@import|position\s*:", value))


def _title(soup: BeautifulSoup, *, otherwise: str) -> str:
    """Return the text of the first heading, which moves out of the text into the page's top."""
    heading = soup.find("h1")
    if heading is None:
        return otherwise
    text = heading.get_text(" ", strip=True)
    around = heading.parent
    heading.decompose()
    if around.name == "div" and not around.get_text(strip=True) and not around.find(True):
        around.decompose()
    return text or otherwise


def _contents(soup: BeautifulSoup) -> list[Heading]:
    """Return the sections, each heading given an id of its own to be linked to."""
    taken = {"content", "contents-title", *(tag["id"] for tag in soup.find_all(id=True))}
    contents = []
    for heading in soup.find_all("h2"):
        text = heading.get_text(" ", strip=True)
        if not heading.get("id"):
            heading["id"] = _id(text, taken)
        taken.add(heading["id"])
        contents.append(Heading(heading["id"], text))
    return contents if len(contents) > 1 else []


def _id(text: str, taken: set[str]) -> str:
    slug = re.sub(r"[^\w]+", "-", text.casefold()).strip("-") or "section"
    return next(name for n in count(1) if (name := slug if n == 1 else f"{slug}-{n}") not in taken)


def _dress(table: Tag, soup: BeautifulSoup) -> None:
    """Give a table its own scrolling region, and its numbers the right-hand side."""
    for name in ("border", "style", "width", "cellpadding", "cellspacing", "bgcolor"):
        del table[name]
    _merge_index_names(table)
    rows = [_cells(row) for row in table.find_all("tr") if row.find_parent("table") is table]
    body = [cells for cells in rows if any(cell.name == "td" for cell, _ in cells)]
    numeric = _numeric_columns(body)
    for cells in rows:
        for cell, column in cells:
            if column in numeric and not cell.get("colspan") and "rk-num" not in cell.get("class", []):
                cell["class"] = [*cell.get("class", []), "rk-num"]
    for cells in body:
        for cell, column in cells:
            if _stays_on_a_line(cell.get_text(" ", strip=True), first=column == 0):
                cell["class"] = [*cell.get("class", []), "rk-short"]
    if max((column for cells in rows for _, column in cells), default=0) >= _MANY_COLUMNS:
        table["class"] = [*table.get("class", []), "rk-wide"]
    texts = _columns_to_read(body)
    if texts:
        _prepare_stacking(table, rows, body, texts=texts)
    for named in table.select("caption, .gt_title, .gt_subtitle"):
        if named.contents:
            named.contents[0].wrap(soup.new_tag("span", attrs={"class": "rk-still"}))
    for cell in table.select("thead th"):
        cell["scope"] = cell.get("scope", "col")
    region = soup.new_tag(
        "div", attrs={"class": "rk-scroll", "role": "region", "tabindex": "0", "aria-label": _label(table)}
    )
    table.wrap(region)


def _columns_to_read(body: list[list[tuple[Tag, int]]]) -> set[int]:
    """Return the columns of texts, if the table has more columns than a phone can show beside a text."""
    if max((len(cells) for cells in body), default=0) <= _MOST_BESIDE_A_TEXT:
        return set()
    cells = (found for row in body for found in row)
    return {column for cell, column in cells if not cell.get("colspan") and len(cell.get_text(" ", strip=True)) > _LONG}


def _prepare_stacking(
    table: Tag, rows: list[list[tuple[Tag, int]]], body: list[list[tuple[Tag, int]]], *, texts: set[int]
) -> None:
    """Let each row become a card on a narrow screen: every cell is told its column's name.

    A table that is no longer shown as one keeps its roles for those who hear it.
    """
    head = next((cells for cells in reversed(rows) if cells not in body), [])
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
                kinds = [("rk-long", column in texts), ("rk-absent", text in _ABSENT)]
                cell["class"] = [*cell.get("class", []), *(kind for kind, is_so in kinds if is_so)]


def _stays_on_a_line(text: str, *, first: bool) -> bool:
    """Tell whether a cell is a short name of a row, or a date or period that would break at its hyphens."""
    return (first and len(text) <= _SHORT) or bool(_PERIOD.fullmatch(text))


def _merge_index_names(table: Tag) -> None:
    """Lift the names of a frame's index, which pandas puts into a row of their own, into the row above."""
    head = table.find("thead")
    rows = head.find_all("tr", recursive=False) if head else []
    if len(rows) != 2:
        return
    above, below = (row.find_all("th", recursive=False) for row in rows)
    pairs = list(zip(above, below, strict=False))
    spanned = any(cell.get("colspan") or cell.get("rowspan") for cell in [*above, *below])
    if len(above) != len(below) or spanned or any(a.get_text(strip=True) and b.get_text(strip=True) for a, b in pairs):
        return
    for upper, lower in pairs:
        if lower.get_text(strip=True):
            upper.string = lower.get_text(" ", strip=True)
    rows[1].decompose()


def _cells(row: Tag) -> list[tuple[Tag, int]]:
    """Return a row's cells, each with its column's number."""
    cells, column = [], 0
    for cell in row.find_all(["th", "td"], recursive=False):
        cells.append((cell, column))
        span = str(cell.get("colspan", "1"))
        column += int(span) if span.isdigit() else 1
    return cells


def _numeric_columns(body: list[list[tuple[Tag, int]]]) -> set[int]:
    """Return the columns whose every cell is a number or absent, and one at least a number."""
    numeric: dict[int, bool] = {}
    for cells in body:
        for cell, column in cells:
            text = cell.get_text(" ", strip=True)
            if text not in _ABSENT:
                is_number = cell.name == "td" and bool(_NUMBER.fullmatch(text))
                numeric[column] = numeric.get(column, True) and is_number
    return {column for column, is_number in numeric.items() if is_number}


def _label(table: Tag) -> str:
    """Return what a table is about: its caption, else the heading above it."""
    named = table.find("caption") or table.find(class_="gt_title") or table.find_previous(["h2", "h3", "h4"])
    return (named.get_text(" ", strip=True) if named else "") or "Table"
