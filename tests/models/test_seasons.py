"""Seasons: two whole years or none; time that is stretched and not lengthened; the planted season is found."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from retention_kit.models import no_seasons, patterns, seasons
from retention_kit.models.seasons import Seasons
from retention_kit.periods import day_of, first_date
from retention_kit.simulate.lives import DAYS, START, season

FACTORS = np.array([0.8, 0.8, 1, 1, 1, 0.9, 0.8, 0.8, 1, 1.1, 1.3, 1.5])
FACTORS = FACTORS / FACTORS.mean()


def months(
    n: int, *, per_day: float = 40, growth: float = 1.0, first: int = 2023 * 12
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return orders and newcomers of months that follow FACTORS and a trend."""
    rows = []
    for period in range(first, first + n):
        start, end = (day_of(first_date(p, grain="month")) for p in (period, period + 1))
        repeats = round(per_day * growth ** (period - first) * FACTORS[period % 12] * (end - start))
        rows.append((period, start, end, repeats + 100, 100))
    table = pd.DataFrame(rows, columns=["period", "first_day", "next_day", "n_order_days", "n_new"])
    return (
        table.assign(grain="month", complete=1)[
            ["grain", "period", "complete", "first_day", "next_day", "n_order_days"]
        ],
        table.assign(grain="month", rule="period")[["grain", "rule", "period", "n_new"]],
    )


@pytest.mark.parametrize("growth", [0.97, 1.0, 1.05])
def test_the_factors_of_months_are_found_beside_a_trend(growth):
    found = seasons(*months(36, growth=growth), before_day=day_of(date(2026, 1, 1)))
    assert found.known
    assert found.factors == pytest.approx(FACTORS, rel=0.03)
    assert found.note == "season of 36 months"


def test_months_after_the_hold_out_began_are_not_read():
    early = seasons(*months(36), before_day=day_of(date(2025, 1, 1)))
    assert early.note == "season of 24 months"


def test_less_than_two_years_and_few_orders_tell_no_season():
    short = seasons(*months(23), before_day=day_of(date(2026, 1, 1)))
    assert not short.known
    assert short.note == "no season: 23 whole months are known, 24 are needed"
    assert (short.factors == 1).all()
    quiet = seasons(*months(24, per_day=0.5), before_day=day_of(date(2026, 1, 1)))
    assert quiet.note.startswith("no season: 3")
    assert quiet.note.endswith(" repeat orders are known, 600 are needed")


def test_a_year_of_seasonal_weeks_is_a_year_and_december_is_longer():
    known = Seasons(FACTORS, True, "")
    start = day_of(date(2025, 1, 1))
    assert known.weeks(start, 365 / 7) == pytest.approx(365 / 7, rel=0.01)
    assert known.weeks(day_of(date(2025, 12, 1)), 31 / 7) == pytest.approx(31 / 7 * FACTORS[11])
    assert no_seasons("none").weeks(start, 26) == 26


def test_patterns_are_stretched_and_stay_possible():
    rows = pd.DataFrame(
        {
            "unit_days": 7,
            "frequency": [0, 3, 5],
            "recency": [0, 20, 104],
            "age": [104, 30, 104],
            "n_customers": [9, 4, 2],
        }
    )
    plain = patterns(rows)
    as_of = day_of(date(2026, 1, 1))
    stretched = Seasons(FACTORS, True, "").adjusted(plain, as_of_day=as_of)
    assert (stretched.t_x <= stretched.T).all()
    assert stretched.t_x[0] == 0
    assert (stretched.n == plain.n).all()
    assert stretched.T[1] > plain.T[1]  # the last thirty weeks of a year are its busiest
    assert no_seasons("none").adjusted(plain, as_of_day=as_of) is plain
    flat = Seasons(np.ones(12), True, "").adjusted(plain, as_of_day=as_of)
    assert pytest.approx(plain.T) == flat.T
    assert flat.t_x == pytest.approx(plain.t_x)


def test_the_season_that_the_sample_was_built_with_is_found(sample_counts):
    month = (START + np.arange(DAYS)).astype("datetime64[M]").astype(int) % 12
    for code in ("NL", "US", "DE"):
        here = sample_counts.of(code)
        found = seasons(here.order_counts, here.activity_counts, before_day=day_of(date(2026, 1, 1)))
        planted = np.array([season(code)[month == nth].mean() for nth in range(12)])
        planted /= planted.mean()
        assert np.corrcoef(found.factors, planted)[0, 1] > 0.9
        assert np.abs(found.factors / planted - 1).max() < 0.15
