"""The forecast of a market's subscriptions: how many renewals, tested on the last weeks, beside two naive forecasts.

Counts of subscriptions add up: a market where few have ended yet is forecast by all markets together, and says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import chi2

from retention_kit.config import Market
from retention_kit.errors import MetricError
from retention_kit.messages import N_, Message
from retention_kit.metrics.survival import kaplan_meier
from retention_kit.models.fitting import CONF_LEVEL
from retention_kit.models.sbg import BetaDiscreteWeibull, ShiftedBetaGeometric, fit_bdw, fit_sbg

LEAST_ENDED = 30
"""Subscriptions that have ended below which no model is fitted to a market alone."""
LEAST_DUE = 30
"""Subscriptions with a renewal in the hold-out below which a forecast cannot be judged."""
PER_YEAR = {"week": 52, "month": 12, "quarter": 4, "year": 1}
"""Renewals in a year, by period."""
_LONGEST_AHEAD = 3
"""Years that the curve is drawn ahead, at the most."""
_CURVE = ["duration", "n_at_risk", "survival", "lower", "upper"]


@dataclass(frozen=True)
class RenewalTest:
    """A forecast of how many subscriptions would renew all through a hold-out, and how many did.

    `n` had a renewal due in it. `last_period`: the share that had renewed through the hold-out before; `steady`: every
    renewal is made with the one chance that all renewals before had.
    """

    weeks: int
    n: int
    actual: int
    forecast: float
    lower: float
    upper: float
    last_period: float | None
    steady: float

    @property
    def error(self) -> float:
        """Return how far the forecast is off, over what was made; below 0 where it is too low."""
        return self.forecast / self.actual - 1

    @property
    def covered(self) -> bool:
        """Tell whether what was made lies in the interval of the forecast."""
        return self.lower <= self.actual <= self.upper

    @property
    def naive_error(self) -> float:
        """Return the smaller error of the two naive forecasts, over what was made."""
        naive = [self.steady] if self.last_period is None else [self.steady, self.last_period]
        return min((forecast / self.actual - 1 for forecast in naive), key=abs)

    @property
    def holds(self) -> bool:
        """Tell whether the forecast may be shown: no naive one is nearer by more than chance, that of the count."""
        chance = 1.96 * np.sqrt(self.actual * (1 - self.actual / self.n)) / self.actual
        return abs(self.error) <= abs(self.naive_error) + chance


@dataclass(frozen=True)
class RenewalForecast:
    """What is forecast of a market's subscriptions of one period: 'week', 'month', 'quarter', 'year'.

    `model`: fitted to all that is known; None where there is none, or the forecast is withheld. `laws`: log likelihood
    of each that could be fitted, by name. `n_ended`, `n_running`: of this market. `is_pooled`: fitted to all markets
    together. `steady`: the chance of a renewal over all that were due, as if it were one. `curve`, observed, as long as
    enough are at risk: `duration` in renewals, `n_at_risk`, `survival`, `lower`, `upper`; `ahead`, as the model has it:
    `duration`, `survival`, `lower`, `upper`. `next_year`: how many of those running are expected to be so after a year,
    with an interval. `notes` say why something is not there, by 'model', 'test'.
    """

    market: Market
    period: str
    n_ended: int
    n_running: int
    model: ShiftedBetaGeometric | BetaDiscreteWeibull | None
    laws: Mapping[str, float]
    is_pooled: bool
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

    def lifetime(self, *, yearly_rate: float) -> float | None:
        """Return for how many periods a new subscription is expected to be paid within ten years, discounted."""
        if self.model is None:
            return None
        per_year = PER_YEAR[self.period]
        paid = np.arange(10 * per_year)
        return float((self.model.survival(paid) * (1 + yearly_rate) ** (-paid / per_year)).sum())


def renewal_forecasts(
    renewal_counts: pd.DataFrame, *, market: Market, holdout_weeks: int, min_cell: int
) -> list[RenewalForecast]:
    """Return the forecasts of a market's subscriptions, one for each period that it sells, the most sold first.

    Parameters
    ----------
    renewal_counts : of all markets, from `counts.renewal_counts`, with the same hold-out.
    market : its code and name.
    holdout_weeks : length of the hold-out.
    min_cell : least number of subscriptions of which anything is told.
    """
    of_periods = renewal_counts[renewal_counts["period"].isin(PER_YEAR)]
    here = of_periods[of_periods["market"] == market.code]
    now = here[here["holdouts_ago"] == 0]
    sold = now.groupby("period")[["n_ended", "n_running"]].sum().sum(axis=1)
    enough = sold[sold >= min_cell].sort_values(ascending=False, kind="stable")
    return [
        _forecast(of_periods[of_periods["period"] == period], market, holdout_weeks, min_cell)
        for period in enough.index
    ]


def _forecast(counts: pd.DataFrame, market: Market, holdout_weeks: int, min_cell: int) -> RenewalForecast:
    """Return the forecast of the subscriptions of one period; the counts are those of all markets."""
    period = counts["period"].iloc[0]
    here = counts[counts["market"] == market.code]
    now = here[here["holdouts_ago"] == 0]
    notes: dict[str, str] = {}
    models, is_pooled = _fitted(counts[counts["holdouts_ago"] == 0], market, notes)
    tested = _tested(counts, market, holdout_weeks, min_cell, notes)
    if models and tested is not None and not tested.holds:
        notes["model"] = N_("The forecast is withheld: a naive one was nearer.")
    model = None if "model" in notes else models[-1]
    life_table = kaplan_meier(now, duration="renewals", n_ended="n_ended", n_running="n_running")
    enough = life_table[(life_table["n_at_risk"] >= min_cell) & (life_table["duration"] >= 1)]
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
        n_ended=int(now["n_ended"].sum()),
        n_running=int(now["n_running"].sum()),
        model=model,
        laws={found.name: found.log_likelihood for found in models},
        is_pooled=is_pooled,
        steady=_steady(now),
        curve=enough[_CURVE].reset_index(drop=True),
        ahead=ahead,
        next_year=next_year,
        tested=tested,
        notes=notes,
    )


def _fitted(
    counts: pd.DataFrame, market: Market, notes: dict[str, str]
) -> tuple[list[ShiftedBetaGeometric | BetaDiscreteWeibull], bool]:
    """Return the models that could be fitted, the one to be used last; and whether to all markets together.

    The BdW is used where its likelihood is greater than chance lets an sBG's be; with one more parameter, it is never
    less.
    """
    mine = counts[counts["market"] == market.code]
    is_pooled = bool(mine["n_ended"].sum() < LEAST_ENDED)
    used = counts if is_pooled else mine
    if used["n_ended"].sum() < LEAST_ENDED:
        notes["model"] = Message("Fewer than {n} subscriptions have ended, too few for a model.", n=LEAST_ENDED)
        return [], is_pooled
    life_table = used[used["renewals"] > 0].groupby("renewals", as_index=False)[["n_ended", "n_running"]].sum()
    life_table = life_table.rename(columns={"renewals": "duration"})
    found = []
    for fit in (fit_sbg, fit_bdw):
        try:
            found.append(fit(life_table))
        except MetricError as error:
            if fit is fit_sbg:
                notes["model"] = error.what
                return [], is_pooled
    if len(found) == 2 and 2 * (found[1].log_likelihood - found[0].log_likelihood) <= chi2.ppf(CONF_LEVEL, 1):
        found.reverse()
    return found, is_pooled


def _tested(
    counts: pd.DataFrame, market: Market, weeks: int, min_cell: int, notes: dict[str, str]
) -> RenewalTest | None:
    """Return the back-test of the forecast made one hold-out ago; None, and a note, where it cannot be judged."""
    then = counts[counts["holdouts_ago"] == 1]
    here, before, now = (
        counts[(counts["market"] == market.code) & (counts["holdouts_ago"] == ago)] for ago in (1, 2, 0)
    )
    due, due_before = here[here["ahead"] > 0], before[before["ahead"] > 0]
    actual, n = int(due["n_kept"].sum()), int(due["n_running"].sum())
    too_few = Message(
        "Fewer than {n} subscriptions had a renewal due in the {weeks} weeks held out.", n=LEAST_DUE, weeks=weeks
    )
    if n < LEAST_DUE or actual < min_cell or n - actual < min_cell:
        notes["test"] = too_few
        return None
    sizes = [int(rows[["n_ended", "n_running"]].sum().sum()) for rows in (here, now)]
    if 0 < sizes[1] - sizes[0] < min_cell:  # the subscriptions of then, less those of now, would tell of them
        notes["test"] = too_few
        return None
    refused: dict[str, str] = {}
    models, _ = _fitted(then, market, refused)
    if not models:
        notes["test"] = refused["model"]
        return None
    forecast, lower, upper = models[-1].still_renewing(due["renewals"], due["ahead"], due["n_running"])
    was_due = float(due_before["n_running"].sum())
    return RenewalTest(
        weeks=weeks,
        n=n,
        actual=actual,
        forecast=forecast,
        lower=lower,
        upper=upper,
        last_period=n * float(due_before["n_kept"].sum()) / was_due if was_due >= LEAST_DUE else None,
        steady=float((due["n_running"] * _steady(here) ** due["ahead"]).sum()),
    )


def _steady(counts: pd.DataFrame) -> float:
    """Return the share of all renewals that came due which were made: one chance for everybody at any age."""
    n_due = float((counts["renewals"] * (counts["n_ended"] + counts["n_running"])).sum())
    return 1 - float(counts["n_ended"].sum()) / n_due if n_due else 1.0
