"""Experiments: Cookie Cats against the reference, the laws of a comparison, the errors."""

import pandas as pd
import pytest

from retention_kit.actions import readout
from retention_kit.errors import MetricError, UsageError


def arms(*, treatment=(100, 100, 30), control=(100, 100, 20)) -> pd.DataFrame:
    rows = [("stay", "DK", "gift", *treatment), ("stay", "DK", "nothing", *control)]
    return pd.DataFrame(rows, columns=["experiment", "market", "arm", "n_assigned", "n_observed", "n_returned"])


@pytest.fixture(scope="module")
def cookie_cats(shared):
    players = pd.read_parquet(shared / "data" / "cookie_cats.parquet")
    reference = pd.read_csv(shared / "data" / "reference" / "cookie_cats.csv")
    return players, reference.query("data == 'cookie_cats' and scope == 'ALL'").set_index("metric")


@pytest.mark.parametrize("day", ["retention_1", "retention_7"])
def test_cookie_cats_equals_the_reference(cookie_cats, day):
    players, reference = cookie_cats
    counts = players.groupby("version", as_index=False).agg(n_assigned=(day, "size"), n_returned=(day, "sum"))
    counts = counts.rename(columns={"version": "arm"}).assign(experiment="gate", n_observed=lambda t: t["n_assigned"])
    found = readout(counts, experiment="gate", treatment="gate_40", control="gate_30")
    expected = reference.loc[day]
    assert found.z == pytest.approx(expected["z"], rel=1e-9)
    assert found.p == pytest.approx(expected["p_z"], rel=1e-9)
    assert found.difference == pytest.approx(expected["diff"], rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx((expected["newcombe_lo"], expected["newcombe_hi"]), rel=1e-6)
    assert found.sample_ratio_p == pytest.approx(reference.loc["SRM", "p_z"], rel=1e-9)


def test_swapping_the_arms_flips_the_sign():
    there = readout(arms(), experiment="stay", treatment="gift", control="nothing")
    back = readout(arms(), experiment="stay", treatment="nothing", control="gift")
    assert there.difference == pytest.approx(-back.difference)
    assert (there.lower, there.upper) == pytest.approx((-back.upper, -back.lower))


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
