"""The catalogs hold what the sources say, and say it in each language so that it can be shown."""

import json
import re

import catalogs
import pytest
from babel import Locale

from retention_kit.messages import places

LANGUAGES = catalogs.languages()


@pytest.fixture(scope="session")
def found():
    """Return the catalog of the sources."""
    return catalogs.template()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of catalogs with nothing but the terms in it."""
    terms = (catalogs.CATALOGS / "terms.toml").read_text(encoding="utf-8")
    (tmp_path / "terms.toml").write_text(terms, encoding="utf-8")
    monkeypatch.setattr(catalogs, "CATALOGS", tmp_path)
    return tmp_path


def test_the_languages_of_the_kit_are_there():
    assert {"nl", "da", "ro", "zh_Hans", "de", "ja", "pt_BR", "ar"} <= set(LANGUAGES)
    assert all(Locale.parse(language) for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
class TestCatalog:
    def test_holds_the_messages_of_the_sources_and_no_other(self, language, found):
        assert catalogs.stale(language, found) == []

    def test_says_each_with_its_places_marks_and_terms(self, language):
        assert catalogs.problems(language, catalogs.catalog_of(language)) == []

    def test_has_a_word_for_every_term_of_the_trade(self, language):
        terms = catalogs.read_toml(catalogs.CATALOGS / "terms.toml")
        assert [term for term in terms if language not in terms[term]] == []


def test_a_message_is_a_text_with_named_places_and_never_a_pasted_one(found):
    for entry in found:
        for text in catalogs._forms(entry.id):
            assert all(re.fullmatch(r"[a-z_]+", name) for name in places(text)), text


def test_messages_are_found_with_what_a_translator_is_told(found):
    entry = found.get("{lower} to {upper}")
    assert entry.auto_comments[0].startswith("the two ends of an interval")
    assert ("retention_kit/present/formats.py", 0) in entry.locations
    assert found.get("{n} day").id == ("{n} day", "{n} days")
    assert found.get("Do customers come back?").locations[0][0] == "notebooks/market_report.ipynb"
    assert found.get("In which days they come back") is not None  # a notebook's code gives it to be shown


def test_a_new_message_is_merged_and_what_is_translated_stays(folder, found):
    catalogs.update("nl", found=found)
    catalogs.fill("nl", {"Market": "Markt", "{n} day": ["{n} dag", "{n} dagen"]})
    before = (folder / "nl/LC_MESSAGES/retention_kit.po").read_bytes()
    catalog = catalogs.update("nl", found=found)
    assert (folder / "nl/LC_MESSAGES/retention_kit.po").read_bytes() == before
    assert (catalog.get("Market").string, catalog.get("{n} day").string) == ("Markt", ("{n} dag", "{n} dagen"))
    lacking = {one["id"]: one for one in catalogs.missing("nl")}
    assert "Market" not in lacking
    assert (lacking["active: an order in {n} day before"]["forms"], len(lacking)) == (2, len(found) - 2)


FAULTS = {
    "no place": ("{n} years", "jaren", "places nothing, not 'n'"),
    "another place": ("{n} years", "{m} jaar", "places 'm', not 'n'"),
    "a brace": ("{n} years", "{n jaar", "braces that do not close in '{n jaar'"),
    "a plural too few": ("{n} day", ["{n} dag"], "1 forms, not 2"),
    "a term": ("Churn rate", "Verlooppercentage", "'churn rate' is called 'klantverloop' here"),
    "a mark": (
        "In how many days do **most** come back?",
        "In hoeveel dagen komen de meesten terug?",
        "code, links or ** that differ in 'In hoeveel dagen komen de meesten terug?'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_translation_that_cannot_be_shown_is_refused_and_nothing_is_written(folder, found, fault):
    text, told, what = FAULTS[fault]
    found.add("In how many days do **most** come back?")
    catalogs.update("nl", found=found)
    before = (folder / "nl/LC_MESSAGES/retention_kit.po").read_bytes()
    with pytest.raises(catalogs.CatalogError) as refused:
        catalogs.fill("nl", {text: told})
    assert str(refused.value) == (
        "Translations cannot be shown as they are.\n"
        f"  found: nl: {text!r}: {what}\n"
        "  try:   correct them in retention_kit/present/locale, then run `make i18n`"
    )
    assert (folder / "nl/LC_MESSAGES/retention_kit.po").read_bytes() == before


def test_a_text_that_is_no_message_is_refused(folder, found):
    catalogs.update("nl", found=found)
    with pytest.raises(catalogs.UsageError, match="has no such message"):
        catalogs.fill("nl", {"no such message": "geen"})
    with pytest.raises(catalogs.UsageError, match="There is no catalog 'xx'"):
        catalogs.missing("xx")


def test_the_command_shows_what_is_missing_and_fills_it(folder, found, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(catalogs, "template", lambda: found)
    catalogs.main(["begin", "ar"])
    catalogs.main(["missing", "ar"])
    lacking = {one["id"]: one for one in json.loads(capsys.readouterr().out)}
    assert lacking["{n} day"]["forms"] == 6
    told = tmp_path / "told.json"
    forms = ["لا أيام", "يوم واحد", "يومان", "{n} أيام", "{n} يومًا", "{n} يوم"]
    told.write_text(json.dumps({"{n} day": forms, "gone": "x"}), encoding="utf-8")
    catalogs.main(["fill", "ar", str(told)])
    assert (
        capsys.readouterr().out
        == f"ar: {len(lacking) - 1} messages are not translated yet; 1 of the file are no messages.\n"
    )
    catalogs.main([])
    assert capsys.readouterr().out.split() == ["ar", "1", "of", str(len(lacking)), "messages"]


def test_the_check_before_a_release_names_what_a_complete_language_lacks(folder, found, monkeypatch):
    monkeypatch.setattr(catalogs, "COMPLETE", ("ar",))
    catalogs.update("ar", found=found)
    with pytest.raises(catalogs.CatalogError, match=r"ar: '\{n\} day': no translation"):
        catalogs.main(["check"])


def test_of_terms_that_overlap_the_longest_is_meant():
    terms = {"retention rate": ["a"], "customer retention rate": ["b"], "cohort": ["c"]}
    assert list(catalogs._terms_in("Customer retention rate of each cohort", terms)) == [
        "customer retention rate",
        "cohort",
    ]
    assert list(catalogs._terms_in("Retention rates", terms)) == ["retention rate"]
