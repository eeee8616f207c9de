"""No English is left in a report of a language that lacks nothing."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from catalogs import COMPLETE, catalog_of, lacking
from opened import REPORTS, TURNED

ENGLISH = set(
    re.findall(
        r"\w+",
        """the which who whom customers between their from with that those these before after only than
        each every because this there where were been would they hidden shown""",
    )
)
"""Words of English sentences, in none of the other languages, and names of no table, column or rule."""

COMPLETED = [name for name in [*REPORTS, *TURNED] if name.replace("-", "_") in COMPLETE]


def words(html: str) -> set[str]:
    """Return the words of a page that a reader sees, without what names a parameter, a column or a file."""
    soup = BeautifulSoup(html, "html.parser")
    for apart in soup.select("script, style, code, .rk-foot"):
        apart.decompose()
    told = [soup.get_text(" "), *(tag["aria-label"] for tag in soup.select("[aria-label]"))]
    return set(re.findall(r"[a-z]+", " ".join(told).lower()))


@pytest.mark.parametrize("language", COMPLETED)
def test_no_english_is_left_in_a_language_that_lacks_nothing(reports: dict[str, Path], language: str) -> None:
    name = language.replace("-", "_")
    if lacking(name, catalog_of(name)):
        pytest.skip("English stands in for messages that are new since the last release: see `make i18n-check`")
    assert words(reports[f"report-{language}"].read_text(encoding="utf-8")) & ENGLISH == set()


def test_english_that_is_left_is_seen(reports: dict[str, Path]) -> None:
    page = reports["report-da"].read_text(encoding="utf-8").replace("<h2", "<p>Those who left.</p><h2", 1)
    assert words(page) & ENGLISH == {"those", "who"}
    english = words(reports["report-en"].read_text(encoding="utf-8"))
    assert len(english & ENGLISH) > 15


def test_every_complete_language_has_a_report() -> None:
    assert {name.replace("_", "-") for name in COMPLETE} == set(COMPLETED)
