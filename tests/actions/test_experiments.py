"""Experiments: Cookie Cats against the reference, the laws of a comparison, the bad input."""

import company
import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from retention_kit import counts, ingest
from retention_kit.actions import (
    adjusted_by_history,
    holm,
    mean_difference,
    readout,
    sample_ratio_p,
    trial,
)
from retention_kit.config import GROUP
from retention_kit.errors import MetricError, UsageError
from retention_kit.present.actions import experiment_sentences

COLUMNS = ["experiment", "market", "arm", "horizon_days", "n_assigned", "n_observed", "n_returned", "n_in_two_arms"]


def arms(*, treatment=(100, 100, 30), control=(100, 100, 20), market="DK", twice=0) -> pd.DataFrame:
    rows = [("stay", market, "gift", 60, *treatment, twice), ("stay", market, "nothing", 60, *control, 0)]
    return pd.DataFrame(rows, columns=COLUMNS)


def buckets(random, *, n: int = 4000, gain: float = 0.0, arm=None) -> pd.DataFrame:
    """Return customers with a history, thrown into arms and buckets, as counted."""
    arm = random.integers(0, 2, n) if arm is None else arm
    before = random.gamma(1, 50, n)
    revenue = 0.8 * before + random.gamma(1, 20, n) + gain * arm
    people = pd.DataFrame({"arm": np.where(arm == 1, "gift", "nothing"), "bucket": random.integers(0, 200, n)})
    people = people.assign(n_customers=1, revenue_minor=revenue, before_minor=before)
    return people.groupby(["arm", "bucket"], as_index=False).sum()


def read_trial(rows: pd.DataFrame, market, **asked):
    none = pd.DataFrame(columns=["experiment", "market", "arm", "horizon_days", "bucket", "n_customers"])
    named = {"experiment": "stay", "treatment": "gift", "control": "nothing", "horizon_days": 60} | asked
    return trial(rows, none, **named, market=market)


@pytest.fixture
def denmark(sample_counts):
    return sample_counts.of("DK").market


@pytest.fixture(scope="module")
def cookie_cats(shared):
    players = pd.read_parquet(shared / "data" / "cookie_cats.parquet")
    reference = pd.read_csv(shared / "data" / "reference" / "cookie_cats.csv")
    return players, reference.query("data == 'cookie_cats' and scope == 'ALL'").set_index("metric")


def gate(players: pd.DataFrame, day: str) -> pd.DataFrame:
    found = players.groupby("version", as_index=False).agg(n_assigned=(day, "size"), n_returned=(day, "sum"))
    found = found.rename(columns={"version": "arm"}).assign(n_observed=lambda t: t["n_assigned"])
    return found.assign(experiment="gate", market="DK", horizon_days=7, n_in_two_arms=0)


@pytest.mark.parametrize("day", ["retention_1", "retention_7"])
def test_cookie_cats_equals_the_reference(cookie_cats, day):
    players, reference = cookie_cats
    found = readout(gate(players, day), experiment="gate", treatment="gate_40", control="gate_30")
    expected = reference.loc[day]
    assert found.z == pytest.approx(expected["z"], rel=1e-9)
    assert found.p == pytest.approx(expected["p_z"], rel=1e-9)
    assert found.difference == pytest.approx(expected["diff"], rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx((expected["newcombe_lo"], expected["newcombe_hi"]), rel=1e-6)
    assert found.sample_ratio_p == pytest.approx(reference.loc["SRM", "p_z"], rel=1e-9)


def test_the_sample_ratio_of_cookie_cats_heads_the_page_and_nothing_is_told_below_it(cookie_cats, denmark):
    players, _ = cookie_cats
    named = {"experiment": "gate", "treatment": "gate_40", "control": "gate_30", "horizon_days": 7}
    assert experiment_sentences(read_trial(gate(players, "retention_7"), denmark, **named)) == [
        "The arms were not drawn as planned: 45,489 in 'gate_40' and 44,700 in 'gate_30', where 50% were to be in "
        "'gate_40' (sample-ratio test, p 0.0086). Find out why before reading on: what follows is no effect."
    ]


def test_swapping_the_arms_flips_the_sign():
    there = readout(arms(), experiment="stay", treatment="gift", control="nothing")
    back = readout(arms(), experiment="stay", treatment="nothing", control="gift")
    assert there.difference == pytest.approx(-back.difference)
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))
    assert (there.p, there.sample_ratio_p) == pytest.approx((back.p, back.sample_ratio_p))


def test_swapping_the_arms_flips_the_sign_of_money():
    rows = buckets(np.random.default_rng(1), gain=5)
    there = mean_difference(rows, of="revenue_minor", treatment="gift", control="nothing")
    back = mean_difference(rows, of="revenue_minor", treatment="nothing", control="gift")
    assert there == pytest.approx((-back[0], -back[2], -back[1], back[3]))


@pytest.mark.slow
def test_permuted_labels_give_a_uniform_p():
    """With 20,000 customers of whom 3,000 return, the labels drawn again 1,000 times: p is anything, alike often."""
    random, n, n_returned = np.random.default_rng(7), 20_000, 3_000
    treated = random.hypergeometric(n // 2, n // 2, n_returned, size=1000)
    found = []
    for x in treated:
        rows = arms(treatment=(n // 2, n // 2, x), control=(n // 2, n // 2, n_returned - x))
        found.append(readout(rows, experiment="stay", treatment="gift", control="nothing").p)
    assert kstest(found, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_permuted_labels_give_a_uniform_p_of_money():
    random = np.random.default_rng(11)
    found = [
        mean_difference(buckets(random, n=2000), of="revenue_minor", treatment="gift", control="nothing")[3]
        for _ in range(200)
    ]
    assert kstest(found, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_the_interval_of_money_holds_the_gain_as_often_as_it_says_and_history_narrows_it():
    random, gain, hits, widths = np.random.default_rng(5), 5.0, 0, []
    for _ in range(100):
        rows = buckets(random, gain=gain)
        adjusted, left = adjusted_by_history(rows, treatment="gift", control="nothing")
        raw = mean_difference(rows, of="revenue_minor", treatment="gift", control="nothing")
        found = mean_difference(adjusted, of="adjusted_minor", treatment="gift", control="nothing")
        hits += found[1] < gain < found[2]
        widths.append((found[2] - found[1]) / (raw[2] - raw[1]))
        assert 0 < left < 1
    assert 88 <= hits <= 100  # 95 expected, standard deviation 2.2
    # history explains .8² × 50² of .8² × 50² + 20²: what is left of a width is √(400 / 2000) = .45
    assert np.mean(widths) == pytest.approx(0.45, abs=0.05)


def test_holm_by_hand():
    # .01 × 3, then .03 × 2 and .04 × 1, which may not be smaller than the one before
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.9]) == pytest.approx([1, 1])


# ---- bad input


def test_an_unknown_experiment_names_the_near_miss():
    with pytest.raises(UsageError) as error:
        readout(arms(), experiment="stya", treatment="gift", control="nothing")
    assert str(error.value) == "There is no experiment 'stya'.\n  found: 'stay'\n  try:   'stay'"


def test_an_arm_that_nobody_was_observed_in_is_refused():
    with pytest.raises(MetricError) as error:
        readout(arms(control=(40, 0, 0)), experiment="stay", treatment="gift", control="nothing")
    assert str(error.value) == (
        "Nobody in arm 'nothing' was observed long enough.\n"
        "  found: 40 assigned\n"
        "  try:   a later as_of, or a shorter horizon"
    )


def test_an_arm_of_nobody_is_not_there():
    with pytest.raises(UsageError) as error:
        readout(arms().query("arm == 'gift'"), experiment="stay", treatment="gift", control="nothing")
    assert str(error.value) == "There is no arm 'nothing'.\n  found: 'gift'\n  try:   one of the 1 above"


def test_an_arm_is_not_compared_with_itself(denmark):
    expected = "An arm cannot be compared with itself.\n  found: 'gift' for both\n  try:   two names of arms"
    with pytest.raises(UsageError) as error:
        readout(arms(), experiment="stay", treatment="gift", control="gift")
    assert str(error.value) == expected
    with pytest.raises(UsageError) as error:
        read_trial(arms(), denmark, control="gift")
    assert str(error.value) == expected


def test_arms_that_overlap_head_the_page(denmark):
    found = read_trial(arms(twice=5), denmark)
    assert found.faults == (
        "The arms overlap: 5 of 205 customers were put in two arms. They are left out of both, and leaving them out is "
        "not random.",
    )
    assert read_trial(arms(twice=2), denmark).faults == ()  # 2 of 202 is less than one in a hundred


def test_no_order_yet_is_told_and_is_no_difference(denmark):
    found = read_trial(arms(treatment=(100, 100, 0), control=(100, 100, 0)), denmark)
    assert found.notes == ("Nobody has ordered yet, in either arm: there is nothing to compare.",)
    assert found.outcomes[["difference", "p"]].iloc[0].tolist() == [0, 1]


def test_a_market_that_took_no_part_says_where_the_experiment_ran(denmark):
    found = read_trial(pd.concat([arms(market="NL"), arms(market="JP")]), denmark)
    assert found.notes == ("Nobody of Denmark took part: the experiment ran in JP, NL.",)
    assert found.outcomes.empty
    assert found.pooled.n_markets == 2


def test_an_arm_of_a_few_is_not_shown(denmark):
    found = read_trial(arms(control=(9, 9, 1)), denmark)
    assert found.notes == ("An arm has fewer than 10 customers of Denmark: too few to be shown.",)
    assert found.arms.empty
    assert found.by_market["n_control"].isna().all()


def test_arms_that_nobody_has_been_watched_in_long_enough_are_read_later(denmark):
    found = read_trial(arms(control=(100, 0, 0)), denmark)
    assert found.notes == ("Nobody of Denmark was observed long enough in one of the arms: read it later.",)


def test_a_horizon_that_is_not_counted_names_those_that_are(denmark):
    with pytest.raises(UsageError) as error:
        read_trial(arms(), denmark, horizon_days=45)
    assert str(error.value) == (
        "An experiment is not counted at 45 days.\n  found: 60 days\n  try:   one of these horizons"
    )


def test_horizons_are_not_added_up():
    rows = pd.concat([arms(), arms().assign(horizon_days=90)])
    with pytest.raises(MetricError) as error:
        readout(rows, experiment="stay", treatment="gift", control="nothing")
    assert str(error.value) == (
        'A test is read at one horizon.\n  found: 60 days, 90 days\n  try:   query("horizon_days == 60") before'
    )


def test_a_planned_share_of_nothing_is_refused():
    with pytest.raises(MetricError) as error:
        sample_ratio_p({"gift": 10, "nothing": 10}, planned={"gift": 1, "nothing": 0})
    assert str(error.value) == (
        "Every arm is planned to have somebody.\n  found: 1, 0\n  try:   shares above 0, such as 0.5 and 0.5"
    )
    with pytest.raises(MetricError, match="Nobody was assigned to any arm"):
        sample_ratio_p({"gift": 0, "nothing": 0}, planned={"gift": 1, "nothing": 1})


# ---- counted


ASSIGNED = """experiment,customer_id,arm,assigned_at
stay,DK-back-0,gift,2024-03-01T12:00:00Z
stay,DK-back-1,nothing,2024-03-01T12:00:00Z
stay,DK-before-0,gift,2024-03-01T12:00:00Z
stay,DK-twice-0,gift,2024-03-01T12:00:00Z
stay,DK-twice-0,nothing,2024-03-02T12:00:00Z
stay,DK-again-0,gift,2024-03-01T12:00:00Z
stay,DK-again-0,gift,2024-05-01T12:00:00Z
stay,DK-late-0,nothing,2024-12-15T12:00:00Z
stay,DK-after-0,nothing,2025-02-01T12:00:00Z
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """Return what is counted of named customers: an order is of 100, net."""
    rows = company.orders(
        {
            "back": (2, ["2023-12-01", "2024-02-01", "2024-04-10"]),  # 40 days after the assignment
            "before": (1, ["2024-03-01"]),  # at the very instant of the assignment: an outcome comes after it
            "twice": (1, ["2024-03-20"]),
            "again": (1, ["2024-05-20"]),  # 80 days after the first assignment, 19 after the second
            "late": (1, ["2024-12-20"]),
            "after": (1, ["2024-06-01"]),
        }
    )
    folder = company.write(tmp_path_factory.mktemp("trial"), rows, assignments=ASSIGNED)
    asked = ["experiment_counts", "experiment_bucket_counts"]
    return counts.count(ingest.source(str(folder)), as_of=company.AS_OF, grains=["month"], tables=asked).tables


def test_experiments_are_counted_by_hand(counted):
    rows = counted["experiment_counts"].set_index(["horizon_days", "arm"])
    numbers = ["n_assigned", "n_observed", "n_returned", "n_in_two_arms"]
    # gift: back-0, before, again; in two arms: twice, by his first one. nothing: back-1 and late, who is too new
    assert rows.loc[(30, "gift"), numbers].tolist() == [3, 3, 0, 1]
    assert rows.loc[(60, "gift"), numbers].tolist() == [3, 3, 1, 1]
    assert rows.loc[(90, "gift"), numbers].tolist() == [3, 3, 2, 1]
    assert rows.loc[(60, "nothing"), numbers].tolist() == [2, 1, 1, 0]
    assert set(rows["market"]) == {"DK"}
    assert GROUP not in set(rows["market"])


def test_what_arms_brought_is_counted_by_hand(counted):
    sums = counted["experiment_bucket_counts"].groupby(["horizon_days", "arm"])[
        ["n_customers", "n_orders", "revenue_minor", "before_minor"]
    ]
    # of the year before the assignment: back had two orders, before one at its very instant
    assert sums.sum().loc[(60, "gift")].tolist() == [3, 1, 100_00, 300_00]
    assert sums.sum().loc[(60, "nothing")].tolist() == [1, 1, 100_00, 200_00]


def test_the_buckets_of_an_experiment_add_up_to_its_counts(sample_counts):
    keys = ["experiment", "market", "arm", "horizon_days"]
    n = sample_counts.tables["experiment_bucket_counts"].groupby(keys)["n_customers"].sum()
    observed = sample_counts.tables["experiment_counts"].set_index(keys)["n_observed"]
    pd.testing.assert_series_equal(n, observed, check_names=False)


# ---- planted


def test_the_planted_effect_lies_in_the_interval_of_every_market_and_of_all_together(sample_counts):
    tables = [sample_counts.tables[name] for name in ("experiment_counts", "experiment_bucket_counts")]
    asked = {"experiment": "stay-2025", "treatment": "incentive", "control": "control", "horizon_days": 60}
    found = trial(*tables, **asked, market=sample_counts.of("NL").market)
    assert found.faults == ()
    assert found.by_market["market"].tolist() == ["DE", "JP", "NL", "US"]
    assert found.pooled.lower < 0.086794 < found.pooled.upper
    assert found.variance_left < 1
    assert found.outcomes["outcome"].tolist() == ["ordered again", "orders per customer", "revenue per customer"]
    assert (found.outcomes["p_holm"] >= found.outcomes["p"]).all()
