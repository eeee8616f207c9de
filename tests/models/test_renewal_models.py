"""sBG and BdW: the residual lifetime of the paper, the other paper's parameters, intervals, and c = 1."""

import numpy as np
import pandas as pd
import pytest

from retention_kit.errors import MetricError
from retention_kit.models import fit_bdw, fit_sbg


@pytest.fixture(params=["high_end", "regular"])
def segment(request) -> str:
    return request.param


def life_table(shared, segment: str, *, renewals: int, per: int = 1000) -> pd.DataFrame:
    alive = pd.read_csv(shared / "published" / "fader_hardie_2007_survival.csv", index_col="year")[segment]
    alive = (alive.loc[:renewals] * per).round()
    return pd.DataFrame(
        {
            "duration": range(1, renewals + 1),
            "n_ended": -alive.diff().dropna().to_numpy(),
            "n_running": [0.0] * (renewals - 1) + [alive.iloc[-1]],
        }
    )


def test_the_residual_lifetime_of_high_end_after_seven_renewals_at_10_percent_is_7_530(shared):
    model = fit_sbg(life_table(shared, "high_end", renewals=7))
    assert round(model.residual_lifetime(renewals=7, yearly_rate=0.1), 3) == 7.530


def test_a_residual_lifetime_needs_a_discount_rate(shared):
    model = fit_sbg(life_table(shared, "high_end", renewals=7))
    with pytest.raises(MetricError) as error:
        model.residual_lifetime(renewals=7, yearly_rate=0)
    assert str(error.value) == "A residual lifetime without an end needs a discount rate above 0.\n  found: 0"


def test_bdw_of_high_end_s_first_four_renewals_has_a_chance_that_rises_with_age_and_forecasts_better(shared):
    table = life_table(shared, "high_end", renewals=4)
    bdw, sbg = fit_bdw(table), fit_sbg(table)
    seen = pd.read_csv(shared / "published" / "fader_hardie_2007_survival.csv", index_col="year")["high_end"]
    later = np.arange(5, 13)
    assert (round(bdw.fit.estimates["gamma"], 3), round(bdw.c, 3)) == (0.259, 1.584)
    assert np.abs(bdw.survival(later) - seen.loc[5:]).max() < np.abs(sbg.survival(later) - seen.loc[5:]).max()
    assert bdw.log_likelihood > sbg.log_likelihood


def test_bdw_finds_the_sbg_where_the_chance_does_not_depend_on_age():
    truth = {"alpha": 0.9, "beta": 2.5}
    renewals = np.arange(11)
    stay = np.cumprod(np.concatenate([[1.0], (truth["beta"] + renewals[:-1]) / (sum(truth.values()) + renewals[:-1])]))
    table = pd.DataFrame(
        {"duration": renewals[1:], "n_ended": -1e6 * np.diff(stay), "n_running": [0.0] * 9 + [1e6 * stay[-1]]}
    )
    found = fit_bdw(table)
    assert found.c == pytest.approx(1, abs=1e-3)
    assert [found.fit.estimates["gamma"], found.fit.estimates["delta"]] == pytest.approx([0.9, 2.5], rel=1e-2)


@pytest.mark.parametrize("fit", [fit_sbg, fit_bdw])
def test_a_forecast_has_an_interval_that_widens_and_stays_between_0_and_1(shared, segment, fit):
    rows = fit(life_table(shared, segment, renewals=7)).survival_forecast(range(13))
    assert rows.loc[0, ["survival", "lower", "upper"]].tolist() == [1, 1, 1]
    assert ((rows["lower"] <= rows["survival"]) & (rows["survival"] <= rows["upper"])).all()
    assert rows["lower"].min() > 0
    assert (rows["survival"].diff().dropna() < 0).all()
    width = (rows["upper"] - rows["lower"]) / rows["survival"]
    assert width.iloc[12] > width.iloc[1]


def test_ten_times_the_customers_give_a_third_of_the_standard_error(shared, segment):
    some, many = (fit_sbg(life_table(shared, segment, renewals=7, per=per)) for per in (1000, 10_000))
    ratio = some.fit.standard_errors()["alpha"] / many.fit.standard_errors()["alpha"]
    assert ratio == pytest.approx(10**0.5, rel=0.02)
