import copy
import pickle

import pandas as pd
import pytest

from retention_kit.errors import UsageError
from retention_kit.messages import N_, Message, Verbatim, both
from retention_kit.present import formats, languages
from retention_kit.present.languages import _, ngettext, speak, speaking, untranslated, worded
from retention_kit.table import Column, Role, Table

PO = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "{n} customers left {name}."
msgstr "{n} klanten verlieten {name}."

msgid "{n} day"
msgid_plural "{n} days"
msgstr[0] "{n} dag"
msgstr[1] "{n} dagen"

msgid "no cohort"
msgstr "geen cohort"
"""


@pytest.fixture
def dutch(tmp_path, monkeypatch):
    """Speak Dutch from a catalog of three messages."""
    folder = tmp_path / "nl" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "retention_kit.po").write_text(PO, encoding="utf-8")
    monkeypatch.setattr(languages, "CATALOGS", tmp_path)
    languages.available.cache_clear()
    languages.language_of.cache_clear()
    with speaking("nl-NL"):
        yield folder
    languages.available.cache_clear()
    languages.language_of.cache_clear()


def test_english_is_spoken_until_another_language_is():
    assert _("no such message") == "no such message"
    assert (languages.current().code, languages.current().direction) == ("en", "ltr")


def test_a_message_is_said_in_the_language_that_is_spoken(dutch):
    assert _("{n} customers left {name}.").format(n="3", name="Kees") == "3 klanten verlieten Kees."
    assert [ngettext("{n} day", "{n} days", n) for n in (1, 2)] == ["{n} dag", "{n} dagen"]
    assert _("") == ""
    with speaking("en"):
        assert _("no cohort") == "no cohort"
    assert _("no cohort") == "geen cohort"


def test_a_missing_message_is_said_in_english_and_counted(dutch):
    speak("nl")
    assert [_("missing"), _("missing"), ngettext("a miss", "misses", 2)] == ["missing", "missing", "misses"]
    assert untranslated() == {"missing": 2, "a miss": 1}
    speak("nl")
    assert not untranslated()


def test_a_language_without_a_catalog_is_said_in_english_and_says_so(dutch):
    with speaking("fr-BE") as spoken:
        assert (spoken.catalog, spoken.code, spoken.is_known) == ("en", "en", False)
        assert formats.percent(0.5) == "50.0%"
    with speaking("nl-BE") as spoken:
        assert (spoken.catalog, spoken.code, spoken.is_known) == ("nl", "nl-BE", True)
        assert formats.percent(0.5) == "50,0%"
    with speaking("en-US") as spoken:
        assert (spoken.code, spoken.is_known) == ("en-US", True)


def test_a_language_that_is_none_is_an_error():
    with pytest.raises(UsageError) as told_:
        speak("dutch!")
    assert str(told_.value) == "'dutch!' is not a language.\n  try:   one such as 'en', 'nl-NL' or 'zh-Hans-CN'"


def test_a_message_made_elsewhere_is_told_in_every_language(dutch):
    message = Message("{n} customers left {name}.", n=1204, name="Kees")
    assert message == "1,204 customers left Kees."
    assert worded(message) == "1.204 klanten verlieten Kees."
    assert worded(N_("no cohort")) == "geen cohort"
    assert [worded(Message("{n} day", "{n} days", n=n)) for n in (1, 2)] == ["1 dag", "2 dagen"]
    nested = Message("{n} customers left {name}.", n=2, name=Message("{n} day", "{n} days", n=2))
    assert worded(nested) == "2 klanten verlieten 2 dagen."


def test_a_message_stays_one_when_copied_or_stored():
    message = Message("{n} day", "{n} days", n=2)
    for other in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert (other, other.template, other.plural, other.facts) == ("2 days", "{n} day", "{n} days", {"n": 2})


def test_a_catalog_is_compiled_once_and_again_when_its_source_changes(dutch):
    mo = dutch / "retention_kit.mo"
    assert mo.is_file()
    (dutch / "retention_kit.po").write_text(PO.replace("geen cohort", "geen enkel cohort"), encoding="utf-8")
    languages.language_of.cache_clear()
    with speaking("nl"):
        assert _("no cohort") == "geen enkel cohort"


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("2024-03", "mrt 2024"),
        ("2024-Q1", "K1 2024"),
        ("2024-03-15", "15 mrt 2024"),
        ("2024", "2024"),
        ("2024-W11", "2024-W11"),
        ("all", "all"),
    ],
)
def test_a_period_is_written_as_the_language_writes_it(dutch, label, written):
    assert formats.period(label).replace("\u00a0", " ") == written
    assert formats.period(label, locale="en") == label


def test_a_table_keeps_its_columns_where_two_titles_are_the_same_in_a_language(dutch):
    columns = [Column("a", "no cohort", Role.KEY), Column("b", Verbatim("geen cohort"), Role.KEY)]
    table = Table(pd.DataFrame({"a": ["x"], "b": ["y"]}), columns, name="x", title="")
    assert table.html.count(">geen cohort</th>") == 2


def test_a_country_has_its_name_in_the_language_that_is_spoken():
    with languages.speaking("da"):
        assert languages.place("Germany") == "Tyskland"
        assert languages.place("Acme Nordics") == "Acme Nordics"
        assert languages.worded(Message("{market}: nothing", market="Denmark")).startswith("Danmark")
    assert languages.place("Germany") == "Germany"


def test_notes_put_together_are_each_said_in_the_language():
    notes = both(N_("no share, so it has no interval"), N_("shown beside the exact rate"))
    assert notes == "no share, so it has no interval; shown beside the exact rate"
    with speaking("da"):
        told = worded(notes)
    assert "no share" not in told
    assert "beside" not in told
    assert "; " in told
