"""Forecasts of subscriptions: planted chances found, intervals that hold, few pooled, naive ones beside."""

import numpy as np
import pandas as pd
import pytest

from retention_kit.models import RenewalForecast, fit_sbg, renewal_forecasts
from retention_kit.models.renewals import PER_YEAR
from retention_kit.present import figures, renewals

FACTS = {"holdout_weeks": 26, "min_cell": 10}
PLANTED = {"alpha": 1.1, "beta": 9.0}  # of the sample's monthly box


@pytest.fixture(scope="module")
def markets(sample_counts):
    return sample_counts.source.markets


@pytest.fixture(scope="module")
def counted(sample_counts) -> pd.DataFrame:
    return sample_counts.tables["renewal_counts"]


@pytest.fixture(scope="module", params=["DE", "NL"])
def forecast(request, counted, markets) -> RenewalForecast:
    (found,) = renewal_forecasts(counted, market=markets[request.param], **FACTS)
    return found


def test_the_planted_chances_of_renewal_are_found(forecast):
    assert forecast.period == "month"
    assert forecast.model.name == "sBG"
    for name, (lower, upper) in forecast.model.fit.intervals().items():
        assert lower < PLANTED[name] < upper


def test_the_hold_out_is_foretold_nearer_than_by_one_constant_churn_rate(forecast):
    test = forecast.tested
    assert abs(test.error) < 0.08 < abs(test.steady / test.actual - 1)
    assert test.covered
    assert test.holds
    assert test.lower < test.forecast < test.upper <= test.n


def test_what_is_expected_of_those_running_is_the_sum_of_their_own_chances(forecast, counted):
    running = counted[(counted["market"] == forecast.market.code) & (counted["holdouts_ago"] == 0)]
    running = running[running["n_running"] > 0]
    alpha, beta = forecast.model.fit.estimates.values()
    expected = 0.0
    for n, renewed in zip(running["n_running"], running["renewals"], strict=True):
        still = 1.0
        for nth in range(PER_YEAR["month"]):
            still *= (beta + renewed + nth) / (alpha + beta + renewed + nth)
        expected += n * still
    assert forecast.next_year[0] == pytest.approx(expected)
    assert forecast.n_running == running["n_running"].sum()
    assert forecast.n == running["n_running"].sum() + forecast.n_ended


def test_the_curve_ends_where_few_are_left(forecast):
    assert forecast.curve["n_at_risk"].min() >= 10
    assert forecast.ahead["duration"].max() == 2 * forecast.curve["duration"].max()
    steady = forecast.steady ** forecast.ahead["duration"]
    assert forecast.ahead["survival"].iloc[-1] > 2 * steady.iloc[-1]  # those who are left renew more often


def table(rows: list[tuple], market: str = "DE") -> pd.DataFrame:
    columns = ["period", "holdouts_ago", "renewals", "ahead", "n_ended", "n_running", "n_kept"]
    return pd.DataFrame(rows, columns=columns).assign(market=market)


def test_where_few_have_ended_all_markets_together_tell(counted, markets):
    few = table([("month", 0, n, 0, 1, 4, 4) for n in range(1, 6)], market="NL")
    (found,) = renewal_forecasts(pd.concat([counted[counted["market"] == "DE"], few]), market=markets["NL"], **FACTS)
    assert found.is_pooled
    assert (found.n_ended, found.n_running) == (5, 20)
    assert found.tested is None
    assert "fitted to all markets together" in renewals.parameters([found]).text
    assert "Not back-tested. Fewer than 30 subscriptions had a renewal due" in renewals.badge_text(found)


def test_where_few_have_ended_anywhere_there_is_no_model_and_the_page_says_so(markets):
    few = table([("year", 0, 1, 0, 3, 40, 40), ("other", 0, 0, 0, 0, 12, 12), ("month", 0, 1, 0, 2, 3, 3)])
    found = renewal_forecasts(few, market=markets["DE"], **FACTS)
    assert [one.period for one in found] == ["year"]  # five monthly ones are too few to tell of
    assert found[0].model is None
    told = renewals.in_short(found, few, yearly_rate=0.1, min_cell=10).text
    assert told == (
        "- Yearly subscriptions: 40 are running, 3 have ended. Fewer than 30 subscriptions have ended, too few for a "
        "model.\n- Yearly subscriptions: Not back-tested. Fewer than 30 subscriptions had a renewal due in the 26 "
        "weeks held out.\n"
        "- 12 subscriptions have no known period (week, month, quarter, year): they are left out."
    )
    assert "too few for a model" in renewals.parameters(found).text
    assert found[0].lifetime(yearly_rate=0.1) is None


def test_without_subscriptions_the_page_says_so(counted, markets):
    found = renewal_forecasts(counted, market=markets["DK"], **FACTS)
    assert found == []
    none = counted[counted["market"] == "DK"]
    told = renewals.in_short(found, none, yearly_rate=0.1, min_cell=10).text
    assert told == "- No subscriptions are known here, or too few to tell of."
    assert "nothing to show" in figures.alt_text(renewals.curve(found, market=markets["DK"]))
    assert "Nothing to show" in renewals.parameters(found).text


def test_the_figure_says_what_it_shows(forecast):
    told = figures.alt_text(renewals.curve([forecast], market=forecast.market))
    assert told.startswith(f"Subscriptions of {forecast.market.name} still running, as the model has it: after ")
    assert f"n {forecast.n}" in told


def test_a_forecast_that_a_naive_one_beats_is_withheld(counted, markets):
    here = counted[counted["market"] == "DE"].copy()
    gone = (here["holdouts_ago"] == 1) & (here["ahead"] > 0)
    before = (here["holdouts_ago"] == 2) & (here["ahead"] > 0)
    for rows in (gone, before):  # two in ten renewed, in both hold-outs
        here.loc[rows, "n_kept"] = (0.2 * here.loc[rows, "n_running"]).round()
    (found,) = renewal_forecasts(here, market=markets["DE"], **FACTS)
    assert not found.tested.holds
    assert found.model is None
    assert found.next_year is None
    assert found.ahead.empty
    assert renewals.badge_text(found).endswith("The forecast is withheld: a naive one was nearer.")
    assert "withheld" in renewals.parameters([found]).text


@pytest.mark.slow
def test_the_interval_of_who_renews_holds_what_is_made_where_the_model_is_true():
    covered, runs = 0, 200
    for seed in range(runs):
        random = np.random.default_rng(seed)
        seen = random.integers(1, 25, 400)
        life = random.geometric(random.beta(1.1, 9.0, 400))
        lives = pd.DataFrame({"duration": np.minimum(life, seen), "n_ended": life <= seen, "n_running": life > seen})
        lives = lives.groupby("duration", as_index=False).sum()
        running = life > seen
        model = fit_sbg(lives)
        _, lower, upper = model.still_renewing(seen[running], np.full(running.sum(), 6), np.ones(running.sum()))
        covered += lower <= (life[running] > seen[running] + 6).sum() <= upper
    assert 0.91 <= covered / runs <= 0.99
