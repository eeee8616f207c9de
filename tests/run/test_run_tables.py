"""Tables in a page: sorted by what their numbers are, and taken into a spreadsheet as numbers and as text."""

import base64
import csv
import io
from decimal import Decimal

import pytest
from babel import Locale
from bs4 import BeautifulSoup, Tag

from retention_kit.present import formats
from retention_kit.run.cells import reading, spreadsheet_safe
from retention_kit.run.tables import dress

NUMBERS = ["Market", "Active", "Rate", "95% interval", "Order value", "Note"]
ENGLISH = [
    ["Denmark", "1,204", "66.4%", "64.1% to 68.6%", "DKK 500.88", "+1 to −2 of 8"],
    ["Netherlands", "961", "58.0%", "55.2% to 61.5%", "DKK 62.75", "=cmd|' /C calc'!A0"],
    ["Andorra", "hidden", "–", "", "–", "@home"],
]
DANISH = [
    ["Danmark", "1.204", "66,4 %", "64,1 % til 68,6 %", "500,88 kr.", "1"],
    ["Holland", "961", "58,0 %", "55,2 % til 61,5 %", "-62,75 kr.", "2"],
    ["Andorra", "skjult", "–", "", "–", "3"],
]


def dressed(rows: list[list[str]], *, titles: list[str] = NUMBERS, locale: str = "en", name: str = "rates") -> Tag:
    soup = BeautifulSoup("", "html.parser")
    table = BeautifulSoup("<div><table><thead><tr></tr></thead><tbody></tbody></table></div>", "html.parser").div
    table["id"] = name
    for title in titles:
        table.thead.tr.append(_cell("th", title))
    for row in rows:
        line = BeautifulSoup("", "html.parser").new_tag("tr")
        line.extend(_cell("td", text) for text in row)
        table.tbody.append(line)
    soup.append(table)
    dress(soup.table, soup, locale=Locale.parse(locale), file_stem="DK-", taken=set())
    return soup


def _cell(kind: str, text: str) -> Tag:
    cell = BeautifulSoup("", "html.parser").new_tag(kind)
    cell.string = text
    return cell


def keys(soup: Tag, column: int) -> list[str | None]:
    return [row.find_all("td")[column].get("data-sort") for row in soup.tbody.find_all("tr")]


def file_of(soup: Tag) -> list[list[str]]:
    content = base64.b64decode(soup.select_one("a[download]")["href"].partition("base64,")[2])
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize(("rows", "locale"), [(ENGLISH, "en"), (DANISH, "da")])
def test_a_column_of_numbers_is_sorted_by_them_and_one_of_words_by_its_words(rows, locale):
    soup = dressed(rows, locale=locale)
    assert "rk-sortable" in soup.table["class"]
    assert keys(soup, 0) == [None, None, None]
    assert keys(soup, 1) == ["1204", "961", None]
    assert keys(soup, 2) == ["66.4", "58.0", None]
    assert keys(soup, 3) == ["64.1", "55.2", None]


def test_amounts_keep_their_sign_and_lose_their_currency():
    assert keys(dressed(DANISH, locale="da"), 4) == ["500.88", "-62.75", None]
    assert file_of(dressed(DANISH, locale="da"))[2][5] == "-62.75"


def test_a_table_whose_rows_go_together_is_not_sorted():
    rows = [["Who stayed?", "1"], ["", "2"], ["Who came back?", "3"]]
    assert "rk-sortable" not in dressed(rows, titles=["Question", "n"]).table.get("class", [])


def test_the_file_of_a_table_has_numbers_as_numbers_shares_as_shares_and_intervals_as_two_columns():
    for rows, locale in ((ENGLISH, "en"), (DANISH, "da")):
        head, first, second, third = file_of(dressed(rows, locale=locale))
        assert head == ["Market", "Active", "Rate", "95% interval ≥", "95% interval ≤", "Order value", "Note"]
        assert first[1:6] == ["1204", "0.664", "0.641", "0.686", "500.88"]
        assert second[1:5] == ["961", "0.580", "0.552", "0.615"]
        assert third[2:6] == ["", "", "", ""]


def test_no_text_of_a_file_is_taken_for_a_formula():
    notes = [row[-1] for row in file_of(dressed(ENGLISH))]
    assert notes == ["Note", "'+1 to −2 of 8", "'=cmd|' /C calc'!A0", "'@home"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "＝1"])
def test_what_begins_like_a_formula_is_quoted(text):
    assert spreadsheet_safe(text) == f"'{text}"
    assert spreadsheet_safe(f"a{text}") == f"a{text}"


def test_a_file_is_named_after_the_market_and_the_table_alone():
    link = dressed(ENGLISH, name="../../etc/Passwd $x").select_one("a[download]")
    assert link["download"] == "DK-etc-passwd-x.csv"


def test_a_table_that_only_says_something_has_no_file():
    assert dressed([["Its markets have several currencies."]], titles=[""]).select_one("a[download]") is None


def test_periods_are_words_and_stay_as_they_are_written():
    rows = [["2025-Q3", "2025-10-01, 2026-01-01"], ["2025-Q4", "2026-01-01, 2026-04-01"], ["2026-Q1", ""]]
    soup = dressed(rows, titles=["Period", "Window"])
    assert keys(soup, 0) == keys(soup, 1) == [None, None, None]
    assert file_of(soup)[1] == ["2025-Q3", "2025-10-01, 2026-01-01"]


@pytest.mark.parametrize("locale", ["nl", "da", "ro", "zh_Hans", "de", "ja", "pt_BR", "ar"])
@pytest.mark.parametrize(
    "labels", [["2024-Q4", "2025-Q1"], ["2024-12", "2025-01", "2025-02"], ["2024-12-31", "2024-02-29"]]
)
def test_periods_in_words_are_sorted_by_time_and_stand_in_the_file_as_their_labels(locale, labels):
    rows = [[formats.period(label, locale=locale), "1"] for label in [*labels, *labels][:3]]
    soup = dressed(rows, titles=["Period", "n"], locale=locale)
    assert [row[0] for row in file_of(soup)[1:]] == [*labels, *labels][:3]
    by_key = sorted(zip(keys(soup, 0), [*labels, *labels][:3], strict=True), key=lambda pair: int(pair[0]))
    assert [label for _, label in by_key] == sorted([*labels, *labels][:3])


@pytest.mark.parametrize(
    ("locale", "text", "value"),
    [
        ("en", "−6.8", "-6.8"), ("en", "¥8,335", "8335"), ("ro", "1.892.528 RON", "1892528"),
        ("ja", "￥21,728", "21728"),
        ("fr", "1\u202f204,5\xa0€", "1204.5"), ("zh_Hans_CN", "66.4%", "0.664"), ("pt_BR", "R$\xa0248,17", "248.17"),
        ("en", "-€5.20", "-5.20"),
    ],
)  # fmt: skip
def test_one_number_is_read_as_its_language_writes_it(locale, text, value):
    read = reading(Locale.parse(locale))
    assert read.alone(read.said(text)) == Decimal(value)


@pytest.mark.parametrize("text", ["30 days", "iDEAL 2", "1 to 2 of 8", "hidden", "–"])
def test_what_is_not_one_number_is_text(text):
    read = reading(Locale("en"))
    assert read.alone(read.said(text)) is None
