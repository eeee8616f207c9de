import base64
import hashlib
import platform
import re

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from demonstration import demonstration

from retention_kit.errors import KitError, UsageError
from retention_kit.run.figures import safe_svg
from retention_kit.run.page import POLICY, details, page, provenance
from retention_kit.table import Column, Role, Table, interval


def made(node: nbformat.NotebookNode, *, name: str = "Denmark", language: str = "en") -> str:
    footer = provenance({"data": "sample", "as_of": "2026-01-01", "notebook": "market_report.ipynb"})
    return page(node, market="DK", name=name, language=language, footer=footer)


def of_outputs(*outputs: tuple[str, str]) -> nbformat.NotebookNode:
    node = nbformat.v4.new_notebook()
    node.cells = [
        nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("display_data", {kind: content})])
        for kind, content in outputs
    ]
    return node


@pytest.fixture(scope="module")
def html() -> str:
    return made(demonstration())


@pytest.fixture(scope="module")
def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def test_a_page_shows_no_code_and_no_prompt(html: str) -> None:
    assert "secret_source" not in html
    assert not re.search(r"(In|Out)(&nbsp;)?\s?\[", html)


def test_a_page_asks_for_nothing(soup: BeautifulSoup) -> None:
    assert not soup.find_all(["link", "iframe", "object", "embed", "base"])
    assert all(tag["src"].startswith("data:image/") for tag in soup.find_all(src=True))
    assert all(tag.name == "a" or tag["href"].startswith("#") for tag in soup.find_all(href=True))
    assert "@import" not in soup.style.string
    assert "url(" not in soup.style.string


def test_a_page_carries_its_policy(soup: BeautifulSoup) -> None:
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    (script,) = soup.find_all("script")
    sha256 = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    assert policy == f"{POLICY} 'sha256-{sha256}'"
    assert soup.find("meta", attrs={"name": "viewport"})


def test_the_first_heading_is_the_title(soup: BeautifulSoup) -> None:
    assert soup.title.string == "Denmark · Do customers come back?"
    assert [heading.string for heading in soup.find_all("h1")] == ["Do customers come back?"]


def test_the_contents_lead_to_every_section(soup: BeautifulSoup) -> None:
    links = soup.select(".rk-contents a")
    assert [link.string for link in links] == [heading.string for heading in soup.find_all("h2")]
    assert all(soup.find(id=link["href"][1:]).name == "h2" for link in links)


def test_no_two_elements_share_an_id(soup: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert sum(name.endswith("-title") for name in ids) == 3  # two figures and the contents


def test_a_figure_keeps_its_title_its_text_and_its_references(soup: BeautifulSoup) -> None:
    figure = soup.select_one("figure svg")
    assert soup.find(id=figure["aria-labelledby"]).string == "A curve of retention"
    assert "months since the first order" in figure.get_text()
    pointed_at = re.findall(r"url\(#([^)]+)\)", str(figure)) + [
        tag["xlink:href"][1:] for tag in figure.find_all(attrs={"xlink:href": True})
    ]
    assert pointed_at
    assert all(figure.find(id=name) for name in pointed_at)


def test_a_table_scrolls_in_a_region_that_says_what_it_is(soup: BeautifulSoup) -> None:
    regions = [table.parent for table in soup.find_all("table")]
    assert all(region["role"] == "region" and region["tabindex"] == "0" for region in regions)
    assert regions[0]["aria-label"] == "Share of each cohort active, by months since its first order"
    assert regions[1]["aria-label"] == "Quarter by quarter"


def ledger() -> Table:
    long = "Share of the customers active at the start of a period who are active at its end: R / S."
    frame = pd.DataFrame(
        {
            "number": ["Customers", "Retention rate"],
            "value": [812.0, 0.61],
            "lower": [None, 0.58],
            "upper": [None, 0.64],
            "period": ["2025-Q3", "2025-Q4"],
            "meaning": ["Customers of the market.", long],
            "unit": ["customers", "share"],
        }
    )
    columns = [
        Column("number", "Number", Role.KEY),
        Column("value", "Value", Role.QUANTITY, unit="unit"),
        interval("95% interval", Role.QUANTITY, unit="unit"),
        Column("period", "Period", Role.PERIOD),
        Column("meaning", "What it is", Role.KEY),
    ]
    return Table(frame, columns, name="ledger", title="Every number", notes=["a note"])


def test_a_table_of_texts_becomes_cards_on_a_narrow_screen_that_name_their_columns() -> None:
    table = BeautifulSoup(made(of_outputs(("text/html", ledger().html))), "html.parser").table
    assert "rk-stack" in table["class"]
    assert [row.get("class") for row in table.find_all("tr")] == [["rk-names"], None, None, None]
    cells = table.select_one("tbody tr").find_all(["th", "td"])
    assert [cell["data-label"] for cell in cells] == ["Number", "Value", "95% interval", "Period", "What it is"]
    assert table.select_one("tbody .rk-long").string == "Customers of the market."
    assert len(table.select(".rk-absent")) == 1
    assert "rk-short" in cells[3]["class"]
    assert not table.tfoot.td.get("data-label")
    assert {tag["role"] for tag in table.find_all(["td", "th"])} == {"cell", "columnheader", "rowheader"}


def test_a_page_refuses_raw_counts() -> None:
    with pytest.raises(KitError) as why:
        made(of_outputs(("text/html", '<p class="rk-refused">cohort_counts</p>')))
    assert str(why.value) == (
        "The notebook shows raw counts, 'cohort_counts', in which small groups are not protected.\n"
        "  try:   a metric's table, such as market.retention(), or tag the cell 'remove-output'"
    )


def test_a_table_of_numbers_stays_a_table_on_a_narrow_screen(soup: BeautifulSoup) -> None:
    assert not soup.select(".rk-stack, [data-label]")


def test_a_page_names_its_data_in_its_head() -> None:
    html = page(of_outputs(), market="DK", name="Denmark", language="en", footer=[], data="mycompany")
    assert BeautifulSoup(html, "html.parser").select_one(".rk-top").p.get_text() == "All markets Data: mycompany"


def test_a_name_is_cut_where_it_is_long_and_turns_nothing_round() -> None:
    soup = BeautifulSoup(made(of_outputs(), name="\u202e" + "N" * 1000), "html.parser")
    assert soup.select_one(".rk-market bdi").get_text() == "\u202e" + "N" * 58 + "…"
    assert soup.title.string == "N" * 199 + "… · " + "N" * 199 + "…"


def test_the_footer_says_what_the_page_was_made_of(soup: BeautifulSoup) -> None:
    assert soup.footer.get_text(" ", strip=True) == "Data sample As of 2026-01-01 Notebook market_report.ipynb"


def test_a_page_says_how_it_was_made_where_that_is_asked_for() -> None:
    made_of = {"parameters": {"market": "DK", "grain": "<week>"}, "data_fingerprint": "1f2e"}
    told = details(made_of, seconds=1234.56, language="da-DK")
    assert dict(told)["Made in"] == "1.234,6 s"
    assert dict(told)["Versions"].startswith(f"Python {platform.python_version()}, pandas {pd.__version__}, duckdb ")
    html = page(of_outputs(), market="DK", name="Denmark", language="en", footer=[], details=told)
    rows = BeautifulSoup(html, "html.parser").select("footer details dl div")
    assert [row.get_text(" ", strip=True) for row in rows][:2] == [
        "Parameters market = 'DK', grain = '<week>'",
        "Fingerprint of the data 1f2e",
    ]


def test_the_sentence_that_heads_the_answer_stands_in_the_head_of_the_page() -> None:
    soup = BeautifulSoup(
        made(of_outputs(("text/html", '<p class="rk-lead">It &lt;b&gt; fell.</p><ul></ul>'))), "html.parser"
    )
    assert [tag.get_text() for tag in soup.select(".rk-lead")] == ["It <b> fell."]
    assert soup.select_one("header .rk-lead")


def test_a_page_is_small(html: str) -> None:
    assert len(html.encode()) < 100_000  # two figures and three tables


def test_the_same_notebook_makes_the_same_page(html: str) -> None:
    assert made(demonstration()) == html


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$x_1$", 'a "quoted" & b', "{{ 7 * 7 }}"])
def test_a_name_is_text_whatever_it_is(name: str) -> None:
    soup = BeautifulSoup(made(of_outputs(), name=name), "html.parser")
    assert soup.select_one(".rk-market").get_text() == f"{name} DK"
    assert len(soup.find_all("script")) == 1  # the kit's own


def test_html_of_a_notebook_can_neither_act_nor_ask() -> None:
    hostile = """
    <script src="https://example.org/a.js"></script><img src="https://example.org/a.png" alt="a picture">
    <p onclick="go()" style="background:url(https://example.org)">text</p><iframe src="x.html"></iframe>
    <a href="javascript:go()">a</a><a href="https://example.org">b</a><style>* {display: none}</style>
    <form action="https://example.org"><input name="a"></form><svg><use xlink:href="https://example.org/#a"/></svg>
    """
    html = made(of_outputs(("text/html", hostile)))
    soup = BeautifulSoup(html, "html.parser").main
    assert not soup.find_all(["script", "iframe", "img", "style", "form", "input"])
    assert "a picture" in soup.get_text()
    assert soup.p.attrs == {}
    assert [link.attrs for link in soup.find_all("a")] == [{}, {"href": "https://example.org"}]
    assert soup.find("use").attrs == {}


def test_warnings_and_errors_of_a_notebook_are_not_shown() -> None:
    node = nbformat.v4.new_notebook()
    said = nbformat.v4.new_output("stream", name="stdout", text="said aloud")
    warned = nbformat.v4.new_output("stream", name="stderr", text="/a/path: UserWarning")
    node.cells = [nbformat.v4.new_code_cell("", outputs=[said, warned])]
    html = made(node)
    assert "said aloud" in html
    assert "UserWarning" not in html


def test_a_cell_tagged_remove_cell_is_not_shown() -> None:
    node = demonstration()
    node.cells.append(nbformat.v4.new_markdown_cell("for analysts alone", metadata={"tags": ["remove-cell"]}))
    assert "for analysts alone" not in made(node)


def test_an_svg_can_neither_act_nor_ask_nor_style_the_page() -> None:
    svg = safe_svg(
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">'
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">'
        '<style>*{stroke-linejoin: round}</style><script>go()</script><g id="a" onclick="go()" clip-path="url(#b)"/>'
        '<image xlink:href="https://example.org/a.png"/><rect fill="url(https://example.org/#p)"/>'
        '<use xlink:href="#a"/></svg>',
        prefix="f1-",
    )
    assert svg.startswith("<svg ")
    assert 'viewBox="0 0 1 1"' in svg
    assert 'style="stroke-linejoin: round"' in svg
    assert '<g id="f1-a" clip-path="url(#f1-b)"' in svg
    assert '<use xlink:href="#f1-a"' in svg
    assert not re.search(r"script|onclick|example\.org|<style|DOCTYPE|DTD", svg)


def test_the_language_is_written_into_the_page() -> None:
    assert '<html lang="zh-Hans-CN">' in made(of_outputs(), language="zh-Hans-CN")
    assert '<html lang="ar-EG" dir="rtl">' in made(of_outputs(), language="ar-EG")


@pytest.mark.parametrize("language", ["xx-notone", '"><script>', ""])
def test_a_language_that_is_none_is_refused(language: str) -> None:
    with pytest.raises(UsageError, match="is not a language"):
        made(of_outputs(), language=language)
