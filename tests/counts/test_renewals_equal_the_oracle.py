"""Renewals: each subscription of the sample followed by slow Python with exact fractions, and a few by hand."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil

import company
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.config import project_root
from retention_kit.counts.patterns import purchase_counts

YEAR = Fraction(36525, 100)
DAYS = {"week": Fraction(7), "month": YEAR / 12, "quarter": YEAR / 4, "year": YEAR}
KEYS = ["market", "period", "holdouts_ago", "renewals", "ahead"]
COLUMNS = ["n_ended", "n_running", "n_leaving", "n_kept"]


def due(started: datetime, then: datetime, step: Fraction) -> int:
    """Return how many renewals are known of at an instant: due at least a tenth of a step before it."""
    steps = Fraction((then - started) // timedelta(microseconds=1), 86_400_000_000) / step
    return max(int((steps - Fraction(1, 10)) // 1), 0) if steps >= 1 else 0


def renewals_of(started: datetime, ended: datetime | None, then: datetime, step: Fraction) -> tuple[int, bool]:
    """Return how often a subscription was renewed, as known at an instant, and whether it failed one that was due."""
    known = due(started, then, step)
    if ended is not None:
        steps = Fraction((ended - started) // timedelta(microseconds=1), 86_400_000_000) / step
        life = max(ceil(steps - Fraction(1, 10)), 1)
        if life <= known:
            return life, True
    return known, False


def slowly(rows: pd.DataFrame, *, end_of: dict[str, datetime], holdout: timedelta) -> dict[tuple, list[int]]:
    found: dict[tuple, Counter] = {}
    for row in rows.itertuples():
        for ago in range(3):
            then = end_of[row.market] - ago * holdout
            later = end_of[row.market] - max(ago - 1, 0) * holdout
            started = row.started_at.to_pydatetime()
            ended = None if pd.isna(row.ended_at) else row.ended_at.to_pydatetime()
            if started >= then:
                continue
            period = row.period if row.period in DAYS else "other"
            n, has_ended, ahead, kept, is_over = 0, False, 0, True, ended is not None and ended < then
            if period != "other":
                n, has_ended = renewals_of(started, ended, then, DAYS[period])
                if not has_ended:
                    ahead = due(started, later, DAYS[period]) - n
                    kept = not renewals_of(started, ended, later, DAYS[period])[1]
            counted = found.setdefault((row.market, period, ago, n, ahead), Counter())
            runs = not has_ended and not is_over
            counted.update(n_ended=has_ended, n_running=runs, n_leaving=not has_ended and is_over, n_kept=runs and kept)
    return {key: [n["n_ended"], n["n_running"], n["n_leaving"], n["n_kept"]] for key, n in found.items()}


def test_renewals_of_the_sample_equal_the_oracle(sample_counts):
    rows = pd.read_parquet(project_root() / "data" / "sample" / "subscriptions.parquet")
    markets = sample_counts.source.markets
    end_of = {code: datetime(2026, 1, 1, tzinfo=market.zone).astimezone(UTC) for code, market in markets.items()}
    table = sample_counts.tables["renewal_counts"]
    found = {tuple(row[:5]): list(row[5:]) for row in table.itertuples(index=False, name=None)}
    assert list(table) == [*KEYS, "n_ended", "n_running", "n_leaving", "n_kept"]
    assert found == slowly(rows, end_of=end_of, holdout=timedelta(weeks=26))


@pytest.fixture
def by_hand(tmp_path) -> pd.DataFrame:
    """Return the renewals of seven subscriptions of Denmark, as of 1 January 2025, 13 weeks held out."""
    rows = [
        "a,DK,2024-01-15T12:00:00Z,2024-03-15T12:00:00Z,month",  # ended at the second renewal
        "b,DK,2024-01-15T12:00:00Z,,month",  # renewed on 15 December: eleven times
        "c,DK,2024-12-20T12:00:00Z,,month",  # no renewal due yet
        "d,DK,2024-01-15T12:00:00Z,2024-11-15T12:00:00Z,month",  # was running on 2 October, ended at the tenth
        "e,DK,2022-06-01T12:00:00Z,,year",
        "f,DK,2024-06-01T12:00:00Z,,fortnight",
        "g,DK,2022-06-01T12:00:00Z,2024-12-01T12:00:00Z,year",  # will not make the third renewal, which is not due
    ]
    header = "subscription_id,customer_id,market,started_at,ended_at,period"
    subscriptions = "\n".join([header, *(f"{n},{row}" for n, row in enumerate(rows)), ""])
    folder = company.write(tmp_path / "shop", company.orders(company.DENMARK), subscriptions=subscriptions)
    asked = {"as_of": company.AS_OF, "grains": ["quarter"], "tables": ["rfm_counts"], "holdout_weeks": 13}
    return counts.count(ingest.source(str(folder)), **asked).tables["renewal_counts"]


def test_a_few_subscriptions_by_hand(by_hand):
    now = by_hand.query("holdouts_ago == 0").set_index(["period", "renewals"])[COLUMNS]
    assert now.loc["month"].T.to_dict("list") == {0: [0, 1, 0, 1], 2: [1, 0, 0, 0], 10: [1, 0, 0, 0], 11: [0, 1, 0, 1]}
    assert now.loc["year"].T.to_dict("list") == {2: [0, 1, 1, 1]}
    assert now.loc["other"].T.to_dict("list") == {0: [0, 1, 0, 1]}
    then = by_hand.query("holdouts_ago == 1 and period == 'month'").set_index(["renewals", "ahead"])
    # on 2 October b and d have renewed eight times; three more come due: b makes all, d does not
    assert then[COLUMNS].T.to_dict("list") == {(2, 0): [1, 0, 0, 0], (8, 3): [0, 2, 0, 1]}


def test_without_subscriptions_there_are_no_renewals(tmp_path, monkeypatch):
    monkeypatch.setattr("retention_kit.counts.counting.project_root", lambda: tmp_path)
    folder = company.write(tmp_path / "shop", company.orders(company.DENMARK))
    found = purchase_counts(ingest.source(str(folder)), as_of=company.AS_OF, holdout_weeks=13)
    assert found.tables["renewal_counts"].empty
