"""Plans of tests against published sizes, and markets pooled against sums that one can do by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from retention_kit.actions import baseline, effect_for_size, plan, pooled, pooled_difference, size_for_effect
from retention_kit.errors import MetricError


def test_sizes_are_the_known_ones():
    assert size_for_effect(0.15, 0.17) == 5274
    assert size_for_effect(0.15, 0.16) == 20559
    assert size_for_effect(0.17, 0.15) == 5274


def test_a_test_of_that_size_finds_the_effect_as_often_as_it_says():
    random, n = np.random.default_rng(3), size_for_effect(0.15, 0.17)
    x1, x0 = random.binomial(n, 0.17, 4000), random.binomial(n, 0.15, 4000)
    shared = (x1 + x0) / (2 * n)
    z = (x1 - x0) / n / np.sqrt(2 * shared * (1 - shared) / n)
    found = (np.abs(z) > norm.ppf(0.975)).mean()
    assert found == pytest.approx(0.8, abs=0.02)  # standard error .006


@pytest.mark.parametrize(("share", "other"), [(0.15, 0.17), (0.4, 0.45), (0.02, 0.03)])
def test_the_effect_for_a_size_is_the_size_for_an_effect_turned_round(share, other):
    assert share + effect_for_size(share, size_for_effect(share, other)) == pytest.approx(other, abs=1e-4)


def test_no_effect_is_seen_in_an_arm_of_two():
    assert effect_for_size(0.9, 2) is None


def test_a_share_that_is_none_and_an_effect_of_nothing_are_refused():
    with pytest.raises(MetricError) as error:
        size_for_effect(15, 17)
    assert str(error.value) == "A share lies between 0 and 1.\n  found: 15\n  try:   0.15 for 15 %"
    with pytest.raises(MetricError) as error:
        size_for_effect(0.15, 0.15)
    assert str(error.value) == (
        "No number of customers tells a share from itself.\n  found: 0.15 twice\n  try:   an effect to look for"
    )
    with pytest.raises(MetricError, match="An arm has at least two customers"):
        effect_for_size(0.15, 1)


def test_a_plan_by_hand():
    # 2 × 5,274 customers at 105.48 a week are 100 weeks, and ten weeks more until the last ones' horizon is over
    rows = plan(0.15, newcomers_per_week=105.48, horizon_days=70, effects=(0.02, 0.9))
    assert rows.to_dict("list") == {
        "effect": [0.02],
        "share": [pytest.approx(0.17)],
        "n_per_arm": [5274],
        "weeks": [pytest.approx(100)],
        "weeks_to_answer": [pytest.approx(110)],
    }
    assert plan(0.15, newcomers_per_week=0, horizon_days=70)["weeks"].isna().all()
    assert plan(np.nan, newcomers_per_week=10, horizon_days=70).empty


def test_a_baseline_by_hand():
    cuts = pd.DataFrame({"cut": ["everybody"], "horizon_days": [60], "n_observed": [200], "n_returned": [50]})
    activity = pd.DataFrame(
        {
            "grain": ["quarter"] * 3,
            "rule": ["period", "period", "window"],
            "period": [2025 * 4, 2025 * 4 + 1, 2025 * 4],
            "n_new": [180, 7, 9],
            "complete": [1, 0, 1],
        }
    )
    found = baseline(cuts, activity, horizon_days=60)
    # the first quarter of 2025 had 90 days
    assert (found.share, found.n_observed, found.newcomers_per_week) == (0.25, 200, pytest.approx(14))
    assert np.isnan(baseline(cuts, activity, horizon_days=90).share)


def by_market(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["n_treatment", "n_control", "share_treatment", "share_control"])


def test_pooling_by_hand():
    # weights 100 each: Q = 100 × (.1² + .1²) = 2, one degree: tau² = (2 − 1) / (200 − 100) = .01, I² = 1/2;
    # then weights 1 / .02 = 50 each: the variance of the mean is 1/100
    found = pooled(np.array([0.1, 0.3]), np.array([0.01, 0.01]))
    assert (found.difference, found.spread, found.inconsistency) == pytest.approx((0.2, 0.1, 0.5))
    assert found.upper - found.lower == pytest.approx(2 * 1.959964 * 0.1)


def test_markets_alike_are_pooled_as_one_and_markets_apart_widen_the_interval():
    alike = pooled_difference(by_market((1000, 1000, 0.2, 0.1), (1000, 1000, 0.2, 0.1)))
    apart = pooled_difference(by_market((1000, 1000, 0.3, 0.1), (1000, 1000, 0.1, 0.1)))
    assert (alike.spread, alike.inconsistency) == (0, 0)
    assert alike.difference == pytest.approx(apart.difference, abs=0.01)
    assert apart.upper - apart.lower > 3 * (alike.upper - alike.lower)
    assert apart.q_p < 0.001 < 0.9 < alike.q_p


def test_a_market_where_nobody_ordered_is_not_known_without_error():
    found = pooled_difference(by_market((50, 50, 0.0, 0.0), (1000, 1000, 0.2, 0.1)))
    assert np.isfinite([found.difference, found.lower, found.upper]).all()


def test_one_market_or_an_arm_of_nobody_cannot_be_pooled():
    with pytest.raises(MetricError, match="Pooling takes at least two markets"):
        pooled_difference(by_market((10, 10, 0.1, 0.1)))
    with pytest.raises(MetricError, match="A market has nobody in an arm"):
        pooled_difference(by_market((10, 10, 0.1, 0.1), (0, 10, 0.1, 0.1)))
