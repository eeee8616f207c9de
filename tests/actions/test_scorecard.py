"""The scorecard: comparable customers by hand, the planted truths of the sample, rows without data, waits."""

import tomllib

import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.actions import STRATEGIES, balances, e_value, scorecard, trials, waits, with_local_payment
from retention_kit.actions.matching import (
    balance,
    e_value_of_interval,
    exact_difference,
    propensity_difference,
    raw_difference,
    sides,
)
from retention_kit.actions.scorecard import matched
from retention_kit.config import project_root
from retention_kit.errors import MetricError, UsageError
from retention_kit.present import strategies as shown

TRUTH = tomllib.loads((project_root() / "data" / "sample" / "truth.toml").read_text(encoding="utf-8"))["effects"]
COLUMNS = ["strategy", "market", "cohort", "acquisition_channel", "language", "value", "n_observed", "n_returned"]


def loyalty(*rows, market="DK") -> pd.DataFrame:
    named = [("loyalty", market, cohort, "search", "da", value, n, x) for cohort, value, n, x in rows]
    return pd.DataFrame(named, columns=COLUMNS).assign(landmark_days=30, basket=5000, later_minor=100_00)


JOINED, NOT = "joined within 30 days", "not joined"


def two(*rows, value=JOINED, other=NOT):
    return sides(loyalty(*rows), value=value, other=other)


def read(rows, **asked) -> pd.DataFrame:
    return scorecard(rows, **{"market": "DK", "min_cell": 10, "minor_per_unit": 100} | asked).set_index("strategy")


# cohort 1: 8/10 beside 16/40, weight 10 × 40 / 50 = 8; cohort 2: 20/40 beside 1/10, weight 8; cohort 3: nobody else
THREE = ((1, JOINED, 10, 8), (1, NOT, 40, 16), (2, JOINED, 40, 20), (2, NOT, 10, 1), (3, JOINED, 50, 50))


def test_matched_exactly_by_hand():
    found = two(*THREE)
    assert found.matched_share == 0.5
    exact, raw = exact_difference(found), raw_difference(found)
    assert (exact.share_value, exact.share_other) == pytest.approx((0.65, 0.25))
    assert (exact.difference, exact.n_used) == (pytest.approx(0.4), 50)
    assert exact.lower < 0.4 < exact.upper
    assert (raw.difference, raw.n_used) == (pytest.approx(78 / 100 - 17 / 50), 100)


def test_matched_by_propensity_by_hand():
    # a chance of 1/5 in cohort 1 and of 4/5 in cohort 2; weighed by that of the other side both have 8 and 8
    found = two(*THREE[:4])
    assert found.propensity == pytest.approx([0.2, 0.8], abs=0.01)
    by_propensity = propensity_difference(found)
    assert by_propensity.difference == pytest.approx(0.4, abs=0.005)
    assert (by_propensity.share_value, by_propensity.share_other) == pytest.approx((0.65, 0.25), abs=0.005)
    # of both groups 1/5 lies at one chance and 1/5 at the other
    assert found.overlap == pytest.approx(0.4)


def test_balance_by_hand():
    # before, 10 of 50 in cohort 1 beside 40 of 50: .6 apart, in standard deviations of √(.2 × .8)
    rows = balance(two(*THREE[:4])).set_index("characteristic")
    assert rows.index.tolist() == ["cohort"]
    assert rows.loc["cohort"].tolist() == pytest.approx([0.6 / 0.4, 0, 0], abs=0.02)


def test_what_goes_with_the_cohort_alone_is_no_difference_when_matched():
    found = two((1, JOINED, 90, 81), (1, NOT, 10, 9), (2, JOINED, 10, 1), (2, NOT, 90, 9))
    assert raw_difference(found).difference == pytest.approx(0.64)
    assert exact_difference(found).difference == pytest.approx(0)
    assert propensity_difference(found).difference == pytest.approx(0, abs=0.005)
    assert e_value_of_interval(exact_difference(found)) == 1


def test_strata_without_anybody_alike_are_matched_by_propensity():
    """Who has a larger basket joins and comes back more often: what goes with the basket is taken out."""
    random = np.random.default_rng(3)
    n = 4000
    cohort, basket = random.integers(0, 400, n), random.integers(0, 5, n)
    joined = random.random(n) < 0.1 + 0.15 * basket
    back = random.random(n) < 0.1 + 0.1 * basket + 0.05 * joined
    rows = pd.DataFrame({"cohort": cohort, "basket": basket, "value": np.where(joined, JOINED, NOT), "back": back})
    rows = rows.groupby(["cohort", "basket", "value"], as_index=False).agg(n=("back", "size"), x=("back", "sum"))
    table = loyalty(*rows[["cohort", "value", "n", "x"]].itertuples(index=False)).assign(basket=rows["basket"])
    found = sides(table.assign(cohort=table["cohort"] // 20), value=JOINED, other=NOT)
    raw, by_propensity = raw_difference(found), propensity_difference(found)
    assert raw.lower > 0.1
    assert by_propensity.lower < 0.05 < by_propensity.upper
    assert balance(found)["propensity"].max() < 0.02
    assert matched(found)[0] == "exact"
    alone = sides(table.assign(language=np.arange(len(table)).astype(str)), value=JOINED, other=NOT)
    assert (alone.matched_share, matched(alone)[0]) == (0, "propensity")


def test_swapping_the_values_flips_the_sign():
    rows = ((1, JOINED, 100, 80), (1, NOT, 400, 160), (2, JOINED, 10, 1), (2, NOT, 20, 4))
    for method in (raw_difference, exact_difference, propensity_difference):
        there, back = method(two(*rows)), method(two(*rows, value=NOT, other=JOINED))
        assert there.difference == pytest.approx(-back.difference)
        assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))
        assert e_value(there.share_value, there.share_other) == pytest.approx(
            e_value(back.share_value, back.share_other)
        )


def test_nobody_to_compare_is_told():
    with pytest.raises(MetricError) as error:
        exact_difference(two((1, JOINED, 10, 8), (2, NOT, 10, 8)))
    assert str(error.value) == (
        "Nobody who got it can be compared with anybody who did not.\n"
        "  found: 2 strata, none with both\n"
        "  try:   read the raw difference, and say that it is one"
    )
    with pytest.raises(MetricError) as error:
        two((1, JOINED, 10, 8))
    assert str(error.value) == "Nobody has 'not joined'.\n  try:   another strategy, or a later as_of"


def test_the_e_value_is_the_published_one():
    # VanderWeele & Ding 2017: a risk ratio of 3.9 has an E-value of 7.26, and so has 1 / 3.9
    assert e_value(0.39, 0.1) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.1, 0.39) == pytest.approx(7.26, abs=0.005)
    assert np.isnan(e_value(0, 0.1))


def test_a_row_without_data_says_which_column_would_answer_it_and_a_small_one_is_hidden():
    rows = read(loyalty((1, JOINED, 9, 8), (1, NOT, 400, 160)))
    assert list(rows.index) == list(STRATEGIES)
    assert set(rows["strength"]) == {"none"}
    assert rows.loc["loyalty", "note"] == "few"
    assert rows.loc["discount", ["note", "column"]].tolist() == ["column", "orders.discount_amount, orders.coupon"]
    assert rows[["raw", "difference", "exposure", "more_returning"]].isna().all(axis=None)
    text = shown.scorecard(rows.reset_index(), min_cell=10).text
    assert "fewer than 10 customers on one side" in text
    assert "orders.discount_amount, orders.coupon would answer it" in text


def test_what_it_would_bring_by_hand():
    # 400 have not joined; half of 100 who did come back beside 160 of 400: .1 more of 400 are 40, and what the 160
    # ordered, 100.00 in all, is .625 each
    row = read(loyalty((1, JOINED, 100, 50), (1, NOT, 400, 160))).loc["loyalty"]
    assert row[["strength", "method", "n_got", "n_without"]].tolist() == ["matched", "exact", 100, 400]
    assert (row["difference"], row["more_returning"]) == pytest.approx((0.1, 40))
    assert row["more_money"] == pytest.approx(40 * 100 / 160)
    assert row["more_returning_lower"] == pytest.approx(400 * row["lower"])


def test_the_others_cover_as_many_as_they_do():
    here, there = loyalty((1, JOINED, 100, 50), (1, NOT, 400, 160)), loyalty((1, JOINED, 30, 5), (1, NOT, 10, 5))
    row = read(pd.concat([here, there.assign(market="NL")])).loc["loyalty"]
    assert (row["exposure"], row["coverage"]) == (0.2, 0.75)


def test_groups_that_nothing_makes_alike_are_told_raw():
    rows = [(cohort, JOINED, 3, 2) for cohort in range(10)] + [(cohort, NOT, 3, 1) for cohort in range(10, 20)]
    row = read(loyalty(*rows)).loc["loyalty"]
    assert row[["strength", "method", "note"]].tolist() == ["raw", "", "unlike"]
    assert row["difference"] == pytest.approx(1 / 3)
    told = shown.scorecard(read(loyalty(*rows)).reset_index(), min_cell=10).text
    assert "too few are alike to be compared: read it as raw" in told


def test_an_unknown_market_names_the_near_miss():
    with pytest.raises(UsageError) as error:
        read(loyalty((1, NOT, 10, 1)), market="DKK")
    assert error.value.to_try == "'DK'"


# ---- waits


def service(*rows, market="DK", kind="delivery") -> pd.DataFrame:
    columns = ["hours", "n", "n_promised", "n_kept"]
    return pd.DataFrame(rows, columns=columns).assign(market=market, kind=kind)


def test_waits_by_hand():
    # 100 waits of 10 to 20 hours, ten in each hour: the tenth ends at 11, half at 15, nine tenths at 19
    rows = service(*((hour, 10, 10, 8) for hour in range(10, 20)))
    found = waits(pd.concat([rows, service((5, 9, 0, 0), market="NL")]), market="DK", min_cell=10)
    here = found.iloc[0]
    assert here[["kind", "place", "n", "median", "spread"]].tolist() == ["delivery", "here", 100, 15, 8]
    assert (here["n_promised"], here["kept_share"]) == (100, 0.8)
    assert 6.5 < here["lower"] < 8 < here["upper"] < 9
    assert found.iloc[1]["hidden"]
    assert np.isnan(found.iloc[1]["median"])
    assert waits(rows.iloc[:0], market="DK", min_cell=10).empty


def test_waits_of_the_sample_are_shown(sample_counts):
    text = shown.consistency(waits(sample_counts.tables["service_counts"], market="NL", min_cell=10)).text
    assert "answers to questions the other markets" in text


# ---- counted


CUSTOMERS = """customer_id,market,language,loyalty_joined_at
DK-early-0,DK,da,2024-01-05T10:00:00Z
DK-late-0,DK,da,2024-06-05T10:00:00Z
DK-soon-0,DK,da,2024-01-05T10:00:00Z
"""
VISITS = """customer_id,occurred_at,kind
DK-late-0,2024-01-01T10:00:00Z,visit
DK-early-0,2024-01-04T10:00:00Z,email_open
DK-late-0,2024-01-20T10:00:00Z,email_open
DK-late-0,2024-01-25T10:00:00Z,content_view
"""
ANSWERS = """customer_id,answered_at,question,score,followed_up_at
DK-early-0,2024-01-05T10:00:00Z,nps,3,2024-01-20T10:00:00Z
DK-late-0,2024-01-05T10:00:00Z,nps,6,2024-03-20T10:00:00Z
DK-late-0,2024-01-06T10:00:00Z,values,4,
DK-early-0,2024-03-06T10:00:00Z,values,1,
"""


def test_strategies_are_counted_by_hand(tmp_path):
    people = {
        "early": (1, ["2024-01-02", "2024-03-01"]),  # back after 59 days
        "late": (1, ["2024-01-02"]),
        "soon": (1, ["2024-01-02", "2024-01-12"]),  # back before the landmark of 30 days, and after that of 7
        "new": (1, ["2024-12-20"]),  # not observed for 90 days
    }
    folder = company.write(tmp_path, company.orders(people), customers=CUSTOMERS, engagement=VISITS, surveys=ANSWERS)
    source = ingest.source(str(folder))
    table = counts.count(source, as_of=company.AS_OF, grains=["month"], tables=["strategy_counts"]).tables
    rows = table["strategy_counts"].set_index(["strategy", "value"])[["n_observed", "n_returned"]]
    assert rows.T.to_dict("list") == {
        ("communication", "reached in a week"): [1, 1],
        ("communication", "not reached"): [2, 1],
        ("education", "viewed content"): [1, 0],
        ("education", "viewed nothing"): [1, 1],
        ("feedback", "followed up"): [1, 1],
        ("feedback", "not followed up"): [1, 0],  # only after the 30 days
        ("loyalty", JOINED): [1, 1],
        ("loyalty", NOT): [1, 0],
        ("values", "agrees"): [1, 0],
    }


# ---- planted


@pytest.fixture(scope="module")
def strategies(sample_counts):
    return with_local_payment(sample_counts.tables["strategy_counts"])


def sides_of(strategies, key):
    strategy = STRATEGIES[key]
    return sides(strategies[strategies["strategy"] == key], value=strategy.value, other=strategy.other)


@pytest.mark.parametrize("method", [exact_difference, propensity_difference])
@pytest.mark.parametrize(("key", "effect"), [("onboarding", "own_language"), ("loyalty", "loyalty")])
def test_matched_is_nearer_the_planted_truth_than_raw(strategies, key, effect, method):
    found, planted = sides_of(strategies, key), TRUTH[effect]["effect"]
    assert abs(method(found).difference - planted) < abs(raw_difference(found).difference - planted) - 0.01


@pytest.mark.parametrize(
    ("key", "effect", "sign"),
    [("onboarding", "own_language", 1), ("payment", "local_payment", 1), ("delivery", "late_delivery", -1)],
)
def test_what_was_random_among_the_comparable_is_within_the_interval(strategies, key, effect, sign):
    found = matched(sides_of(strategies, key))[1]
    assert found.lower < sign * TRUTH[effect]["effect"] < found.upper


def test_what_customers_choose_themselves_is_named(strategies, sample_counts):
    assert propensity_difference(sides_of(strategies, "loyalty")).difference > TRUTH["loyalty"]["effect"]
    rows = read(sample_counts.tables["strategy_counts"], market="DE")
    assert rows.index[rows["note"] == "chosen"].tolist() == ["communication", "loyalty", "education"]
    text = shown.scorecard(rows.reset_index(), min_cell=10).text
    assert "customers choose it themselves: part of it is who they are" in text


def test_only_a_test_is_randomised_and_only_it_is_called_an_effect(sample_counts):
    market = sample_counts.of("DE").market
    tables = [sample_counts.tables[name] for name in ("experiment_counts", "experiment_bucket_counts")]
    tests = trials(*tables, control="control", market=market, horizon_days=60)
    rows = read(sample_counts.tables["strategy_counts"], market="DE", trials=tests)
    assert rows.index[rows["strength"] == "randomised"].tolist() == ["stay-2025: incentive"]
    tested = rows.loc["stay-2025: incentive"]
    assert tested["lower"] < TRUTH["incentive"]["effect"] < tested["upper"]
    assert tested["more_money"] > 0
    assert set(rows["strength"]) == {"randomised", "matched", "raw"}
    shown_rows = rows.reset_index()
    said = shown.strategies_in_short(shown_rows).text.splitlines()
    assert said[0].startswith("- Tested: 'stay-2025: incentive'")
    assert [line for line in said if "effect" in line] == [line for line in said if "A test would tell" in line]
    nobody = trials(*tables, control="control", market=sample_counts.of("RO").market, horizon_days=60)
    assert nobody == []


def test_after_matching_the_compared_are_alike(sample_counts):
    for market in TRUTH["own_language"]["by_market"]:
        rows = read(sample_counts.tables["strategy_counts"], market=market)
        known = rows[rows["strength"] == "matched"]
        assert (known["imbalance"] < 0.1).all()
        assert (known["imbalance"] <= known["imbalance_before"]).all()
        assert len(known) >= 12
    alike = balances(sample_counts.tables["strategy_counts"], market="NL", min_cell=10)
    scored = read(sample_counts.tables["strategy_counts"], market="NL").reset_index()
    assert shown.balance(alike, scored).text.count("language") >= 2
    assert "What they would bring" in shown.sizes(scored, currency="EUR").text


def test_local_methods_are_those_planted(sample_counts):
    truth = tomllib.loads((project_root() / "data" / "sample" / "truth.toml").read_text(encoding="utf-8"))
    rows = sample_counts.tables["strategy_counts"].query("strategy == 'payment'")
    told = rows.assign(told=with_local_payment(rows)["value"])
    local = told[told["told"] == "local"].groupby("market")["value"].unique()
    assert {m: sorted(v) for m, v in local.items()} == {m: sorted(v) for m, v in truth["local_payment_methods"].items()}
