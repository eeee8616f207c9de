"""A notebook that ran becomes a page: no code, no script but one of ours, no request, safe to send and to keep."""

import base64
import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from traitlets.config import Config

from retention_kit.errors import KitError
from retention_kit.present.formats import decimal
from retention_kit.present.languages import N_, _, language_of, locale_of, place, speaking
from retention_kit.present.prose import translated
from retention_kit.run.display import REFUSED
from retention_kit.run.figures import safe_svg

TEMPLATE = Path(__file__).parent / "template"

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src"
"""What a browser may do for a page: show it, and run the one script whose hash follows."""

WORDS = {
    "skip": N_("Skip to the content"),
    "contents": N_("Contents"),
    "all_markets": N_("All markets"),
    "data": N_("Data:"),
    "made_of": N_("How this page was made"),
}

_LABELS = {
    "data": N_("Data"),
    "as_of": N_("As of"),
    "kit_version": N_("retention-kit"),
    "notebook": N_("Notebook"),
    "sha256": N_("Its SHA-256"),
}
_DETAILS = {
    "parameters": N_("Parameters"),
    "data_fingerprint": N_("Fingerprint of the data"),
    "versions": N_("Versions"),
    "seconds": N_("Made in"),
}
_VERSIONS = ("pandas", "duckdb", "numpy", "scipy", "matplotlib")

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
_NAME_SHOWN, _NAME_TOLD = 60, 200  # characters of a name in a page, and in a title
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])  # what turns the rest of a line round


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
    details: Sequence[tuple[str, str]] = (),
    data: str = "",
    others: Mapping[str, str] | None = None,
) -> str:
    """Return the page of a notebook that ran, its prose and title in the page's language.

    The title is the notebook's first heading.

    Parameters
    ----------
    node : the notebook with its outputs. Its HTML is made safe, not trusted; market and name are text.
    language : BCP 47, such as `da-DK`; written into the page after a check.
    footer : label and value of what the page was made of.
    details : the same, folded.
    data : name of the data, for the page's head.
    others : names of the market's pages in other languages, by language.
    """
    with speaking(language):
        told = {"footer": _worded(footer), "details": _worded(details), "data": data}
        told["others"] = linked_pages(others or {})
        return _page(node, market=market, name=place(name), language=language, told=told)


def linked_pages(pages: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the pages of a market in several languages: each's code, its file, and its name in itself."""
    spoken = {code: language_of(code) for code in pages}
    return [{"code": spoken[code].code, "name": spoken[code].name, "file": file} for code, file in pages.items()]


def _worded(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(_(label), value) for label, value in facts]


def _page(node: NotebookNode, *, market: str, name: str, language: str, told: Mapping[str, Any]) -> str:
    node, figures = _figures_apart(node)
    soup = BeautifulSoup(_fragment(node), "html.parser")
    _make_safe(soup)
    title = _title(soup, otherwise=as_title(name))
    lead = _lead(soup)
    contents = _contents(soup)
    _settle_tables(soup, market=market)
    fragment = str(soup)
    for mark, svg in figures.items():
        fragment = fragment.replace(mark, svg)
    return rendered(
        "page.html.j2",
        language=language,
        words={key: _(text) for key, text in WORDS.items()},
        market=market,
        name=name,
        title=title,
        lead=lead,
        contents=contents,
        fragment=Markup(fragment),
        **told,
    )


def prepared() -> None:
    """Make a page of nothing, so that the templates are read and compiled before the first page that matters."""
    page(new_notebook(), market="", name="", language="en", footer=[])


def provenance(made_of: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and value of what a page was made of, for its footer."""
    shown = {**made_of, "sha256": str(made_of.get("sha256", ""))[:12]}
    return [(label, str(shown[key])) for key, label in _LABELS.items() if shown.get(key)]


def details(made_of: Mapping[str, Any], *, seconds: float, language: str) -> list[tuple[str, str]]:
    """Return label and value of how a page was made, for who wants to make it again.

    Parameters
    ----------
    made_of : `parameters` by name, and `data_fingerprint` where it is known.
    seconds : that the notebook ran.
    language : of the page.
    """
    versions = {"Python": platform.python_version(), **{name: version(name) for name in _VERSIONS}}
    shown = {
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in made_of.get("parameters", {}).items()),
        "data_fingerprint": made_of.get("data_fingerprint", ""),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "seconds": f"{decimal(seconds, digits=1, locale=str(locale_of(language)))} s",
    }
    return [(label, str(shown[key])) for key, label in _DETAILS.items() if shown[key]]


def rendered(template: str, *, language: str, **values: Any) -> str:
    """Return a page of a template in `template/`; every value is escaped unless it is Markup."""
    locale = locale_of(language)
    return (
        _environment()
        .get_template(template)
        .render(
            language=str(locale).replace("_", "-"),
            direction="rtl" if locale.character_order == "right-to-left" else "ltr",
            policy=f"{POLICY} 'sha256-{_hash(_script())}'",
            style=Markup(_style()),
            script=Markup(_script()),
            **values,
        )
    )


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
def _script() -> str:
    """Return the one script, which sorts tables, without what only its authors need."""
    js = (TEMPLATE / "sort.js").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"^\s*//.*$", "", js, flags=re.MULTILINE)).strip()


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


class ProseTranslator(Preprocessor):
    """Puts the prose of a notebook into the language that is spoken; the notebook itself stays as it is."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Return the cell with each heading, paragraph and item of its Markdown translated."""
        if cell.cell_type == "markdown":
            cell.source = translated(cell.source, _)
        return cell, resources


@cache
def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(
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
    exporter.register_preprocessor(ProseTranslator(), enabled=True)
    return exporter


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


def _settle_tables(soup: BeautifulSoup, *, market: str) -> None:
    """Let every table scroll in a region of its own that has a name, and name the files of tables after the market.

    A table of the kit knows all else about itself; one in a notebook's Markdown or HTML stays as it is written.

    Raises
    ------
    KitError : raw counts are among what the notebook shows.
    """
    raw = soup.find(class_=REFUSED)
    if raw is not None:
        raise KitError(
            f"The notebook shows raw counts, '{raw.get_text(strip=True)}', in which small groups are not protected.",
            to_try="a metric's table, such as market.retention(), or tag the cell 'remove-output'",
        )
    for table in soup.find_all("table"):
        if table.find_parent(class_="rk-scroll") is None:
            table.wrap(soup.new_tag("div", attrs={"class": "rk-scroll", "role": "region", "tabindex": "0"}))
    taken: set[str] = set()
    for region in soup.find_all(class_="rk-scroll"):
        told = region.get("aria-label") or _label_of(region)
        region["aria-label"] = _untaken(told, taken, "{} ({})")
    ids = {tag["id"] for tag in soup.find_all(id=True)}
    seen: set[str] = set()
    for box in [found.parent for found in soup.find_all(class_="rk-file")]:
        if box.get("id") in seen:  # the same table again
            box["id"] = _untaken(box["id"], ids | seen, "{}-{}")
        seen.add(box.get("id", ""))
        link = box.find("a", download=True)
        link["download"] = f"{market}-{box.get('id', 'table')}.csv"


def _label_of(region: Tag) -> str:
    """Return what a table without a title is about: its caption, else the heading above it."""
    named = region.find("caption") or region.find_previous(["h2", "h3", "h4"])
    return (named.get_text(" ", strip=True) if named else "") or "Table"


def _untaken(name: str, taken: set[str], pattern: str) -> str:
    found = next(told for n in count(1) if (told := name if n == 1 else pattern.format(name, n)) not in taken)
    taken.add(found)
    return found


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


def _lead(soup: BeautifulSoup) -> str:
    """Return the sentence that a notebook heads its answer with, which moves into the page's top; else empty."""
    found = soup.find(class_="rk-lead")
    return found.extract().get_text(" ", strip=True) if found else ""


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
    return _untaken(slug, taken, "{}-{}")
