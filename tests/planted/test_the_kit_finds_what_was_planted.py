"""The kit finds what the sample was built with: each market's rates, the effects, the outage, the lost newcomers."""

import tomllib

import numpy as np
import pytest

from retention_kit import metrics
from retention_kit.actions import readout
from retention_kit.config import project_root
from retention_kit.metrics.changes import where_it_changed
from retention_kit.periods import label

pytestmark = pytest.mark.xdist_group("sample")

TRUTH = tomllib.loads((project_root() / "data" / "sample" / "truth.toml").read_text(encoding="utf-8"))
MARKETS = list(TRUTH["markets"])


def cut(sample_counts, name: str):
    rows = sample_counts.tables["cut_counts"]
    return rows[(rows["cut"] == name) & (rows["horizon_days"] == 90)]


@pytest.mark.parametrize("market", MARKETS)
def test_the_share_with_a_second_order_day_is_the_planted_one(sample_counts, market):
    row = metrics.returned_share.frame(cut(sample_counts, "everybody")).set_index("market").loc[market]
    planted = TRUTH["markets"][market]["second_order_day_within_90_days"]
    error = np.sqrt(planted * (1 - planted) / row["n_observed"])
    assert abs(row["returned_share"] - planted) < 3 * error


@pytest.mark.parametrize(
    ("effect", "name", "value", "other"),
    [
        ("own_language", "first_contact", "own language", "other language"),
        ("late_delivery", "first_delivery", "late", "on time"),
    ],
)
def test_an_effect_given_at_random_is_within_the_interval(sample_counts, effect, name, value, other):
    found, lower, upper = metrics.stratified_difference(cut(sample_counts, name), value=value, other=other)
    slack = 0.01  # the first contact was random within channel and language too, which are not held fixed here
    planted = TRUTH["effects"][effect]["effect"]
    assert lower - slack < planted < upper + slack
    assert np.sign(found) == np.sign(planted)


def test_a_local_payment_method_brings_customers_back(sample_counts):
    local = {name for names in TRUTH["local_payment_methods"].values() for name in names}
    rows = cut(sample_counts, "payment_method")
    told = rows.assign(value=np.where(rows["value"].isin(local), "local", "other"))
    told = told.groupby(["market", "value"], as_index=False)[["n_observed", "n_returned"]].sum()
    _, lower, upper = metrics.stratified_difference(told, value="local", other="other")
    assert lower < TRUTH["effects"]["local_payment"]["effect"] < upper


def test_slow_support_loses_customers(sample_counts):
    # from day 30 on, among those who had not come back by then: smaller than over all 90 days, and clear
    _, lower, upper = metrics.stratified_difference(
        cut(sample_counts, "support"), value="slow", other="within 24 hours"
    )
    assert TRUTH["effects"]["slow_support"]["effect"] < lower < upper < 0


def test_members_differ_by_more_than_membership_does(sample_counts):
    found, _, _ = metrics.stratified_difference(
        cut(sample_counts, "loyalty"), value="joined within 30 days", other="not joined"
    )
    assert found > TRUTH["effects"]["loyalty"]["effect"]


def test_the_incentive_to_stay_has_the_planted_effect(sample_counts):
    rows = sample_counts.tables["experiment_counts"].query("horizon_days == 60")
    found = readout(rows, experiment="stay-2025", treatment="incentive", control="control")
    assert found.sample_ratio_p > 0.01
    assert found.lower < TRUTH["effects"]["incentive"]["effect"] < found.upper
    assert found.p < 1e-9


def pooled_dip(cells, *, period: str) -> float:
    """Return the share active in a period over that in the periods on both sides, all older cohorts together."""
    months = {label(p, grain="month"): p for p in (cells["cohort"] + cells["age"]).unique()}
    now = months[period]
    older = cells[(cells["cohort"] < now - 1)].assign(period=cells["cohort"] + cells["age"])
    active = older.groupby("period")["n_active"].sum()
    return active[now] / ((active[now - 1] + active[now + 1]) / 2)


def test_the_outage_shows_in_all_cohorts_of_that_month_and_market_only(sample_counts):
    outage = TRUTH["outage"]
    dips = {
        code: pooled_dip(
            sample_counts.of(code).cohort_counts.query("grain == 'month' and complete == 1"), period=outage["month"]
        )
        for code in MARKETS
    }
    assert dips[outage["market"]] < 0.6
    assert min(dip for code, dip in dips.items() if code != outage["market"]) > 0.75


def test_the_market_that_loses_newcomers_loses_its_new_cohorts_only(sample_counts):
    planted = TRUTH["newcomers"]
    falls = {}
    for code in MARKETS:
        cells = metrics.classic_retention.frame(sample_counts.of(code).cohort_counts.query("grain == 'quarter'"))
        cells = cells.query("age == 1").assign(
            name=[label(c, grain="quarter") for c in cells.query("age == 1")["cohort"]]
        )
        new = cells["name"] >= "2025-Q1"
        shares = cells.groupby(new)[["n_active", "n"]].sum()
        falls[code] = (shares["n_active"] / shares["n"]).diff().iloc[-1]
    assert min(falls, key=falls.get) == planted["market"]
    assert falls[planted["market"]] < -0.05


@pytest.fixture(scope="module")
def readings(sample_counts):
    return {code: where_it_changed(sample_counts.of(code).cohort_counts, grain="month") for code in MARKETS}


def test_the_outage_is_read_as_all_cohorts_in_that_month(readings):
    outage = TRUTH["outage"]
    found = readings[outage["market"]]
    assert (found.kind, label(found.at, grain="month")) == ("period", outage["month"])
    assert found.lower < outage["orders_factor"] < found.ratio < found.upper < 1


def test_the_market_that_loses_newcomers_is_read_as_new_cohorts(readings):
    planted = TRUTH["newcomers"]
    found = readings[planted["market"]]
    assert (found.kind, label(found.at, grain="month")) == ("cohorts", planted["first_cohort"])
    assert found.upper < 1


def test_no_other_market_is_read_as_changed(readings):
    planted = {TRUTH["outage"]["market"], TRUTH["newcomers"]["market"]}
    assert {code for code, found in readings.items() if found.kind != "none"} == planted
