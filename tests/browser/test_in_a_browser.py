"""Every page as a reader has it: asked of Chromium, of axe, of the keyboard, of a phone and of paper."""

import csv
from pathlib import Path

import pytest
from opened import PAGES, PHONE, REPORTS, TURNED, WIDE, Opened

from retention_kit.present.languages import available
from retention_kit.run import export, record
from retention_kit.run.browser import printed_by

pytestmark = pytest.mark.xdist_group("browser")

SMALLEST = {"width": 320, "height": 600}  # WCAG 2.2, 1.4.10: the width at which nothing may need two ways of scrolling
PAPER_MM = {"width": 210 - 2 * 14, "height": 297 - 2 * 16}

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

WITHOUT_ALTERNATIVE = """() => [...document.querySelectorAll('img, svg')].filter(image =>
  image.getAttribute('aria-hidden') !== 'true' && !(image.tagName === 'IMG' ? image.alt
  : image.getAttribute('role') === 'img' && image.getAttribute('aria-label'))).map(image => image.outerHTML)"""

BOXES = """more => {
  const canvas = document.createElement('canvas'), size = canvas.width = canvas.height = 48;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.font = '32px ' + getComputedStyle(document.body).fontFamily;
  const drawn = letter => {
    pen.clearRect(0, 0, size, size);
    pen.fillText(letter, 4, 38);
    return pen.getImageData(0, 0, size, size).data.join();
  };
  const drawing = [...document.querySelectorAll('svg text')].map(text => text.textContent);
  const texts = document.body.innerText + drawing.join('') + more;
  const letters = [...new Set(texts)].filter(letter => /[^\\s\\p{C}\\p{M}]|\\p{Co}/u.test(letter));
  const box = drawn('\\u{10FFFD}');
  return letters.filter(letter => drawn(letter) === box);
}"""

CUT = """([width, height]) => [...document.querySelectorAll('figure')].filter(figure => {
  const image = figure.querySelector('svg, img').getBoundingClientRect();
  return getComputedStyle(figure).breakInside !== 'avoid' || image.width > width + 1 || image.height > height
    || figure.scrollWidth > figure.clientWidth + 1;
}).map(figure => figure.textContent.trim().slice(0, 80))"""


CUT_TEXTS = """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => text.textContent.trim()).filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1
      || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  }).map(text => text.textContent);
})"""


def test_every_language_that_is_spoken_is_opened() -> None:
    assert {name.replace("_", "-") for name in available()} <= {*REPORTS, *TURNED}


def test_a_page_asks_for_nothing_and_says_nothing(page: Opened) -> None:
    assert [url for url in page.requests if not url.startswith("data:")] == [page.path.as_uri()]
    assert page.said == []


def test_axe_finds_nothing(page: Opened, axe: str) -> None:
    page.at(WIDE)
    assert page.found_by(axe) == []


def test_axe_finds_nothing_in_the_dark_on_a_phone(page: Opened, axe: str) -> None:
    page.at(PHONE, scheme="dark")
    assert page.found_by(axe, rules=["color-contrast", "target-size", "scrollable-region-focusable"]) == []


@pytest.mark.parametrize("size", [PHONE, SMALLEST], ids=["phone", "smallest"])
def test_nothing_has_to_be_scrolled_sideways(page: Opened, size: dict[str, int]) -> None:
    assert page.at(size).evaluate(OVERFLOW) <= 0


def test_every_image_says_what_it_shows(page: Opened) -> None:
    assert page.at(WIDE).evaluate(WITHOUT_ALTERNATIVE) == []


def test_every_letter_has_a_glyph(page: Opened) -> None:
    assert page.at(WIDE).evaluate(BOXES, "") == []


def test_a_letter_without_a_glyph_is_seen(opened: dict[str, Opened]) -> None:
    assert opened["index"].at(WIDE).evaluate(BOXES, "a\ue0f0") == ["\ue0f0"]


OVERLAPPING = """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].filter(text => text.textContent.trim());
  const boxes = texts.map(text => text.getBoundingClientRect());
  return texts.flatMap((one, n) => texts.slice(n + 1).filter((other, m) => {
    const [a, b] = [boxes[n], boxes[n + 1 + m]];
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
  }).map(other => [one.textContent, other.textContent]));
})"""


def test_no_text_of_a_figure_lies_on_another(page: Opened) -> None:
    assert page.at(WIDE).evaluate(OVERLAPPING) == []


def test_no_text_of_a_figure_is_cut(page: Opened) -> None:
    assert page.at(WIDE).evaluate(CUT_TEXTS) == []


def test_paper_cuts_no_figure(page: Opened) -> None:
    a_mm = 96 / 25.4
    paper = {side: int(mm * a_mm) for side, mm in PAPER_MM.items()}
    tab = page.at(paper)
    tab.emulate_media(media="print")
    assert tab.evaluate(CUT, list(paper.values())) == []
    assert tab.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize("name", [name for name in PAGES if name != "index"])
def test_the_contents_lead_to_a_section_by_the_keyboard(opened: dict[str, Opened], name: str) -> None:
    tab = opened[name].at(WIDE)
    link = tab.locator(".rk-contents a").nth(2)
    link.focus()
    tab.keyboard.press("Enter")
    heading = tab.evaluate("decodeURIComponent(location.hash.slice(1))")
    top = tab.evaluate("id => document.getElementById(id).getBoundingClientRect().top", heading)
    end = tab.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 1")
    assert link.get_attribute("href") == f"#{heading}"
    assert 0 <= top < 100 or (end and top < WIDE["height"])


def test_the_first_key_leads_past_the_contents(opened: dict[str, Opened]) -> None:
    tab = opened["report-en"].at(WIDE)
    tab.goto(opened["report-en"].path.as_uri())
    tab.keyboard.press("Tab")
    skip = tab.locator(":focus")
    assert skip.get_attribute("class") == "rk-skip"
    assert skip.bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("name", ["report-en", "report-ar", "index"])
def test_what_has_the_focus_shows_it(opened: dict[str, Opened], name: str) -> None:
    tab = opened[name].at(WIDE)
    tab.goto(opened[name].path.as_uri())
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement === document.body"):
            break  # the page's end
        style, width = tab.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth] }"
        )
        assert (style, width) == ("solid", "3px"), tab.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def sorted_rows(tab, table: str, column: int) -> list[str]:
    return tab.locator(f"{table} tbody tr").evaluate_all(
        "(rows, column) => rows.map(row => row.cells[column].dataset.sort ?? row.cells[column].innerText.trim())",
        column,
    )


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_table_is_sorted_by_the_keyboard(opened: dict[str, Opened], key: str) -> None:
    tab, table, column = opened["report-en"].at(WIDE), "#active-base .rk-sortable", 3
    title = tab.locator(f"{table} thead tr:last-child th").nth(column)
    before = sorted_rows(tab, table, column)
    title.get_by_role("button").focus()
    tab.keyboard.press(key)
    assert sorted_rows(tab, table, column) == sorted(before, key=float)
    assert title.get_attribute("aria-sort") == "ascending"
    tab.keyboard.press(key)
    assert sorted_rows(tab, table, column) == sorted(before, key=float, reverse=True)
    assert title.get_attribute("aria-sort") == "descending"
    tab.keyboard.press(key)
    assert sorted_rows(tab, table, column) == before
    assert title.get_attribute("aria-sort") is None


def test_a_table_is_taken_along_as_csv(opened: dict[str, Opened]) -> None:
    tab = opened["report-en"].at(WIDE)
    with tab.expect_download() as download:
        tab.locator("#active-base .rk-file a").click()
    assert download.value.suggested_filename == "US-active-base.csv"
    rows = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][:3] == ["Period", "Start", "New"]
    assert all(cell.isdigit() for row in rows[1:] for cell in row[1:6])


@pytest.mark.parametrize("language", TURNED)
def test_what_is_written_from_right_to_left_is_mirrored(opened: dict[str, Opened], language: str) -> None:
    tab = opened[f"report-{language}"].at(WIDE)
    assert tab.evaluate("document.documentElement.dir") == "rtl"
    contents, text = (tab.locator(place).bounding_box() for place in (".rk-contents", "main"))
    assert contents["x"] > text["x"] + text["width"] / 2
    title = tab.locator("h1").evaluate(
        "h => { const r = document.createRange(); r.selectNodeContents(h); return r.getBoundingClientRect().right }"
    )
    assert title > WIDE["width"] / 2
    name, number = (
        tab.locator(f"#active-base tbody tr:first-child > :{place}-child").bounding_box() for place in ("first", "last")
    )
    assert name["x"] > number["x"]


def test_a_page_without_scripts_is_whole(opened: dict[str, Opened], chromium) -> None:
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(opened["report-en"].path.as_uri())
    assert tab.locator("#active-base thead th").first.inner_text() == "Period"
    assert tab.locator("thead button").count() == 0
    context.close()


def test_a_report_is_printed_with_tags_outline_and_language(reports: dict[str, Path], chromium) -> None:
    (pdf,) = printed_by(chromium, [reports["report-nl"]]).values()
    for part in (b"/StructTreeRoot", b"/Marked true", b"/Outlines", b"/Lang (nl)", b"/Alt"):
        assert part in pdf, part


def test_each_page_of_a_market_is_printed_and_no_other_file(tmp_path: Path, chromium, monkeypatch) -> None:
    monkeypatch.setattr("retention_kit.run.browser.printed", lambda pages: printed_by(chromium, pages))
    for name in ("BE.html", "BE.fr.html", "NL.html"):
        (tmp_path / name).write_text(
            "<!DOCTYPE html><html lang=nl><title>a page</title><h1>A page</h1>", encoding="utf-8"
        )
    spoken = {"nl-BE": "BE.html", "fr-BE": "BE.fr.html", "de-BE": "../BE.html"}
    record.write(tmp_path, {"BE": {"languages": spoken}}, made="")
    assert [path.name for path in export(tmp_path, ["BE"], formats=["pdf"])] == ["BE.fr.pdf", "BE.pdf"]
    assert (tmp_path / "BE.pdf").read_bytes().startswith(b"%PDF-")


def test_a_page_is_small_enough_to_be_sent(page: Opened) -> None:
    assert len(page.html.encode()) <= 600_000
    figures = page.at(WIDE).locator("figure").evaluate_all("figures => figures.map(figure => figure.outerHTML.length)")
    assert max(figures, default=0) <= 120_000
