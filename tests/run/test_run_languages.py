"""A market that speaks several languages has a report in each: one record, pages that lead to each other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import run_reports

from retention_kit.errors import UsageError
from retention_kit.run import Run, in_languages, shard, unfinished

SPOKEN = 'market: str = "BE"\nlanguage: str = "en"'
FAILS_IN_FRENCH = "assert language != 'fr-BE', 'no French today'"
BELGIUM = in_languages(Run("BE", "Belgium"), ["nl-BE", "fr-BE"])
DENMARK = in_languages(Run("DK", "Denmark"), ["da-DK"])


@pytest.fixture
def speaking_notebook(notebook_file: Callable[..., Path]) -> Callable[..., Path]:
    """Return a notebook that takes a language."""
    return lambda cells=(): notebook_file(list(cells), parameters=SPOKEN)


def test_a_market_is_reported_in_each_of_its_languages(speaking_notebook, tmp_path):
    out = tmp_path / "reports"
    results = run_reports(speaking_notebook(), [*BELGIUM, *DENMARK], out=out, workers=2)
    assert [(result.stem, result.status) for result in results] == [
        ("BE", "fresh"),
        ("BE.fr-BE", "fresh"),
        ("DK", "fresh"),
    ]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))["markets"]
    assert record["BE"]["languages"] == {"nl-BE": "BE.html", "fr-BE": "BE.fr-BE.html"}
    assert list(record) == ["BE", "DK"]
    assert 'href="BE.fr-BE.html"' in (out / "BE.html").read_text(encoding="utf-8")
    assert 'href="BE.html"' in (out / "BE.fr-BE.html").read_text(encoding="utf-8")
    assert "rk-language" not in (out / "DK.html").read_text(encoding="utf-8").partition("</style>")[2]


def test_a_language_that_fails_is_told_of_its_market_and_the_others_stay(speaking_notebook, tmp_path):
    out = tmp_path / "reports"
    results = run_reports(speaking_notebook([FAILS_IN_FRENCH]), BELGIUM, out=out, workers=1)
    assert [result.status for result in results] == ["fresh", "failed"]
    told = json.loads((out / "run.json").read_text(encoding="utf-8"))["markets"]["BE"]
    assert (told["status"], told["reason"].partition(": ")[0]) == ("failed", "fr-BE")
    assert (out / "BE.html").is_file()
    assert not (out / "BE.fr-BE.html").exists()


def test_what_is_unfinished_is_the_market_in_all_its_languages(speaking_notebook, tmp_path):
    out, notebook = tmp_path / "reports", speaking_notebook()
    run_reports(notebook, [*BELGIUM, *DENMARK], out=out, workers=2)
    assert unfinished(notebook, [*BELGIUM, *DENMARK], out=out) == []
    (out / "BE.fr-BE.html").unlink()
    assert unfinished(notebook, [*BELGIUM, *DENMARK], out=out) == BELGIUM


def test_a_market_is_of_one_shard_with_all_its_languages():
    assert shard([*BELGIUM, *DENMARK], "1/2") == BELGIUM
    assert shard([*BELGIUM, *DENMARK], "2/2") == DENMARK


def test_a_language_is_asked_for_once(speaking_notebook, tmp_path):
    with pytest.raises(UsageError, match=r"A market is asked for twice\.\n  found: 'BE\.fr-BE'"):
        run_reports(speaking_notebook(), [*BELGIUM, BELGIUM[1]], out=tmp_path / "reports")


@pytest.mark.parametrize("language", ["../../etc", "fr/BE", "klingon", ""])
def test_only_a_language_names_a_file(speaking_notebook, tmp_path, language):
    with pytest.raises(UsageError, match="is not a language"):
        run_reports(speaking_notebook(), [Run("BE", "Belgium", {}, language, True)], out=tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
