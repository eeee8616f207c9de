import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retention_kit.errors import MetricError
from retention_kit.metrics import hazard, kaplan_meier, log_rank, median_lifetime, restricted_mean_lifetime, survival

NAMES = {"duration": "t", "n_ended": "d", "n_running": "c"}


def life(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["t", "d", "c"])


# five customers: one ends at 2, one is still here at 3, two end at 5, one is still here at 8
FIVE = life((2, 1, 0), (3, 0, 1), (5, 2, 0), (8, 0, 1))


def of_market(*rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["duration_days", "n_ended", "n_running"])
    return table.assign(market="DK", kind="orders")


def test_a_curve_of_five_customers_is_as_calculated_by_hand():
    found = kaplan_meier(FIVE, **NAMES)
    assert found["n_at_risk"].tolist() == [5, 4, 3, 1]
    assert found["survival"].tolist() == pytest.approx([4 / 5, 4 / 5, 4 / 5 * 1 / 3, 4 / 15])
    assert found["hazard"].tolist() == pytest.approx([1 / 5, 0, 2 / 3, 0])


def test_who_is_censored_at_a_duration_is_at_risk_of_the_events_at_it():
    assert kaplan_meier(life((4, 1, 1)), **NAMES)["survival"].tolist() == [1 / 2]


def test_curve_and_intervals_are_scipy_s():
    random = np.random.default_rng(7)
    times, events = random.integers(1, 40, 200), random.random(200) < 0.6
    times[np.argmax(times)] += 1
    events[np.argmax(times)] = False  # somebody outlives all
    data = stats.CensoredData(uncensored=times[events].astype(float), right=times[~events].astype(float))
    known = stats.ecdf(data).sf
    ends = known.confidence_interval(method="log-log")
    table = pd.DataFrame({"t": times, "d": events.astype(int), "c": 1 - events.astype(int)})
    found = kaplan_meier(table, **NAMES).set_index("duration").loc[known.quantiles]
    assert found["survival"].to_numpy() == pytest.approx(known.probabilities)
    inside = (known.probabilities > 0) & (known.probabilities < 1)
    assert found["lower"].to_numpy()[inside] == pytest.approx(ends.low.probabilities[inside])
    assert found["upper"].to_numpy()[inside] == pytest.approx(ends.high.probabilities[inside])


def test_log_rank_is_scipy_s():
    one, other = [3.0, 5, 7, 9, 12], [1.0, 2, 2, 6, 8]
    known = stats.logrank(one, other)
    rows = [("a", t, 1, 0) for t in one] + [("b", t, 1, 0) for t in other]
    statistic, freedom, p = log_rank(pd.DataFrame(rows, columns=["group", *"tdc"]), group="group", **NAMES)
    assert (statistic, freedom) == (pytest.approx(known.statistic**2), 1)
    assert p == pytest.approx(known.pvalue)


def test_equal_groups_do_not_differ_and_one_group_is_refused():
    rows = pd.concat([FIVE.assign(group=name) for name in "abc"])
    assert log_rank(rows, group="group", **NAMES) == (pytest.approx(0), 2, pytest.approx(1))
    with pytest.raises(MetricError, match="Survival is compared between groups"):
        log_rank(FIVE.assign(group="a"), group="group", **NAMES)


def test_half_are_gone_at_the_median_and_where_most_stay_there_is_none():
    assert median_lifetime.frame(of_market((2, 1, 0), (3, 0, 1), (5, 2, 0), (8, 0, 1)))["median_lifetime"].item() == 5
    assert math.isnan(median_lifetime.frame(of_market((2, 1, 0), (9, 0, 4)))["median_lifetime"].item())


def test_the_restricted_mean_is_the_area_under_the_curve():
    # 1 for 2 days, 4/5 for 3, 4/15 for the last one of six
    found = restricted_mean_lifetime.frame(of_market((2, 1, 0), (3, 0, 1), (5, 2, 0), (8, 0, 1)), within_days=6)
    assert found["restricted_mean_lifetime"].item() == pytest.approx(2 + 3 * 4 / 5 + 4 / 15)
    too_long = restricted_mean_lifetime.frame(of_market((2, 1, 0), (8, 0, 1)), within_days=9)
    assert math.isnan(too_long["restricted_mean_lifetime"].item())


def test_a_restricted_mean_without_censoring_is_the_mean_with_its_error():
    lives = [3, 4, 8, 9, 11]
    found = restricted_mean_lifetime.frame(of_market(*((t, 1, 0) for t in lives)), within_days=20)
    assert found["restricted_mean_lifetime"].item() == pytest.approx(np.mean(lives))
    half = stats.norm.ppf(0.975) * np.std(lives) / math.sqrt(len(lives))
    assert found["to_days"].item() - np.mean(lives) == pytest.approx(half)


def test_hazard_is_of_the_days_at_risk():
    # days 0 to 9: five customers at risk for 2, 3, 5, 5, 8 days, three of them end
    found = hazard.frame(of_market((2, 1, 0), (3, 0, 1), (5, 2, 0), (8, 0, 1)), each_days=10)
    assert found[["first_day", "n_ended", "n_days", "hazard"]].to_numpy().tolist() == [[0, 3, 23, 3 / 23]]


def test_survival_never_rises_and_is_told_for_each_kind_of_life(sample_counts):
    found = survival.frame(sample_counts.tables["lifetime_counts"])
    assert set(found["kind"]) == {"orders", "contract"}
    assert (found.groupby(["market", "kind"])["survival"].diff().dropna() <= 0).all()
    windows = {code: sample_counts.source.markets[code].activity_window_days for code in sample_counts.markets}
    for code in windows:
        first = found.query("market == @code and kind == 'orders' and n_ended > 0")["duration_days"].iloc[0]
        assert first >= windows[code]  # nobody ends within the window after his first order


@pytest.mark.parametrize("rows", [(), ((-1, 1, 0),), ((1, -1, 2),), ((1, 0, 0),)])
def test_impossible_counts_make_no_curve(rows):
    with pytest.raises(MetricError, match="of counts from 0 and durations from 0"):
        kaplan_meier(life(*rows), **NAMES)


def test_a_curve_that_ends_at_nobody_keeps_an_interval():
    last = kaplan_meier(life((1, 1, 0), (2, 1, 0)), **NAMES).iloc[-1]
    assert last["survival"] == last["lower"] == 0
    assert 0.5 < last["upper"] <= 1
