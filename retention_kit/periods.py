"""Periods are integers, so an age is a difference and no engine is asked for a date.

A day is the number of days since 1970-01-01, a week counts ISO weeks from Monday to Sunday,
`month = year * 12 + month - 1`, `quarter = year * 4 + quarter - 1`, and a year is itself.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import get_args

from retention_kit.config import Grain
from retention_kit.errors import UsageError, unknown_name

GRAINS: tuple[str, ...] = get_args(Grain)

_EPOCH = date(1970, 1, 1)


def day_of(when: date) -> int:
    """Return the days from 1970-01-01 to a date."""
    return (when - _EPOCH).days


def date_of(day: int) -> date:
    """Return the date of a day."""
    return _EPOCH + timedelta(days=int(day))


def period_of(when: date, *, grain: str) -> int:
    """Return the period that holds a date.

    >>> period_of(date(2024, 3, 15), grain="month") - period_of(date(2023, 12, 31), grain="month")
    3
    """
    match grain:
        case "day":
            return day_of(when)
        case "week":
            return (day_of(when) + 3) // 7  # 1970-01-01 was a Thursday
        case "month":
            return when.year * 12 + when.month - 1
        case "quarter":
            return when.year * 4 + (when.month - 1) // 3
        case "year":
            return when.year
    raise unknown_name("grain", grain, GRAINS)


def first_date(period: int, *, grain: str) -> date:
    """Return the first date of a period.

    >>> first_date(period_of(date(2024, 8, 15), grain="quarter"), grain="quarter")
    datetime.date(2024, 7, 1)
    """
    period = int(period)
    match grain:
        case "day":
            return date_of(period)
        case "week":
            return date_of(period * 7 - 3)
        case "month":
            return date(period // 12, period % 12 + 1, 1)
        case "quarter":
            return date(period // 4, period % 4 * 3 + 1, 1)
        case "year":
            return date(period, 1, 1)
    raise unknown_name("grain", grain, GRAINS)


def label(period: int, *, grain: str) -> str:
    """Return how a period is written: 2024-03-15, 2024-W11, 2024-03, 2024-Q1, 2024.

    >>> label(period_of(date(2021, 1, 3), grain="week"), grain="week")
    '2020-W53'
    """
    first = first_date(period, grain=grain)
    match grain:
        case "week":
            year, week, _ = first.isocalendar()
            return f"{year}-W{week:02d}"
        case "month":
            return f"{first:%Y-%m}"
        case "quarter":
            return f"{first.year}-Q{(first.month + 2) // 3}"
        case "year":
            return f"{first.year}"
    return first.isoformat()


def labelled(table, *, columns: tuple[str, ...] = ("period", "cohort")):
    """Return a counts table or a metric's with its periods written out, each by its grain; the table stays as it is."""
    written = {
        column: [
            label(period, grain=grain) if grain in GRAINS else grain
            for period, grain in zip(table[column], table["grain"], strict=True)
        ]
        for column in columns
        if column in table
    }
    return table.assign(**written)


def as_of_instant(as_of: str, *, zone) -> tuple[int, int]:
    """Return the first instant not observed, in microseconds since 1970 UTC, and the local day it falls on.

    A date is local midnight; an instant needs its offset: `2026-01-01T12:00+01:00`.

    Raises
    ------
    UsageError : neither a date nor an instant with an offset.
    """
    try:
        when = datetime.fromisoformat(as_of)
        if not re.match(r"\d{4}-\d\d-\d\d", as_of) or (len(as_of) > len("2026-01-01") and when.tzinfo is None):
            raise ValueError("another way to write a date, or an instant without an offset")
        local = when.replace(tzinfo=zone) if when.tzinfo is None else when.astimezone(zone)
        since = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError, OverflowError) as why:
        raise UsageError(
            f"as_of '{as_of}' is neither a date nor an instant with an offset.",
            to_try="2026-01-01, or 2026-01-01T12:00+01:00",
        ) from why
    return since // timedelta(microseconds=1), day_of(local.date())
