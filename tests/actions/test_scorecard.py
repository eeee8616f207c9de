"""The scorecard: comparable customers by hand, the planted truths of the sample, rows without data."""

import tomllib

import company
import numpy as np
import pandas as pd
import pytest

from retention_kit import counts, ingest
from retention_kit.actions import STRATEGIES, e_value, matched_difference, scorecard, with_local_payment
from retention_kit.config import project_root
from retention_kit.errors import MetricError, UsageError
from retention_kit.present import actions as shown

TRUTH = tomllib.loads((project_root() / "data" / "sample" / "truth.toml").read_text(encoding="utf-8"))["effects"]
COLUMNS = ["strategy", "market", "cohort", "acquisition_channel", "language", "value", "n_observed", "n_returned"]


def loyalty(*rows, market="DK") -> pd.DataFrame:
    named = [("loyalty", market, cohort, "search", "da", value, n, x) for cohort, value, n, x in rows]
    return pd.DataFrame(named, columns=COLUMNS).assign(landmark_days=30)


JOINED, NOT = "joined within 30 days", "not joined"


def test_matched_by_hand():
    # cohort 1: 8/10 beside 16/40, weight 10 × 40 / 50 = 8; cohort 2: 20/40 beside 1/10, weight 8; cohort 3: nobody else
    rows = loyalty((1, JOINED, 10, 8), (1, NOT, 40, 16), (2, JOINED, 40, 20), (2, NOT, 10, 1), (3, JOINED, 50, 50))
    found = matched_difference(rows, value=JOINED, other=NOT)
    assert (found["n_value"], found["n_other"], found["n_matched"]) == (100, 50, 50)
    assert (found["share_value"], found["share_other"]) == pytest.approx((0.65, 0.25))
    assert found["difference"] == pytest.approx(0.4)
    assert found["raw"] == pytest.approx(78 / 100 - 17 / 50)
    assert found["lower"] < 0.4 < found["upper"]


def test_what_goes_with_the_cohort_alone_is_no_difference_when_matched():
    rows = loyalty((1, JOINED, 90, 81), (1, NOT, 10, 9), (2, JOINED, 10, 1), (2, NOT, 90, 9))
    found = matched_difference(rows, value=JOINED, other=NOT)
    assert found["raw"] == pytest.approx(0.64)
    assert found["difference"] == pytest.approx(0)
    assert found["e_value_of_interval"] == 1


def test_swapping_the_values_flips_the_sign():
    rows = loyalty((1, JOINED, 100, 80), (1, NOT, 400, 160))
    there = matched_difference(rows, value=JOINED, other=NOT)
    back = matched_difference(rows, value=NOT, other=JOINED)
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["raw"] == pytest.approx(-back["raw"])
    assert (there["lower"], there["upper"]) == pytest.approx((-back["upper"], -back["lower"]))
    assert there["e_value"] == pytest.approx(back["e_value"])


def test_nobody_to_compare_is_told():
    with pytest.raises(MetricError) as error:
        matched_difference(loyalty((1, JOINED, 10, 8), (2, NOT, 10, 8)), value=JOINED, other=NOT)
    assert error.value.what == "Nobody with 'joined within 30 days' can be compared with anybody with 'not joined'."


def test_the_e_value_is_the_published_one():
    # VanderWeele & Ding 2017: a risk ratio of 3.9 has an E-value of 7.26, and so has 1 / 3.9
    assert e_value(0.39, 0.1) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.1, 0.39) == pytest.approx(7.26, abs=0.005)
    assert np.isnan(e_value(0, 0.1))


def test_a_row_without_data_says_which_column_would_answer_it_and_a_small_one_is_hidden():
    rows = scorecard(loyalty((1, JOINED, 9, 8), (1, NOT, 400, 160)), market="DK", min_cell=10).set_index("strategy")
    assert len(rows) == len(STRATEGIES)
    assert set(rows["strength"]) == {"no data"}
    assert rows.loc["loyalty programme", "note"] == "fewer than 10 customers on one side"
    assert rows.loc["coupon on the first order", "note"] == "orders.coupon would answer it"
    assert rows[["raw", "difference", "exposure"]].isna().all(axis=None)
    assert "loyalty programme" in shown.scorecard(rows.reset_index()).text


def test_an_unknown_market_names_the_near_miss():
    with pytest.raises(UsageError) as error:
        scorecard(loyalty((1, NOT, 10, 1)), market="DKK", min_cell=10)
    assert error.value.to_try == "'DK'"


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


def found_of(strategies, key):
    strategy = STRATEGIES[key]
    return matched_difference(strategies[strategies["strategy"] == key], value=strategy.value, other=strategy.other)


@pytest.mark.parametrize(
    ("key", "effect"), [("onboarding", "own_language"), ("loyalty", "loyalty"), ("payment", "local_payment")]
)
def test_matched_is_nearer_the_planted_truth_than_raw(strategies, key, effect):
    found, planted = found_of(strategies, key), TRUTH[effect]["effect"]
    assert abs(found["difference"] - planted) < abs(found["raw"] - planted)


@pytest.mark.parametrize(
    ("key", "effect", "sign"),
    [("onboarding", "own_language", 1), ("payment", "local_payment", 1), ("delivery", "late_delivery", -1)],
)
def test_what_was_random_among_the_comparable_is_within_the_interval(strategies, key, effect, sign):
    found = found_of(strategies, key)
    assert found["lower"] < sign * TRUTH[effect]["effect"] < found["upper"]


def test_what_customers_choose_themselves_is_named_and_more_than_the_truth(strategies, sample_counts):
    assert found_of(strategies, "loyalty")["lower"] > TRUTH["loyalty"]["effect"]
    rows = scorecard(sample_counts.tables["strategy_counts"], market="DE", min_cell=10).set_index("strategy")
    assert rows.loc["loyalty programme", "note"] == "customers choose it themselves: part of it is who they are"
    assert set(rows["strength"]) == {"matched", "no data"}
    assert "effect" not in " ".join(rows["note"])


def test_local_methods_are_those_planted(sample_counts):
    truth = tomllib.loads((project_root() / "data" / "sample" / "truth.toml").read_text(encoding="utf-8"))
    rows = sample_counts.tables["strategy_counts"].query("strategy == 'payment'")
    told = rows.assign(told=with_local_payment(rows)["value"])
    local = told[told["told"] == "local"].groupby("market")["value"].unique()
    assert {m: sorted(v) for m, v in local.items()} == {m: sorted(v) for m, v in truth["local_payment_methods"].items()}
