"""Numbers as a reader writes them: percent, money, counts, dates, by Babel for the language that is spoken."""

import re
from collections.abc import Iterable
from copy import copy
from datetime import date
from functools import cache
from typing import Any

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import NumberPattern, format_currency, format_decimal, format_scientific

from retention_kit.present.languages import _, current, locale_of, ngettext, with_minus

ABSENT = "–"


def percent(share: float | None, *, digits: int = 1, locale: str | None = None) -> str:
    r"""Return a share as percent with so many decimals, spaced as the locale spaces it.

    >>> percent(0.6069), percent(0.6069, locale="da")
    ('60.7%', '60,7\xa0%')
    """
    if is_absent(share):
        return ABSENT
    parsed = _locale(locale)
    return with_minus(_percent_pattern(digits, parsed).apply(share, parsed))


def points(difference: float, *, digits: int = 1, locale: str | None = None) -> str:
    """Return a difference of two shares in percentage points, without its sign."""
    return decimal(abs(difference) * 100, digits=digits, locale=locale)


def signed_points(difference: float | None, *, locale: str | None = None) -> str:
    """Return a difference of two shares in percentage points, with its sign; none where it rounds to nothing.

    >>> signed_points(0.0123), signed_points(-0.2), signed_points(-0.0001)
    ('+1.2', '−20.0', '0.0')
    """
    if is_absent(difference):
        return ABSENT
    sign = "" if round(abs(difference) * 100, 1) == 0 else "+" if difference > 0 else "−"
    return f"{sign}{points(difference, locale=locale)}"


def change(share: float | None, *, locale: str | None = None) -> str:
    """Return a relative difference as percent with its sign; none where it rounds to nothing.

    >>> change(0.034), change(-0.1), change(-0.0001)
    ('+3.4%', '−10.0%', '0.0%')
    """
    if is_absent(share):
        return ABSENT
    sign = "" if round(abs(share) * 100, 1) == 0 else "+" if share > 0 else "−"
    return f"{sign}{percent(abs(share), locale=locale)}"


def p_value(p: float | None) -> str:
    """Return the p of a test, never as 0."""
    if is_absent(p):
        return ABSENT
    return f"< {decimal(0.001, digits=3)}" if p < 0.001 else decimal(p, digits=3)


def hours(value: float | None) -> str:
    """Return a time in hours."""
    return ABSENT if is_absent(value) else _("{hours} h").format(hours=decimal(value, digits=1))


def decimal(value: float | None, *, digits: int, locale: str | None = None) -> str:
    """Return a number with exactly so many decimals."""
    if is_absent(value):
        return ABSENT
    written = format_decimal(value, format=f"#,##0.{'0' * digits}" if digits else "#,##0", locale=_locale(locale))
    return with_minus(written)


def ungrouped(value: float | None, *, digits: int, locale: str | None = None) -> str:
    """Return a number with exactly so many decimals and no thousands: a year stays one; a tiny one by its power of 10.

    >>> ungrouped(2025, digits=0), ungrouped(0.5, digits=2, locale="da"), ungrouped(1.2e-9, digits=6)
    ('2025', '0,50', '1.2E−9')
    """
    if is_absent(value):
        return ABSENT
    parsed = _locale(locale)
    if value and (abs(value) < 0.5 * 10**-digits or abs(value) >= 1e16):
        return with_minus(format_scientific(value, format="0.######E0", locale=parsed))
    return with_minus(format_decimal(value, format=f"0.{'0' * digits}" if digits else "0", locale=parsed))


def count(value: float | None, *, locale: str | None = None) -> str:
    """Return a whole number with the locale's thousands."""
    return decimal(value, digits=0, locale=locale)


def money(value: float | None, *, currency: str, locale: str | None = None) -> str:
    """Return an amount with the decimals of its currency: none for JPY, three for KWD."""
    if is_absent(value):
        return ABSENT
    return _spaced(format_currency(value, currency, locale=_locale(locale)))


def whole_money(value: float | None, *, currency: str, locale: str | None = None) -> str:
    """Return an amount rounded to whole units of its currency."""
    if is_absent(value):
        return ABSENT
    parsed = _locale(locale)
    pattern = copy(parsed.currency_formats["standard"])
    pattern.frac_prec = (0, 0)
    return _spaced(pattern.apply(value, parsed, currency=currency, currency_digits=False))


def quantity(number: float | None, *, unit: str, currency: str | None = None) -> str:
    """Return a number of a headline by its unit: a share as percent, money in its currency, days and years in words."""
    if is_absent(number):
        return ABSENT
    match unit:
        case "share" | "ratio":
            return percent(number)
        case "customers" | "orders":
            return count(number)
        case "days":
            return ngettext("{n} day", "{n} days", round(number)).format(n=count(number))
        case "difference of share":
            return _("{n} points").format(n=signed_points(number))
        case _difference if _difference.startswith("difference of "):
            written = quantity(abs(number), unit=_difference.removeprefix("difference of "), currency=currency)
            return f"{'+' if number > 0 else '−' if number < 0 else ''}{written}"
        case "each":
            return decimal(number, digits=3)
        case "years":
            # Translators: n has a decimal: 1.8 years
            return _("{n} years").format(n=decimal(number, digits=1))
        case _money if _money.startswith("currency"):
            return (whole_money if abs(number) >= 100_000 else money)(number, currency=currency)
    return decimal(number, digits=2)


def day(when: date | str, *, locale: str | None = None) -> str:
    """Return a date in words, the day before the month in English that is of no country.

    >>> day("2026-01-01"), day("2026-01-01", locale="zh")
    ('1 January 2026', '2026年1月1日')
    """
    parsed = _locale(locale)
    written = "d MMMM y" if str(parsed) == "en" else "long"
    return format_date(date.fromisoformat(str(when)), format=written, locale=parsed)


def period(label: str, *, locale: str | None = None) -> str:
    r"""Return a period, written 2024-03-15, 2024-W11, 2024-03, 2024-Q1 or 2024, as the locale writes it.

    English keeps it as it is, and so do all where the text is no such label. Weeks are ISO weeks everywhere.

    >>> period("2024-03"), period("2024-03", locale="nl"), period("2024-Q1", locale="zh"), period("all", locale="zh")
    ('2024-03', 'mrt\xa02024', '2024年第1季度', 'all')
    """
    found = _LABEL.fullmatch(str(label))
    parsed = _locale(locale)
    if not found or parsed.language == "en":
        return str(label)
    year, week, quarter, month, of_month = found.groups()
    if week:
        return _("{year}-W{week}").format(year=year, week=week)
    if not quarter and not month:
        return str(label)
    first = date(int(year), int(quarter) * 3 - 2 if quarter else int(month), int(of_month or 1))
    if of_month:
        return format_date(first, format="medium", locale=parsed).replace(" ", "\u00a0")
    return format_skeleton("yQQQ" if quarter else "yMMM", first, locale=parsed).replace(" ", "\u00a0")


def window(written: str, *, locale: str | None = None) -> str:
    """Return a window, written `2025-10-01 to 2026-01-01`, with each of its ends as the locale writes it."""
    start, to, end = written.partition(" to ")
    return between(period(start, locale=locale), period(end, locale=locale)) if to else period(written, locale=locale)


def between(lower: str, upper: str) -> str:
    """Return the two ends of an interval, each already written."""
    # Translators: the two ends of an interval: 58.0% to 64.5%, or 1 October 2025 to 1 January 2026
    return _("{lower} to {upper}").format(lower=lower, upper=upper)


def share_interval(lower: float | None, upper: float | None, *, locale: str | None = None) -> str:
    """Return the interval of a share."""
    if is_absent(lower):
        return ""
    return between(percent(lower, locale=locale), percent(upper, locale=locale))


def listed(items: Iterable[str], *, locale: str | None = None) -> str:
    """Return items as a list in running text: A, B and C.

    >>> listed(["A", "B", "C"]), listed(["A", "B", "C"], locale="zh"), listed(["A"])
    ('A, B and C', 'A、B和C', 'A')
    """
    parsed = _locale(locale)
    return format_list(list(items), locale=Locale("en", "GB") if str(parsed) == "en" else parsed)


def enumerated(items: Iterable[str]) -> str:
    """Return items that hold commas of their own, one after another: A; B; C."""
    # Translators: what stands between items of a long enumeration; keep the space where your language sets one
    return _("; ").join(items)


def separated(items: Iterable[str]) -> str:
    """Return short items one after another: A, B, C."""
    # Translators: what stands between items of a short enumeration without "and"; keep the space where one is set
    return _(", ").join(items)


def is_absent(value: Any) -> bool:
    """Tell whether there is no value: None, NaN, pandas' NA or NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


_LABEL = re.compile(r"(\d{4})(?:-W(\d{2})|-Q([1-4])|-(\d{2})(?:-(\d{2}))?)?")


def _locale(name: str | None) -> Locale:
    return current().locale if name is None else locale_of(name.replace("_", "-"))


@cache
def _percent_pattern(digits: int, locale: Locale) -> NumberPattern:
    """Return the locale's own pattern with so many decimals: finding it takes longer than writing a number by it."""
    pattern = copy(locale.percent_formats[None])
    pattern.frac_prec = (digits, digits)
    return pattern


def _spaced(written: str) -> str:
    """Return an amount with a space between letters and digits: DKK 500, and €500 as it is (CLDR's rule)."""
    return re.sub(r"(?<=[^\W\d_])(?=[\d−])", "\u00a0", with_minus(written), count=1)
