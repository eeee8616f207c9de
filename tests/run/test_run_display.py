"""What a notebook of one's own shows becomes a page in the page's language, its numbers those of the notebook."""

import base64
import csv
import io

import pytest
from bs4 import BeautifulSoup
from calls import run_reports

from retention_kit.present.languages import available
from retention_kit.run import Run

LANGUAGES = [name.replace("_", "-") for name in available()]
PARAMETERS = 'market: str = "NL"  # the market'
CELLS = [
    """
import pandas as pd
frame = pd.DataFrame({"orders": [1050, 7], "change": [-0.0625, None]}, index=["a", "b"])
frame
""",
    'frame["orders"]',
    'frame.style.format({"change": "{:+.1%}"})',
    """
import retention_kit as rk
columns = [("who", "Who", rk.Role.KEY), ("n", "n", rk.Role.N), ("s", "s", rk.Role.SHARE)]
mine = pd.DataFrame({"who": ["x"], "n": [1050], "s": [0.0625]})
rk.Table(mine, [rk.Column(*column) for column in columns], name="mine", title="Mine")
""",
]


def files(page: BeautifulSoup) -> list[list[list[str]]]:
    links = [link["href"].partition("base64,")[2] for link in page.select(".rk-file a")]
    return [list(csv.reader(io.StringIO(base64.b64decode(link).decode("utf-8-sig")))) for link in links]


def pages(notebook_file, tmp_path, languages) -> dict[str, BeautifulSoup]:
    out = tmp_path / "reports"
    runs = [Run("NL", "Netherlands", {}, language, nth > 0) for nth, language in enumerate(languages)]
    results = run_reports(notebook_file(CELLS, parameters=PARAMETERS), runs, out=out, workers=2)
    assert [result.reason for result in results] == [""] * len(runs)
    return {
        run.language: BeautifulSoup(result.report.read_text(encoding="utf-8"), "html.parser")
        for run, result in zip(runs, results, strict=True)
    }


def is_right(page: BeautifulSoup) -> None:
    frame, series, styler, mine = files(page)
    assert frame == [["", "orders", "change"], ["a", "1050", "-0.0625"], ["b", "7", ""]]
    assert series == [["", "orders"], ["a", "1050"], ["b", "7"]]
    assert styler == frame
    assert mine[1] == ["x", "1050", "0.0625"]


def test_a_danish_page_of_a_notebook_without_a_language_is_danish_and_its_files_hold_its_numbers(
    notebook_file, tmp_path
):
    page = pages(notebook_file, tmp_path, ["da-DK"])["da-DK"]
    is_right(page)
    cells = [[cell.get_text() for cell in row.find_all("td")] for row in page.select("tbody tr")]
    assert cells[0] == ["1050", "−0,0625"]
    assert cells[4] == ["1050", "-6.2%"]  # as its author wrote it
    assert cells[-1] == ["1.050", "6,2\xa0%"]


@pytest.mark.slow
def test_the_files_behind_a_page_hold_the_notebook_s_numbers_in_every_language(notebook_file, tmp_path):
    for page in pages(notebook_file, tmp_path, LANGUAGES).values():
        is_right(page)


def test_a_page_refuses_the_raw_counts_of_a_market(notebook_file, tmp_path):
    cells = [
        "import retention_kit as rk",
        'rk.open("sample", as_of="2026-01-01")["DK"].counts("cohort_counts").head(3)',
    ]
    notebook = notebook_file(cells, parameters=PARAMETERS)
    (result,) = run_reports(notebook, [Run("NL", "Netherlands")], out=tmp_path / "reports")
    assert result.reason == ("The notebook shows raw counts, 'cohort_counts', in which small groups are not protected.")
