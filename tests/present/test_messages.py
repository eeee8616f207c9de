"""What is found and noted is said in the reader's language, by whole sentences with places."""

import doctest
import json

import pytest

from retention_kit.ingest.findings import ALL_REASONS, Findings, finding, reasons
from retention_kit.ingest.tables import TABLES
from retention_kit.messages import Message, Number, both, first_of
from retention_kit.present import languages, prose
from retention_kit.present.languages import worded


@pytest.mark.parametrize("reason", sorted(ALL_REASONS))
def test_every_finding_has_a_sentence_of_its_own(reason):
    table = next(name for name, columns in TABLES.items() if reason in reasons(columns))
    found = finding(table, reason, "note", 1204, 33104, values=3)
    asked = []
    with languages.speaking("en"):
        assert worded(found.text) == found.text
        languages.current()._translations.gettext = lambda text: asked.append(text) or text
        try:
            worded(found.text)
        finally:
            del languages.current()._translations.gettext
    assert found.text not in asked  # it is said by a sentence with places, not as a text of its own
    assert found.text.startswith("1,204 of 33,104 ")
    (again,) = Findings.from_dicts(json.loads(json.dumps(Findings((found,)).to_dicts()))).rows
    assert again.text == found.text


def test_a_finding_is_told_in_the_readers_language_with_the_bare_name_of_its_column():
    found = finding("orders", "no_customer_id", "refused", 1204, 33104).text
    with languages.speaking("da-DK"):
        told = worded(found)
    assert "1.204" in told
    assert "customer_id" in told
    assert told != found
    article = finding("orders", "large_amount", "refused", 1, 2).text
    assert "an amount" in article
    with languages.speaking("da-DK"):
        assert "an amount" not in worded(article)


def test_notes_are_told_one_after_another_and_the_first_by_itself():
    note = both(Message("{share} of {n}", share=Number(0.425, 1, is_share=True), n=1204), "two", "three")
    assert (note, first_of(note), first_of("one")) == ("42.5% of 1,204; two; three", "42.5% of 1,204", "one")
    assert worded(note) == note


def test_prose_keeps_its_marks_its_code_and_its_tables():
    text = "# A\n\nOne\ntwo.\n\n- b\n  c\n- d\n\n1. e\n\n```\ncode\n```\n| t | u |\n<div>x</div>\n"
    asked = []
    told = prose.translated(text, lambda one: asked.append(one) or one.upper())
    assert asked == ["A", "One two.", "b c", "d", "e"]
    assert told == "# A\n\nONE TWO.\n\n- B C\n- D\n\n1. E\n\n```\ncode\n```\n| t | u |\n<div>x</div>\n"


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(prose)
    assert (result.failed, result.attempted > 1) == (0, True)
