"""Numbers as a reader writes them: percent, money, counts, dates, by Babel for a locale."""

import re
from copy import copy
from datetime import date
from functools import cache

import pandas as pd
from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, format_currency, format_decimal

ABSENT = "–"
LOCALE = "en"


def percent(share: float | None, *, digits: int = 1, locale: str = LOCALE) -> str:
    r"""Return a share as percent with so many decimals, spaced as the locale spaces it.

    >>> percent(0.6069), percent(0.6069, locale="da")
    ('60.7%', '60,7\xa0%')
    """
    if share is None or pd.isna(share):
        return ABSENT
    pattern, parsed = _percent_pattern(digits, locale)
    return pattern.apply(share, parsed)


@cache
def _percent_pattern(digits: int, locale: str) -> tuple[NumberPattern, Locale]:
    """Return the locale's own pattern with so many decimals: finding it takes longer than writing a number by it."""
    parsed = Locale.parse(locale)
    pattern = copy(parsed.percent_formats[None])
    pattern.frac_prec = (digits, digits)
    return pattern, parsed


def points(difference: float, *, digits: int = 1, locale: str = LOCALE) -> str:
    """Return a difference of two shares in percentage points, without its sign."""
    return decimal(abs(difference) * 100, digits=digits, locale=locale)


def decimal(value: float | None, *, digits: int, locale: str = LOCALE) -> str:
    """Return a number with exactly so many decimals."""
    if value is None or pd.isna(value):
        return ABSENT
    return format_decimal(value, format=f"#,##0.{'0' * digits}" if digits else "#,##0", locale=locale)


def count(value: float | None, *, locale: str = LOCALE) -> str:
    """Return a whole number with the locale's thousands."""
    return decimal(value, digits=0, locale=locale)


def money(value: float | None, *, currency: str, locale: str = LOCALE) -> str:
    """Return an amount with the decimals of its currency: none for JPY, three for KWD."""
    if value is None or pd.isna(value):
        return ABSENT
    return _spaced(format_currency(value, currency, locale=locale))


def whole_money(value: float | None, *, currency: str, locale: str = LOCALE) -> str:
    """Return an amount rounded to whole units of its currency."""
    if value is None or pd.isna(value):
        return ABSENT
    parsed = Locale.parse(locale)
    pattern = copy(parsed.currency_formats["standard"])
    pattern.frac_prec = (0, 0)
    return _spaced(pattern.apply(value, parsed, currency=currency, currency_digits=False))


def _spaced(written: str) -> str:
    """Return an amount with a space between letters and digits: DKK 500, and €500 as it is (CLDR's rule)."""
    return re.sub(r"(?<=[^\W\d_])(?=[\d-])", "\u00a0", written, count=1)


def day(when: date | str, *, locale: str = LOCALE) -> str:
    """Return a date in words, the day before the month in English.

    >>> day("2026-01-01"), day("2026-01-01", locale="zh")
    ('1 January 2026', '2026年1月1日')
    """
    written = "d MMMM y" if locale == LOCALE else "long"
    return format_date(date.fromisoformat(str(when)), format=written, locale=locale)


def share_interval(lower: float | None, upper: float | None, *, locale: str = LOCALE) -> str:
    """Return the interval of a share."""
    if lower is None or pd.isna(lower):
        return ""
    return f"{percent(lower, locale=locale)} to {percent(upper, locale=locale)}"
