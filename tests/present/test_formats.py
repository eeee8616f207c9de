import doctest

import pytest

from retention_kit.present import formats

# the locale's own spaces are narrow or unbreakable: here written as an ordinary one
WRITTEN = {
    "da": ("60,7 %", "1.204", "1.234,50 kr.", "500 kr.", "1. januar 2026"),
    "ro": ("60,7 %", "1.204", "1.234,50 DKK", "500 DKK", "1 ianuarie 2026"),
    "de": ("60,7 %", "1.204", "1.234,50 DKK", "500 DKK", "1. Januar 2026"),
    "nl": ("60,7%", "1.204", "DKK 1.234,50", "DKK 500", "1 januari 2026"),
    "zh": ("60.7%", "1,204", "DKK 1,234.50", "DKK 500", "2026年1月1日"),
    "en": ("60.7%", "1,204", "DKK 1,234.50", "DKK 500", "1 January 2026"),
}


@pytest.mark.parametrize("locale", WRITTEN)
def test_numbers_are_written_as_the_locale_writes_them(locale):
    found = (
        formats.percent(0.6069, locale=locale),
        formats.count(1204, locale=locale),
        formats.money(1234.5, currency="DKK", locale=locale),
        formats.whole_money(500.4, currency="DKK", locale=locale),
        formats.day("2026-01-01", locale=locale),
    )
    assert tuple(text.replace("\u00a0", " ").replace("\u202f", " ") for text in found) == WRITTEN[locale]


@pytest.mark.parametrize(
    ("currency", "written"), [("JPY", "¥1,235"), ("KWD", "KWD\u00a01,234.560"), ("EUR", "€1,234.56")]
)
def test_money_has_the_decimals_of_its_currency(currency, written):
    assert formats.money(1234.56, currency=currency) == written


def test_large_amounts_are_written_in_whole_units():
    assert formats.whole_money(7308391.554, currency="GBP") == "£7,308,392"
    assert formats.whole_money(-123456.7, currency="KWD") == "−KWD\u00a0123,457"


def test_percent_has_the_decimals_asked_for_and_money_may_be_negative():
    assert [formats.percent(0.0849, digits=digits) for digits in (0, 1, 2)] == ["8%", "8.5%", "8.49%"]
    assert formats.money(-5, currency="EUR") == "−€5.00"
    assert formats.percent(1) == "100.0%"


def test_points_have_no_sign_and_no_percent():
    assert formats.points(-0.0512) == "5.1"


@pytest.mark.parametrize("absent", [None, float("nan")])
def test_what_is_absent_is_a_dash_and_never_nan(absent):
    assert {
        formats.percent(absent),
        formats.count(absent),
        formats.decimal(absent, digits=2),
        formats.money(absent, currency="EUR"),
        formats.whole_money(absent, currency="EUR"),
    } == {"–"}
    assert formats.share_interval(absent, absent) == ""


def test_an_interval_names_both_ends():
    assert formats.share_interval(0.58, 0.6449) == "58.0% to 64.5%"


def test_the_examples_in_the_docstrings_hold():
    found = doctest.testmod(formats)
    assert (found.failed, found.attempted > 1) == (0, True)
