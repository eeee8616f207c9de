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
    return pd.DataFrame(rows, columns=columns).assign(market=market, n_leaving=0)


def test_where_few_have_ended_the_others_say_what_to_expect_and_its_own_weigh_more(counted, markets):
    """A market that renews far more often than the others is not told it will not: its own renewals outweigh them."""
    loyal = table([("month", 0, 2, 0, 10, 0, 0), ("month", 0, 12, 0, 2, 300, 300)], market="NL")
    others = counted[counted["market"] == "DE"]
    (found,) = renewal_forecasts(pd.concat([others, loyal]), market=markets["NL"], **FACTS)
    (theirs,) = renewal_forecasts(others, market=markets["DE"], **FACTS)
    assert found.n_others == theirs.n_ended - others.query("holdouts_ago == 0")["n_leaving"].sum()
    assert (found.n_ended, found.n_running) == (12, 300)
    assert found.tested is None
    assert found.next_year[1] > 0.85 * 300  # 12 of some 3,600 renewals were not made
    width = [one.ahead["upper"].iloc[13] - one.ahead["lower"].iloc[13] for one in (found, theirs)]
    assert width[0] > 0.02
    assert "leans on" in renewals.parameters([found]).text
    assert "Not back-tested. Fewer than 30 subscriptions had a renewal due" in renewals.badge_text(found)


def test_what_was_made_by_all_but_a_few_is_judged_and_not_told(markets):
    rows = [("month", ago, n, 0, 16 - 2 * n, 0, 0) for ago in (0, 1) for n in range(1, 7)]
    rows += [("month", 1, n, 6, 0, 40, 39) for n in (2, 5, 9, 14)] + [("month", 0, 9, 0, 0, 200, 200)]
    (found,) = renewal_forecasts(table(rows, market="NL"), market=markets["NL"], **FACTS)
    assert (found.tested.n, found.tested.actual) == (160, 156)
    assert not found.tested.is_told
    assert renewals.badge_text(found) == (
        "Monthly subscriptions: the back-test is hidden: too few renewed, or did not, or came since."
    )


def test_where_nobody_renewed_the_back_test_says_so(markets):
    rows = [("month", ago, n, 0, 16 - 2 * n, 0, 0) for ago in (0, 1) for n in range(1, 7)]
    rows += [("month", 1, n, 6, 0, 40, 0) for n in (2, 5, 9, 14)] + [("month", 0, 9, 0, 0, 200, 200)]
    (found,) = renewal_forecasts(table(rows, market="NL"), market=markets["NL"], **FACTS)
    assert (found.tested.actual, found.tested.is_told) == (0, True)
    assert " and 0 did (+" in renewals.badge_text(found)


def test_where_few_have_ended_anywhere_there_is_no_model_and_the_page_says_so(markets):
    few = table([("year", 0, 1, 0, 13, 40, 40), ("other", 0, 0, 0, 0, 12, 12), ("month", 0, 1, 0, 4, 80, 80)])
    found = renewal_forecasts(few, market=markets["DE"], **FACTS)
    assert [one.period for one in found] == ["year"]  # four monthly ones that ended are too few to tell of
    assert found[0].model is None
    told = renewals.in_short(found, few, yearly_rate=0.1, min_cell=10).text
    assert told == (
        "- Yearly subscriptions: 40 are running, 13 have ended. Fewer than 30 subscriptions have ended, too few for a "
        "model.\n- Yearly subscriptions: Not back-tested. Fewer than 30 subscriptions had a renewal due in the 26 "
        "weeks held out.\n"
        "- 12 subscriptions have no known period (week, month, quarter, year): they are left out."
    )
    assert "too few for a model" in renewals.parameters(found).text
    assert found[0].payments(yearly_rate=0.1) is None


def test_the_first_payment_is_made_at_once_and_later_ones_are_worth_less(forecast):
    most, (expected, lower, upper) = forecast.payments(yearly_rate=0.1)
    assert most == len(forecast.ahead)
    alpha, beta = forecast.model.fit.estimates.values()
    stays, by_hand = 1.0, 0.0
    for nth in range(most):
        by_hand += stays / 1.1 ** (nth / 12)
        stays *= (beta + nth) / (alpha + beta + nth)
    assert expected == pytest.approx(by_hand)
    assert lower < expected < upper


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
