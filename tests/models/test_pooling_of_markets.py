"""Markets together: who has few buyers borrows, who has many does not; and what is said of it."""

import numpy as np
import pytest

from retention_kit.errors import MetricError
from retention_kit.models import LAWS, Patterns, pooled_purchases
from retention_kit.models.pooling import refuse_without_model
from retention_kit.models.purchases import WEEKS_PER_YEAR

TRUTH = np.array([0.8, 6.0, 0.9, 2.5])


def market(n: int, *, seed: int, scale: float = 1.0) -> Patterns:
    random = np.random.default_rng(seed)
    return LAWS["mbg_nbd"].simulated(TRUTH * [1, scale, 1, 1], random.uniform(26, 78, n), random)


def company(small: int, *, seed: int = 0) -> tuple[dict[str, Patterns], dict[str, str]]:
    random = np.random.default_rng(seed)
    markets = {f"M{nth}": market(4000, seed=seed + nth, scale=random.lognormal(0, 0.2)) for nth in range(6)}
    markets["DK"] = market(small, seed=seed + 99)
    return markets, {code: "Denmark" if code == "DK" else code for code in markets}


def test_a_market_of_60_customers_borrows_and_says_so():
    markets, names = company(60)
    found = pooled_purchases(markets, names=names)
    denmark = found["DK"]
    buyers = int(markets["DK"].n_repeat_buyers)
    assert buyers < 50
    assert denmark.effective_n > 2 * 60
    assert denmark.borrowed == pytest.approx(1 - 60 / denmark.effective_n)
    assert denmark.note == (
        f"Denmark: {buyers} repeat buyers, too few for a model of its own; showing the model of all markets, "
        f"drawn to these buyers (effective n {denmark.effective_n:,.0f})."
    )
    large = found["M0"]
    assert large.note == ""
    assert large.borrowed < 0.5
    assert large.effective_n >= 4000


def test_what_is_borrowed_brings_small_markets_nearer_to_the_truth():
    errors = []
    true = np.log(LAWS["mbg_nbd"].expected(TRUTH, np.array([WEEKS_PER_YEAR]))[0])
    for seed in range(0, 60, 10):
        markets, names = company(200, seed=seed)
        alone = pooled_purchases({"DK": markets["DK"]}, names=names)
        together = pooled_purchases(markets, names=names)
        year = [
            np.log(found["DK"].model.repeat_orders(WEEKS_PER_YEAR)["repeat_orders"].iloc[0]) - true
            for found in (alone, together)
        ]
        errors.append(year)
    of_alone, of_together = np.sqrt((np.array(errors) ** 2).mean(axis=0))
    assert of_together < of_alone


def test_a_market_of_nobody_who_came_back_is_given_the_others_model():
    markets, names = company(60)
    nobody = Patterns(np.zeros(1), np.zeros(1), np.array([5.0]), np.array([8.0]))
    found = pooled_purchases({**markets, "DK": nobody}, names=names)
    assert np.isfinite(found["DK"].model.fit.covariance).all()
    assert found["DK"].note.startswith("Denmark: fewer than 10 repeat buyers, too few for a model of its own; showing")


def test_with_one_other_market_a_small_one_is_drawn_to_both_together():
    markets, names = company(60)
    found = pooled_purchases({"DK": markets["DK"], "M0": markets["M0"]}, names=names)
    assert (found["M0"].borrowed, found["M0"].effective_n, found["M0"].note) == (0, 4000, "")
    assert "too few for a model of its own; showing the model of all markets" in found["DK"].note
    assert found["DK"].effective_n > 60


def test_without_other_markets_a_small_one_has_no_model():
    markets, _ = company(60)
    few = markets["DK"]
    assert pooled_purchases({"DK": few}, names={"DK": "Denmark"}) == {}
    with pytest.raises(MetricError) as error:
        refuse_without_model("DK", {}, few, name="Denmark")
    assert str(error.value) == (
        f"Denmark: {int(few.n_repeat_buyers)} repeat buyers, and no purchase model that they or other markets "
        "determine.\n"
        "  found: 0 markets with a model; 3 are needed to help another\n"
        "  try:   wait, or take a longer history"
    )


@pytest.mark.parametrize("law", LAWS)
def test_a_market_in_which_nobody_seems_to_leave_is_held_by_a_weak_assumption_and_says_so(law):
    """Steady customers of a year: without anybody who leaves the likelihood has no inner maximum."""
    random = np.random.default_rng(11)
    rate = random.gamma(1.2, 0.1, 3000)
    ages = random.uniform(10, 52, 3000)
    x = random.poisson(rate * ages).astype(float)
    last = np.where(x > 0, ages * random.beta(np.maximum(x, 1), 1), 0)
    steady = Patterns(x, last, ages, np.ones(3000))
    found = pooled_purchases({"DK": steady}, names={"DK": "Denmark"}, law=law)["DK"]
    ahead = found.model.expected_orders(steady, weeks=26).sum()
    assert ahead == pytest.approx((rate * 26).sum(), rel=0.1)
    assert np.isfinite(found.model.fit.covariance).all()
    assert found.note in (
        "",
        "Denmark: these customers do not tell how they leave; each parameter is held within a factor of about 19 of a "
        "usual one.",
    )
