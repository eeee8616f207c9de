"""Every number a reader sees is one of the twin's, as her language writes it: read back by Babel, strictly."""

import json
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.numbers import parse_decimal
from bs4 import BeautifulSoup, Tag
from opened import REPORTS, TURNED

pytestmark = pytest.mark.xdist_group("browser")

LANGUAGES = [f"report-{language}" for language in [*REPORTS, *TURNED]]
NUMBER = re.compile(r"\d(?:[\d.,'’ \u00a0\u202f]*\d)?")
A_DATE = re.compile(r"\d{4}\D{1,3}\d|\D\d{4}$|^\d{4}\D")
ACTIVE_BASE = ("n_start", "n_new", "n_reactivated", "n_lapsed", "n_end", "customer_retention_rate", ("lower", "upper"),
               "textbook_retention_rate")  # fmt: skip
SECOND_ORDER = ("n_observed", "returned_share", ("lower", "upper"))


class Report:
    """A page, its twin beside it, and the language it is in."""

    def __init__(self, path: Path) -> None:
        self.soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        self.twin = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.locale = Locale.parse(self.soup.html["lang"], sep="-")

    def numbers(self, text: str) -> list[Decimal]:
        """Return the numbers in a text; Babel refuses one that its language writes otherwise."""
        return [parse_decimal(written, locale=self.locale, strict=True) for written in NUMBER.findall(text)]

    def cells(self, table: str) -> list[list[str]]:
        """Return the texts of a table's cells."""
        rows = self.soup.select(f"#{table} tbody tr")
        return [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in rows]


@pytest.fixture(scope="module", params=LANGUAGES)
def report(request: pytest.FixtureRequest, reports: dict[str, Path]) -> Report:
    """Return the report of one language after the other."""
    return Report(reports[request.param])


def rounded(value: float, digits: int, *, times: int = 1) -> Decimal:
    """Return a number as a page writes it, without its sign."""
    exact = abs(Decimal(repr(value)) * times)
    return exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN).normalize()


def shown(row: dict[str, Any], name: str) -> Decimal:
    """Return a number of a row of the twin as a table shows it: customers as they are, shares in percent."""
    return rounded(row[name], 0) if name.startswith("n_") else rounded(row[name], 1, times=100)


def every_number(values: Any) -> Iterator[float]:
    """Yield all numbers of the twin."""
    if isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from every_number(value)
    elif isinstance(values, int | float) and not isinstance(values, bool):
        yield values


def told(report: Report, row: dict[str, Any], names: tuple, cells: list[str]) -> None:
    for name, cell in zip(names, cells, strict=True):
        one_or_two = (name,) if isinstance(name, str) else name
        assert report.numbers(cell) == [shown(row, part) for part in one_or_two], (name, cell)


def test_the_active_base_is_the_twins(report):
    rows = [row for row in report.twin["tables"]["active_base"] if row["rule"] == "window"][-6:]
    cells = report.cells("active-base")
    assert len(cells) == len(rows)
    for row, texts in zip(rows, cells, strict=True):
        told(report, row, ACTIVE_BASE, texts[1:])


def test_the_second_orders_are_the_twins(report):
    rows = [row for row in report.twin["tables"]["returned"] if row["cut"] == "everybody"]
    cells = report.cells("second-order")
    assert len(cells) == len(rows)
    for row, texts in zip(rows, cells, strict=True):
        assert report.numbers(texts[0]) == [row["horizon_days"]]
        told(report, row, SECOND_ORDER, texts[1:])


def test_the_headlines_are_the_twins(report):
    rows = report.cells("definitions")
    assert len(rows) == len(report.twin["headlines"])
    for headline, (_, value, interval, n, *_rest) in zip(report.twin["headlines"], rows, strict=True):
        times, digits = (100, 1) if headline["unit"] in ("share", "ratio") else (1, None)
        for name, text in [("value", value), *zip(("lower", "upper"), [interval, interval], strict=True)]:
            found = report.numbers(text)
            if headline[name] is None:
                assert not found
            else:
                number = found[name == "upper"]
                places = -number.as_tuple().exponent if digits is None else digits
                assert number == rounded(headline[name], places, times=times), (headline["id"], text)
        assert report.numbers(n) == ([] if headline["n"] is None else [headline["n"]])


def test_every_number_of_every_table_is_one_of_the_twins(report):
    known = set()
    for value in every_number(report.twin):
        known |= {rounded(value, digits) for digits in range(4)} | {rounded(value, 1, times=100)}
    unknown = []
    for cell in report.soup.select("main td.rk-num"):
        if not is_date(cell):
            unknown += [cell.get_text() for number in report.numbers(cell.get_text(" ")) if number not in known]
    assert unknown == []


def is_date(cell: Tag) -> bool:
    return bool(A_DATE.search(cell.get_text(" ", strip=True)))


def test_a_number_of_another_language_is_seen(reports):
    english, dutch = Report(reports["report-en"]), Report(reports["report-nl"])
    assert english.numbers("1,204 and 0.001") == [1204, Decimal("0.001")]
    with pytest.raises(ValueError, match="not a properly formatted"):
        english.numbers("1.204,5")
    if dutch.locale.language == "nl":
        assert dutch.numbers("1.204,5") == [Decimal("1204.5")]


def test_a_number_that_is_not_the_twins_is_seen(reports):
    report = Report(reports["report-en"])
    cell = report.soup.select_one("#active-base tbody td.rk-num")
    cell.string = f"{report.numbers(cell.get_text())[0] + 1:,}"
    with pytest.raises(AssertionError):
        test_the_active_base_is_the_twins(report)
    cell.string = "987,654,321"
    with pytest.raises(AssertionError):
        test_every_number_of_every_table_is_one_of_the_twins(report)
