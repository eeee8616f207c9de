"""The forecast of a market's subscriptions: how many renewals, tested on the last weeks, beside two naive forecasts.

A market where few have ended yet leans on the others, as far as markets may differ from each other, and says so.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import chdtri

from retention_kit.config import Market
from retention_kit.errors import MetricError
from retention_kit.messages import N_, Message
from retention_kit.metrics.survival import kaplan_meier
from retention_kit.models.fitting import CONF_LEVEL, Prior
from retention_kit.models.holdout import HoldoutResult
from retention_kit.models.sbg import BetaDiscreteWeibull, ShiftedBetaGeometric, fit_bdw, fit_sbg

LEAST_ENDED = 30
"""Subscriptions that have ended below which no model is fitted to a market alone."""
LEAST_DUE = 30
"""Subscriptions with a renewal in the hold-out below which a forecast cannot be judged."""
PER_YEAR = {"week": 52, "month": 12, "quarter": 4, "year": 1}
"""Renewals in a year, by period."""
_LONGEST_AHEAD = 3
"""Years that the curve is drawn ahead, at the most."""
_BETWEEN = 0.7
"""Spread of log parameters between markets, taken for granted: of 95 % within a factor of four either way."""
_EVERYBODY = ["n_ended", "n_running", "n_leaving"]
_CURVE = ["duration", "n_at_risk", "survival", "lower", "upper"]


@dataclass(frozen=True)
class RenewalTest(HoldoutResult):
    """A forecast of how many subscriptions would renew all through a hold-out, and how many did.

    `n` had a renewal due in it. `last_period`: as many as of those in the hold-out before, by their share; `steady`:
    every renewal is made with the one chance that all renewals before had. `is_told`: not of a few who did, or did not.
    """

    weeks: int
    n: int
    actual: int
    forecast: float
    lower: float
    upper: float
    last_period: float | None
    steady: float
    is_told: bool

    def _naive_errors(self) -> list[float]:
        naive = [self.steady] if self.last_period is None else [self.steady, self.last_period]
        return [self.off(forecast) for forecast in naive]

    def _by_chance(self) -> float:
        share = (self.actual + 1) / (self.n + 2)  # of all or nobody too there is chance
        return np.sqrt(self.n * share * (1 - share)) / max(self.actual, 1)


@dataclass(frozen=True)
class RenewalForecast:
    """What is forecast of a market's subscriptions of one period: 'week', 'month', 'quarter', 'year'.

    `model`: fitted to all that is known; None where there is none, or the forecast is withheld. `laws`: log likelihood
    of each that could be fitted to this market alone, by name. `n_ended`, `n_running`: of this market; `n_others`: who
    ended in the other markets that it leans on, 0 where it does not. `steady`: the chance of a renewal over all that
    were due, as if it were one. `curve`, observed, as long as enough are at risk: `duration` in renewals, `n_at_risk`,
    `survival`, `lower`, `upper`; `ahead`, as the model has it: `duration`, `survival`, `lower`, `upper`. `next_year`:
    how many of those running are expected to be so after a year, with an interval. `notes` say why something is not
    there, by 'model', 'test'.
    """

    market: Market
    period: str
    n_ended: int
    n_running: int
    model: ShiftedBetaGeometric | BetaDiscreteWeibull | None
    laws: Mapping[str, float]
    n_others: int
    steady: float
    curve: pd.DataFrame
    ahead: pd.DataFrame
    next_year: tuple[float, float, float] | None
    tested: RenewalTest | None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Return how many subscriptions there are or were."""
        return self.n_ended + self.n_running

    def payments(self, *, yearly_rate: float) -> tuple[int, tuple[float, float, float]] | None:
        """Return how far the curve reaches, in payments, and how many of them a new customer is expected to make.

        The latter is discounted, with its interval; None where there is no model.
        """
        if self.model is None:
            return None
        most = len(self.ahead)
        facts = {"renewals_per_year": PER_YEAR[self.period], "yearly_rate": yearly_rate}
        return most, self.model.payments(most, **facts)


def renewal_forecasts(
    renewal_counts: pd.DataFrame, *, market: Market, holdout_weeks: int, min_cell: int
) -> list[RenewalForecast]:
    """Return the forecasts of a market's subscriptions, one for each period that it sells, the most sold first.

    A period of which fewer than `min_cell` have ended, or are running, though some have, is left out.

    Parameters
    ----------
    renewal_counts : of all markets, from `counts.renewal_counts`, with the same hold-out.
    market : its code and name.
    holdout_weeks : length of the hold-out.
    min_cell : least number of subscriptions of which anything is told.
    """
    of_periods = renewal_counts[renewal_counts["period"].isin(PER_YEAR)]
    now = of_periods[(of_periods["market"] == market.code) & (of_periods["holdouts_ago"] == 0)]
    sold = now.groupby("period")[_EVERYBODY].sum()
    parts = pd.DataFrame({"ended": sold["n_ended"] + sold["n_leaving"], "running": sold["n_running"]})
    enough = ((parts == 0) | (parts >= min_cell)).all(axis=1) & (parts.sum(axis=1) >= min_cell)
    return [
        _forecast(of_periods[of_periods["period"] == period], market, holdout_weeks, min_cell)
        for period in parts[enough].sum(axis=1).sort_values(ascending=False, kind="stable").index
    ]


def _forecast(counts: pd.DataFrame, market: Market, holdout_weeks: int, min_cell: int) -> RenewalForecast:
    """Return the forecast of the subscriptions of one period; the counts are those of all markets."""
    period = counts["period"].iloc[0]
    now = counts[(counts["market"] == market.code) & (counts["holdouts_ago"] == 0)]
    notes: dict[str, str] = {}
    too_few = Message("Fewer than {n} subscriptions have ended, too few for a model.", n=LEAST_ENDED)
    models, n_others = _fitted(counts[counts["holdouts_ago"] == 0], market, notes, about="model", too_few=too_few)
    tested = _tested(counts, market, holdout_weeks, min_cell, notes)
    if models and tested is not None and not tested.holds:
        notes["model"] = N_("The forecast is withheld: a naive one was nearer.")
    model = None if "model" in notes else models[-1]
    life_table = _life_table(now)
    curve = kaplan_meier(life_table, duration="duration", n_ended="n_ended", n_running="n_running")
    enough = curve[(curve["n_at_risk"] >= min_cell) & (curve["duration"] >= 1)]
    running = now[now["n_running"] > 0]
    ahead = pd.DataFrame(columns=["duration", "survival", "lower", "upper"])
    next_year = None
    if model is not None:
        seen = int(enough["duration"].max()) if len(enough) else 1
        ahead = model.survival_forecast(range(min(2 * seen, seen + _LONGEST_AHEAD * PER_YEAR[period]) + 1))
        next_year = model.still_renewing(running["renewals"], PER_YEAR[period], running["n_running"])
    return RenewalForecast(
        market=market,
        period=period,
        n_ended=int(now[["n_ended", "n_leaving"]].sum().sum()),
        n_running=int(now["n_running"].sum()),
        model=model,
        laws={} if n_others else {found.name: found.log_likelihood for found in models},
        n_others=n_others,
        steady=_steady(now),
        curve=enough[_CURVE].reset_index(drop=True),
        ahead=ahead,
        next_year=next_year,
        tested=tested,
        notes=notes,
    )


def _life_table(counts: pd.DataFrame) -> pd.DataFrame:
    """Return who ended at each renewal, and who is known to have made it and no more."""
    sums = counts.groupby("renewals", as_index=False)[_EVERYBODY].sum()
    return sums.assign(n_running=sums["n_running"] + sums["n_leaving"]).rename(columns={"renewals": "duration"})


def _fitted(
    counts: pd.DataFrame, market: Market, notes: dict[str, str], *, about: str, too_few: str
) -> tuple[list[ShiftedBetaGeometric | BetaDiscreteWeibull], int]:
    """Return the models that could be fitted, the one to be used last; and who ended in the markets it leans on.

    The BdW is used where its likelihood is greater than chance lets an sBG's be; with one more parameter, it is never
    less. Where few have ended, an sBG of the other markets says beforehand what to expect, as far as markets differ.
    """
    is_here = counts["market"] == market.code
    mine, others = (_life_table(rows).query("duration > 0") for rows in (counts[is_here], counts[~is_here]))
    n_others = int(others["n_ended"].sum())
    try:
        if mine["n_ended"].sum() < LEAST_ENDED:
            if n_others < LEAST_ENDED or mine.empty:
                notes[about] = too_few
                return [], 0
            theirs = fit_sbg(others).fit
            spread = theirs.covariance + _BETWEEN**2 * np.eye(len(theirs.covariance))
            return [fit_sbg(mine, prior=Prior(theirs.log_parameters, np.linalg.inv(spread)))], n_others
        found = [fit_sbg(mine)]
    except MetricError as error:
        notes[about] = error.what
        return [], 0
    with suppress(MetricError):
        found.append(fit_bdw(mine))
        if 2 * (found[1].log_likelihood - found[0].log_likelihood) <= chdtri(1, 1 - CONF_LEVEL):
            found.reverse()
    return found, 0


def _tested(
    counts: pd.DataFrame, market: Market, weeks: int, min_cell: int, notes: dict[str, str]
) -> RenewalTest | None:
    """Return the back-test of the forecast made one hold-out ago; None, and a note, where it cannot be judged."""
    now, here, before = (
        counts[(counts["market"] == market.code) & (counts["holdouts_ago"] == ago)] for ago in range(3)
    )
    due, due_before = here[here["ahead"] > 0], before[before["ahead"] > 0]
    actual, n = int(due["n_kept"].sum()), int(due["n_running"].sum())
    if n < LEAST_DUE:
        notes["test"] = Message(
            "Fewer than {n} subscriptions had a renewal due in the {weeks} weeks held out.", n=LEAST_DUE, weeks=weeks
        )
        return None
    then = counts[counts["holdouts_ago"] == 1]
    too_few = Message("{weeks} weeks ago fewer than {n} subscriptions had ended.", weeks=weeks, n=LEAST_ENDED)
    models, _ = _fitted(then, market, notes, about="test", too_few=too_few)
    if not models:
        return None
    forecast, lower, upper = models[-1].still_renewing(due["renewals"], due["ahead"], due["n_running"])
    was_due = float(due_before["n_running"].sum())
    stays = now["n_running"] + now["n_leaving"]
    came_since = int(stays.sum()) - int(here["n_kept"].sum())  # who is here now, less who was then and stayed
    return RenewalTest(
        weeks=weeks,
        n=n,
        actual=actual,
        forecast=forecast,
        lower=lower,
        upper=upper,
        last_period=n * float(due_before["n_kept"].sum()) / was_due if was_due >= LEAST_DUE else None,
        steady=float((due["n_running"] * _steady(here) ** due["ahead"]).sum()),
        is_told=all(size == 0 or size >= min_cell for size in (actual, n - actual, came_since)),
    )


def _steady(counts: pd.DataFrame) -> float:
    """Return the share of all renewals that came due which were made: one chance for everybody at any age."""
    n_due = float((counts["renewals"] * counts[_EVERYBODY].sum(axis=1)).sum())
    return 1 - float(counts["n_ended"].sum()) / n_due if n_due else 1.0
