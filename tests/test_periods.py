import doctest
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_kit import periods
from retention_kit.errors import UsageError
from retention_kit.periods import GRAINS, as_of_instant, first_date, label, labelled, period_of

DATES = st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31))
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize("grain", GRAINS)
@given(when=DATES)
def test_a_date_lies_in_its_period_and_not_in_the_next(grain, when):
    period = period_of(when, grain=grain)
    assert first_date(period, grain=grain) <= when < first_date(period + 1, grain=grain)


@pytest.mark.parametrize("grain", GRAINS)
@given(when=DATES)
def test_the_day_after_is_in_the_same_period_or_the_next(grain, when):
    step = period_of(when + timedelta(days=1), grain=grain) - period_of(when, grain=grain)
    assert step == (when + timedelta(days=1) == first_date(period_of(when, grain=grain) + 1, grain=grain))


@given(when=DATES)
def test_weeks_are_those_of_iso_8601(when):
    year, week, _ = when.isocalendar()
    assert label(period_of(when, grain="week"), grain="week") == f"{year}-W{week:02d}"
    assert first_date(period_of(when, grain="week"), grain="week").weekday() == 0


@pytest.mark.parametrize(
    ("when", "written"),
    [
        ("2024-02-29", ("2024-02-29", "2024-W09", "2024-02", "2024-Q1", "2024")),
        ("2021-01-03", ("2021-01-03", "2020-W53", "2021-01", "2021-Q1", "2021")),
        ("2024-12-31", ("2024-12-31", "2025-W01", "2024-12", "2024-Q4", "2024")),
        ("1969-12-31", ("1969-12-31", "1970-W01", "1969-12", "1969-Q4", "1969")),
    ],
)
def test_periods_are_written_as_people_write_them(when, written):
    day = date.fromisoformat(when)
    assert tuple(label(period_of(day, grain=grain), grain=grain) for grain in GRAINS) == written


def test_an_age_is_a_difference_of_periods():
    start, end = date(2023, 12, 31), date(2024, 3, 1)
    ages = {grain: period_of(end, grain=grain) - period_of(start, grain=grain) for grain in GRAINS}
    assert ages == {"day": 61, "week": 9, "month": 3, "quarter": 1, "year": 1}  # 31 + 29 + 1 days


def test_labels_do_not_change_the_table_they_are_made_of():
    table = pd.DataFrame({"grain": ["month", "quarter", "history"], "period": [24288, 8096, 0], "n": [1, 2, 3]})
    assert labelled(table)["period"].tolist() == ["2024-01", "2024-Q1", "history"]
    assert table["period"].tolist() == [24288, 8096, 0]


@pytest.mark.parametrize("call", [period_of, first_date], ids=lambda call: call.__name__)
def test_an_unknown_grain_names_the_near_miss(call):
    with pytest.raises(UsageError) as error:
        call(date(2024, 1, 1) if call is period_of else 1, grain="monht")
    assert str(error.value) == (
        "There is no grain 'monht'.\n  found: 'day', 'week', 'month', 'quarter', 'year'\n  try:   'month'"
    )


@pytest.mark.parametrize(
    ("as_of", "instant", "day"),
    [
        ("2026-01-01", "2025-12-31T23:00", "2026-01-01"),  # local midnight, in winter UTC+1
        ("2026-07-01", "2026-06-30T22:00", "2026-07-01"),  # in summer UTC+2
        ("2026-01-01T12:00+01:00", "2026-01-01T11:00", "2026-01-01"),
        ("2025-12-31T23:30Z", "2025-12-31T23:30", "2026-01-01"),  # already the next day in Amsterdam
    ],
)
def test_as_of_is_local_midnight_or_an_instant(as_of, instant, day):
    us, local_day = as_of_instant(as_of, zone=AMSTERDAM)
    assert datetime.fromtimestamp(us / 1e6, UTC) == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert periods.date_of(local_day) == date.fromisoformat(day)


@pytest.mark.parametrize(
    "as_of",
    ["yesterday", "", "2026", "01-02-2026", "2026-02-30", "2026-01-01T12:00", "20260101", "2026-W01", "0001-01-01"],
)
def test_what_is_no_as_of_is_told_with_an_example(as_of):
    with pytest.raises(UsageError) as error:
        as_of_instant(as_of, zone=AMSTERDAM)
    assert str(error.value) == (
        f"as_of '{as_of}' is neither a date nor an instant with an offset.\n"
        "  try:   2026-01-01, or 2026-01-01T12:00+01:00"
    )


def test_the_examples_in_the_docstrings_hold():
    found = doctest.testmod(periods)
    assert (found.failed, found.attempted > 2) == (0, True)
