"""Each law against its own simulation: what it expects is what happens on average; intervals hold what they promise."""

import numpy as np
import pytest
from by_customer import weighted

from retention_kit.models import LAWS, Prior, fit_purchases, patterns
from retention_kit.models.patterns import checked

TRUTH = {
    "bg_nbd": np.array([0.8, 6.0, 0.9, 2.5]),
    "mbg_nbd": np.array([0.8, 6.0, 0.9, 2.5]),
    "pareto_nbd": np.array([0.8, 9.0, 0.9, 20.0]),
}
pytestmark = pytest.mark.parametrize("law", LAWS)


def simulated(law: str, *, n: int, seed: int, weeks: float = 78.0):
    random = np.random.default_rng(seed)
    return LAWS[law].simulated(TRUTH[law], random.uniform(weeks / 3, weeks, n), random)


def test_the_slope_of_the_likelihood_is_that_of_its_values(cdnow, law):
    likelihood = LAWS[law].likelihood(patterns(weighted(cdnow)))
    at = np.log(TRUTH[law])
    shifts = 1e-5 * np.eye(4)
    by_values = [(likelihood(at + s)[0] - likelihood(at - s)[0]) / 2e-5 for s in shifts]
    assert likelihood(at)[1] == pytest.approx(by_values, rel=1e-6)


def test_a_new_customer_orders_as_often_as_expected_and_where_it_is_expected(law):
    random = np.random.default_rng(1)
    made = LAWS[law].simulated(TRUTH[law], np.full(200_000, 52.0), random)
    expected = LAWS[law].expected(TRUTH[law], np.array([52.0]))[0]
    assert made.x.mean() == pytest.approx(expected, abs=4 * made.x.std() / 200_000**0.5)
    active = LAWS[law].orders_between(TRUTH[law], np.array([0.0, 0, 26]), np.array([52.0, 13, 26]))
    assert (made.x > 0).mean() == pytest.approx(active[0], abs=4 * 0.5 / 200_000**0.5)
    assert 0 < active[1] < active[0]
    assert active[2] == 0


def test_what_is_drawn_for_a_pattern_is_what_is_expected_of_it(law):
    some = checked(
        np.repeat([0, 2, 9], 40_000), np.repeat([0, 20.0, 38], 40_000), np.full(120_000, 39.0), np.ones(120_000)
    )
    drawn = LAWS[law].drawn(TRUTH[law], some, 26.0, np.random.default_rng(2)).reshape(3, -1)
    expected = LAWS[law].expected_later(TRUTH[law], some, np.array([26.0]))[0].reshape(3, -1)[:, 0]
    assert drawn.mean(axis=1) == pytest.approx(expected, abs=4 * drawn.std() / 200)


def test_who_orders_and_who_has_left_is_told_by_the_whole_past(law):
    """By Bayes' rule: what is expected of patterns adds up to what was expected before they were seen."""
    random = np.random.default_rng(3)
    early = LAWS[law].simulated(TRUTH[law], np.full(50_000, 40.0), random)
    expected_later = LAWS[law].expected_later(TRUTH[law], early, np.array([40.0]))[0].sum()
    by_both = LAWS[law].expected(TRUTH[law], np.array([40.0, 80.0]))
    assert expected_later / 50_000 == pytest.approx(by_both[1] - by_both[0], rel=0.03)


def test_who_bought_once_is_doubted_except_by_bg_nbd(law):
    alive = LAWS[law].alive(TRUTH[law], checked([0, 0], [0, 0], [1.0, 70], [1, 1]))
    if law == "bg_nbd":
        assert alive.tolist() == [1, 1]
    else:
        assert 1 > alive[0] > alive[1] > 0


def test_intervals_of_parameters_hold_the_truth_as_often_as_they_say(law):
    held = []
    for seed in range(25):
        intervals = fit_purchases(simulated(law, n=4000, seed=seed), name="simulated", law=law).fit.intervals()
        held += [low <= truth <= high for (low, high), truth in zip(intervals.values(), TRUTH[law], strict=True)]
    assert 0.88 <= np.mean(held) <= 1  # of 100 that are not independent; tests/benchmarks takes 200 data sets


def test_the_interval_of_a_total_holds_what_is_made(law):
    held = []
    for seed in range(25):
        random = np.random.default_rng(seed)
        known = simulated(law, n=3000, seed=seed)
        model = fit_purchases(known, name="simulated", law=law)
        made = LAWS[law].drawn(TRUTH[law], known, 26.0, random).sum()
        expected, lower, upper = model.total_orders(known, weeks=26)
        assert lower < expected < upper
        held.append(lower <= made <= upper)
    assert np.mean(held) >= 0.84


def test_the_same_patterns_give_the_same_model_and_the_same_intervals(cdnow, law):
    one, other = (fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law) for _ in range(2))
    assert one.fit.estimates == other.fit.estimates
    assert one.total_orders(patterns(cdnow), weeks=39) == other.total_orders(patterns(cdnow), weeks=39)


def test_discounting_makes_less_of_more_and_nothing_of_no_rate(cdnow, law):
    model = fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law)
    plain, dear, dearer = (model.discounted_orders(weeks=104, yearly_rate=rate)[0] for rate in (0, 0.1, 0.3))
    assert plain == pytest.approx(model.repeat_orders(104)["repeat_orders"].iloc[0], rel=1e-12)
    assert plain > dear > dearer > 0
    value, lower, upper, _ = model.mean_discounted_orders(weeks=104, yearly_rate=0.1)
    assert value == pytest.approx(dear)
    assert lower < value < upper


def test_a_strong_prior_is_what_is_found_and_a_weak_one_changes_nothing(cdnow, law):
    own = fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law)
    known = patterns(weighted(cdnow))
    mean = np.log(TRUTH[law])
    strong = fit_purchases(known, name="CDNOW", law=law, prior=Prior(mean, 1e9 * np.eye(4)))
    weak = fit_purchases(known, name="CDNOW", law=law, prior=Prior(mean, 1e-9 * np.eye(4)))
    assert strong.parameters == pytest.approx(TRUTH[law], rel=1e-4)
    assert weak.parameters == pytest.approx(own.parameters, rel=1e-4)
