"""Freireich et al. (1963): weeks of remission under 6-MP and placebo, as R's survfit and survdiff report them."""

import pandas as pd
import pytest

from retention_kit import metrics

NAMES = {"duration": "weeks", "n_ended": "n_ended", "n_running": "n_running"}


@pytest.fixture(scope="module")
def remissions(shared) -> pd.DataFrame:
    table = pd.read_csv(shared / "published" / "freireich_1963_remission.csv")
    return table.assign(n_ended=table["observed"], n_running=1 - table["observed"])


def curve(remissions, group: str) -> pd.DataFrame:
    return metrics.kaplan_meier(remissions[remissions["group"] == group], **NAMES)


def test_the_curve_of_6_mp_is_the_published_one(remissions):
    found = curve(remissions, "6-MP").query("n_ended > 0").set_index("duration")["survival"].round(3)
    assert found.to_dict() == {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}


def test_its_log_log_intervals_are_those_of_r(remissions):
    found = curve(remissions, "6-MP").query("n_ended > 0")
    assert found["lower"].round(3).tolist() == [0.620, 0.563, 0.503, 0.432, 0.368, 0.268, 0.188]
    assert found["upper"].round(3).tolist() == [0.952, 0.923, 0.889, 0.849, 0.805, 0.747, 0.680]


def test_the_medians_are_23_and_8_weeks(remissions):
    medians = [metrics.survival_quantile(curve(remissions, group), 0.5) for group in ("6-MP", "placebo")]
    assert medians == [23, 8]


def test_the_log_rank_test_gives_16_79(remissions):
    statistic, freedom, p = metrics.log_rank(remissions, group="group", **NAMES)
    assert (round(statistic, 2), freedom) == (16.79, 1)
    assert p < 1e-4
