import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retention_kit.errors import MetricError
from retention_kit.metrics.changes import against_year_before, where_it_changed
from retention_kit.metrics.markets import (
    benjamini_hochberg,
    beta_binomial,
    compared_markets,
    funnel_limits,
    holm,
    mix_and_rate,
    mix_and_rate_interval,
)

FOUR = pd.DataFrame({"market": ["AA", "BB", "CC", "DD"], "count": [300, 420, 9, 11], "n": [1000, 1000, 20, 40]})


def compared(table: pd.DataFrame) -> pd.DataFrame:
    return compared_markets(table, count="count", n="n").set_index("market")


def test_each_market_stands_against_all_others_together():
    found = compared(FOUR).loc["AA"]
    assert found["share"] == 0.3
    assert found["others"] == (420 + 9 + 11) / 1060
    assert found["difference"] == pytest.approx(0.3 - 440 / 1060)
    assert found["difference_lower"] < found["difference"] < found["difference_upper"] < 0
    known = stats.chi2_contingency([[300, 700], [440, 620]], correction=False).pvalue
    assert found["p"] == pytest.approx(known)


def test_where_few_are_expected_the_test_is_exact():
    few = pd.DataFrame({"market": ["AA", "BB"], "count": [3, 5], "n": [9, 8]})
    assert compared(few)["p"].tolist() == pytest.approx([stats.fisher_exact([[3, 6], [5, 3]]).pvalue] * 2)


def test_corrections_are_those_of_scipy_and_of_holm():
    p = np.random.default_rng(3).uniform(size=20) ** 2
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p))
    ordered = np.sort(p)
    assert np.sort(holm(p))[0] == pytest.approx(min(ordered[0] * 20, 1))
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()
    assert holm([]).size == benjamini_hochberg([]).size == 0


def test_a_small_market_lies_in_the_funnel_where_a_large_one_of_the_same_share_does_not():
    same = pd.DataFrame({"market": ["large", "small", "rest"], "count": [300, 6, 5000], "n": [1000, 20, 10000]})
    found = compared(same)
    assert not found.loc["large", "funnel_far_lower"] <= 0.3
    assert found.loc["small", "funnel_lower"] <= 0.3
    lower, upper = funnel_limits(np.array([50]), share=0.4, level=0.95)
    assert (lower * 50, upper * 50) == tuple(stats.binom.ppf(q, 50, 0.4) for q in (0.025, 0.975))


def test_a_small_market_is_drawn_to_the_others_and_a_large_one_stays():
    found = compared(FOUR)
    moved = (found["pooled"] - found["share"]).abs()
    assert moved["CC"] > 10 * moved["AA"]
    overall = FOUR["count"].sum() / FOUR["n"].sum()
    assert overall < found.loc["CC", "pooled"] < found.loc["CC", "share"] or found.loc["CC", "pooled"] < 0.45
    assert ((found["pooled_lower"] < found["pooled"]) & (found["pooled"] < found["pooled_upper"])).all()


def test_markets_that_differ_by_chance_only_are_drawn_to_one_share_and_have_no_rank():
    same = pd.DataFrame({"market": list("ABCDE"), "count": [40, 41, 39, 40, 40], "n": [100] * 5})
    found = compared(same)
    assert found["pooled"].max() - found["pooled"].min() < 0.005
    assert (found["rank_lower"] == 1).all()
    assert (found["rank_upper"] == 5).all()


def test_the_distribution_of_shares_is_found_again():
    random = np.random.default_rng(11)
    shares = random.beta(8, 12, 400)
    n = random.integers(50, 400, 400)
    alpha, beta = beta_binomial(random.binomial(n, shares), n)
    assert alpha / (alpha + beta) == pytest.approx(0.4, abs=0.02)
    assert alpha + beta == pytest.approx(20, rel=0.25)


def test_ranks_are_the_same_in_every_run_and_certain_where_markets_are_far_apart():
    apart = pd.DataFrame({"market": list("ABC"), "count": [900, 500, 100], "n": [1000] * 3})
    found = compared(apart)
    assert found[["rank", "rank_lower", "rank_upper"]].to_numpy().tolist() == [[1] * 3, [2] * 3, [3] * 3]
    pd.testing.assert_frame_equal(found, compared(apart))


@pytest.mark.parametrize("rows", [FOUR.head(1), FOUR.assign(n=[0, 1000, 20, 40], count=0), pd.concat([FOUR, FOUR])])
def test_one_market_or_one_of_nobody_is_compared_with_nothing(rows):
    with pytest.raises(MetricError, match="at least two of them have customers"):
        compared_markets(rows, count="count", n="n")


CELLS = pd.DataFrame(
    [
        # AA: 80 by search of whom 40 return, 20 by referral of whom 16 do; the others: 100 of 200, 160 of 200
        ("AA", "search", 80, 40), ("AA", "referral", 20, 16),
        ("BB", "search", 150, 70), ("BB", "referral", 150, 118), ("CC", "search", 50, 30), ("CC", "referral", 50, 42),
    ],
    columns=["market", "value", "n_observed", "n_returned"],
)  # fmt: skip


def test_a_market_that_differs_by_its_mix_only_has_no_difference_of_rates():
    found = mix_and_rate(CELLS, market="AA").set_index("value")
    # weights .8 and .2 here, .5 and .5 there; rates .5 and .8 on both sides
    assert found["mix"].to_dict() == {"referral": pytest.approx(-0.3 * 0.8), "search": pytest.approx(0.3 * 0.5)}
    assert found["of_rate"].tolist() == pytest.approx([0, 0])
    assert found["mix"].sum() + found["of_rate"].sum() == pytest.approx(0.56 - 0.65)


def test_mix_and_rate_add_up_to_the_difference_and_a_value_of_one_side_is_all_mix():
    more = pd.concat([CELLS, pd.DataFrame([("AA", "fair", 50, 45)], columns=list(CELLS))])
    found = mix_and_rate(more, market="AA").set_index("value")
    assert found.loc["fair", ["of_rate", "of_rate_lower", "of_rate_upper"]].tolist() == [0, 0, 0]
    assert found[["mix", "of_rate"]].sum().sum() == pytest.approx(101 / 150 - 260 / 400)


def test_mix_of_an_unknown_market_or_of_two_cuts_is_refused():
    with pytest.raises(MetricError, match="There is no market 'AB'"):
        mix_and_rate(CELLS, market="AB")
    with pytest.raises(MetricError, match="of one cut and one horizon"):
        mix_and_rate(pd.concat([CELLS, CELLS]), market="AA")


def test_a_number_is_compared_with_the_same_period_a_year_before():
    rows = [("AA", "kept", 0, 50, 100), ("AA", "kept", 4, 30, 100), ("BB", "kept", 4, 5, 9), ("BB", "kept", 0, 0, 9)]
    shares = pd.DataFrame(rows, columns=["market", "metric", "period", "count", "n"])
    found = against_year_before(shares, grain="quarter").set_index("market")
    assert found.loc["AA", ["period", "share", "share_then", "difference"]].tolist() == [4, 0.3, 0.5, -0.2]
    assert found.loc["AA", "alarm"]
    assert found.loc["BB", "p_bh"] < 0.05
    assert not found.loc["BB", "alarm"]  # nine customers raise none


def test_a_history_of_a_year_has_nothing_to_be_compared_with():
    young = pd.DataFrame({"cohort": [0, 0, 1], "age": [0, 1, 0], "n_active": [90, 20, 80]})
    young = young.assign(market="AA", grain="month", complete=1, left_truncated=0)
    assert where_it_changed(young, grain="month").kind == "none"
    none = pd.DataFrame({"market": ["AA"], "metric": ["kept"], "period": [0], "count": [1], "n": [100]})
    assert against_year_before(none, grain="quarter").empty


def drawn_cells(random, n: int) -> pd.DataFrame:
    """Return two markets whose customers come from two channels, 60 to 40 and 30 to 70, and return alike."""
    rows = []
    for market, weights in (("AA", (0.6, 0.4)), ("BB", (0.3, 0.7))):
        for value, size, rate in zip(("search", "social"), random.multinomial(n, weights), (0.7, 0.3), strict=True):
            rows.append((market, value, size, random.binomial(size, rate)))
    return pd.DataFrame(rows, columns=["market", "value", "n_observed", "n_returned"])


@pytest.mark.slow
def test_intervals_of_mix_and_rates_cover_what_they_should():
    random, held = np.random.default_rng(8), []
    for _ in range(400):
        ends = mix_and_rate_interval(drawn_cells(random, 150), market="AA")
        held.append(
            (ends["mix_lower"] <= 0.3 * 0.4 <= ends["mix_upper"], ends["of_rate_lower"] <= 0 <= ends["of_rate_upper"])
        )
    mix, of_rate = np.mean(held, axis=0)
    assert 0.92 < mix < 0.98  # 95 % ± 3 standard errors of 400 draws
    assert 0.92 < of_rate < 0.98


def test_the_interval_of_a_mix_is_the_same_every_time_and_holds_it():
    ends = mix_and_rate_interval(CELLS, market="AA")
    assert ends == mix_and_rate_interval(CELLS, market="AA")
    found = mix_and_rate(CELLS, market="AA")
    assert ends["mix_lower"] < found["mix"].sum() < ends["mix_upper"]
    assert ends["of_rate_lower"] <= found["of_rate"].sum() <= ends["of_rate_upper"]
