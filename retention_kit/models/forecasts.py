"""A market's forecast in one piece: model, season, spend, back-test; and why something of it is not there.

All markets are fitted together, so that small ones are helped; then each is asked for by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError
from retention_kit.messages import Message
from retention_kit.models.backtest import LEAST_LATER, BackTest, back_test, back_tested_models
from retention_kit.models.laws import LAWS
from retention_kit.models.money import MoneyTest, back_test_money
from retention_kit.models.patterns import Patterns, patterns
from retention_kit.models.pooling import MarketModel, pooled_purchases, refuse_without_model
from retention_kit.models.purchases import DEFAULT_LAW, WEEKS_PER_YEAR, PurchaseModel
from retention_kit.models.seasons import Seasons, seasons
from retention_kit.models.spend import SpendModel, fit_spend
from retention_kit.periods import as_of_instant


@dataclass(frozen=True)
class MarketForecast:
    """What is forecast of a market's customers, as of a day.

    `market_model`, `spend` and `tested` are None where there is none; `notes` then says why, by 'model', 'spend',
    'test'; and by 'money', why nothing is tested in money. `seasons_before` are those known before the hold-out.
    `next_year`: expected order days of all customers in the next year, with the interval of what will be made if the
    model is true; None where there is no model.
    """

    market: Market
    law: str
    as_of_day: int
    patterns: Patterns
    seasons: Seasons
    seasons_before: Seasons
    market_model: MarketModel | None
    spend: SpendModel | None
    tested: BackTest | None
    next_year: tuple[float, float, float] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def withheld(self) -> str:
        """Return why the forecast is not shown; empty where it is."""
        if self.market_model is None:
            return self.notes["model"]
        if self.tested is not None and not self.tested.holds:
            return Message(
                "{market}: the forecast is withheld: on the {weeks} weeks held out a naive forecast was nearer "
                "({naive} beside {error}).",
                market=self.market.name,
                weeks=self.tested.weeks,
                **self.tested.errors_told(),
            )
        return ""


@dataclass(frozen=True)
class Forecasts:
    """The forecasts of all markets, fitted together."""

    by_market: Mapping[str, MarketForecast]

    def of(self, market: str) -> MarketForecast:
        """Return the forecast of one market.

        Raises
        ------
        MetricError : it is not among those fitted. The group is none: customers differ by market, and so do currencies.
        """
        if market not in self.by_market:
            raise no_forecast(market, self.by_market)
        return self.by_market[market]


def no_forecast(market: str, known: Iterable[str]) -> MetricError:
    """Return the error of a forecast that is not among those known."""
    return MetricError(
        f"There is no forecast of '{market}'.",
        found=f"forecasts of {', '.join(known)}",
        to_try="a market with orders" if market != GROUP else "each market by itself",
    )


def known_patterns(rfm_counts: pd.DataFrame, *, seasons: Seasons, as_of_day: int) -> Patterns:
    """Return the patterns of a market that a forecast is fitted to, in seasonal weeks."""
    return seasons.adjusted(patterns(rfm_counts), as_of_day=as_of_day)


def purchase_forecasts(
    tables: Mapping[str, pd.DataFrame],
    purchases: Mapping[str, pd.DataFrame],
    *,
    markets: Mapping[str, Market],
    as_of: str,
    holdout_weeks: int,
    min_cell: int,
    law: str = DEFAULT_LAW,
) -> Forecasts:
    """Return the forecasts of all markets: fitted to all that is known, and tested on the last weeks of it.

    Parameters
    ----------
    tables : counts tables of all markets: `rfm_counts`; `order_counts`, `activity_counts` with grain 'month'.
    purchases : `holdout_counts`, `spend_counts`, `repeat_spend_counts` of all markets.
    markets : by code, those with orders.
    as_of : first instant not observed.
    holdout_weeks : length of the hold-out of `holdout_counts`.
    min_cell : least number of customers of whom a forecast is shown.
    law : 'mbg_nbd', 'bg_nbd' or 'pareto_nbd'.

    Raises
    ------
    UsageError : no such law.
    """
    codes = [code for code in markets if (tables["rfm_counts"]["market"] == code).any()]
    names = {code: markets[code].name for code in codes}
    days = {code: as_of_instant(as_of, zone=markets[code].zone)[1] for code in codes}
    rfm, orders, active, holdout, spend, repeat = (
        {code: table[table["market"] == code] for code in codes}
        for table in (
            tables["rfm_counts"],
            tables["order_counts"],
            tables["activity_counts"],
            purchases["holdout_counts"],
            purchases["spend_counts"],
            purchases["repeat_spend_counts"],
        )
    )
    split = {code: days[code] - 7 * holdout_weeks for code in codes}
    now = {code: seasons(orders[code], active[code], before_day=days[code]) for code in codes}
    then = {code: seasons(orders[code], active[code], before_day=split[code]) for code in codes}
    known = {code: known_patterns(rfm[code], seasons=now[code], as_of_day=days[code]) for code in codes}
    models = pooled_purchases(known, names=names, law=law)
    past = {code: holdout[code] for code in codes if holdout[code]["n_customers"].sum() > 0}
    earlier = back_tested_models(past, names=names, split_days=split, seasons=then, law=law)
    found = {}
    for code in codes:
        facts = {"law": law, "as_of_day": days[code], "seasons": now[code], "seasons_before": then[code]}
        if known[code].n_customers < min_cell:
            found[code] = _hidden(markets[code], known[code], min_cell=min_cell, **facts)
            continue
        notes: dict[str, str] = {}
        market_model = _or_note(notes, "model", refuse_without_model, code, models, known[code], name=names[code])
        ahead = None
        if market_model is not None:
            weeks = now[code].weeks(days[code], WEEKS_PER_YEAR)
            ahead = market_model.model.total_orders(known[code], weeks=weeks)
        spent = _or_note(notes, "spend", _fitted_spend, spend[code], repeat[code])
        tested = None
        if code in earlier:
            held_out = {"weeks": holdout_weeks, "split_day": split[code], "seasons": then[code]}
            tested = _or_note(notes, "test", back_test, past[code], earlier[code], **held_out)
        else:
            notes["test"] = Message(
                "{market}: no model could be fitted {weeks} weeks ago, so that none was tested.",
                market=names[code],
                weeks=holdout_weeks,
            )
        if tested is not None and tested.n_customers < min_cell:
            tested = None
            notes["test"] = Message(
                "{market}: fewer than {n} customers {weeks} weeks ago.",
                market=names[code],
                n=min_cell,
                weeks=holdout_weeks,
            )
        if tested is not None and 0 < known[code].n_customers - tested.n_customers < min_cell:
            tested = None  # the customers of then, less those of now, would tell of them
            notes["test"] = Message(
                "{market}: fewer than {n} customers came in the last {weeks} weeks.",
                market=names[code],
                n=min_cell,
                weeks=holdout_weeks,
            )
        if tested is not None:
            facts_then = {"split_day": split[code], "seasons": then[code], "weeks": holdout_weeks}
            known_then = past[code], repeat[code], earlier[code].model
            tested = replace(tested, money=_or_note(notes, "money", _tested_in_money, *known_then, **facts_then))
        found[code] = MarketForecast(
            market=markets[code],
            patterns=known[code],
            market_model=market_model,
            spend=spent,
            tested=tested,
            next_year=ahead,
            notes=notes,
            **facts,
        )
    return Forecasts(found)


def laws_compared(
    purchases: Mapping[str, pd.DataFrame], forecast: MarketForecast, *, holdout_weeks: int
) -> pd.DataFrame:
    """Return how each law, fitted to one market alone, does on the hold-out: the choice is the reader's.

    Returns
    -------
    One row per law that can be fitted: `law`, `log_likelihood` before the hold-out, `forecast`, `lower`, `upper`,
    `actual`, `error`.
    """
    code, day = forecast.market.code, forecast.as_of_day - 7 * holdout_weeks
    holdout, before = purchases["holdout_counts"], forecast.seasons_before
    here = {code: holdout[holdout["market"] == code]}
    rows = []
    for law in LAWS if here[code]["n_later"].sum() >= LEAST_LATER else ():
        models = back_tested_models(
            here, names={code: forecast.market.name}, split_days={code: day}, seasons={code: before}, law=law
        )
        if code in models:
            tested = back_test(here[code], models[code], weeks=holdout_weeks, split_day=day, seasons=before)
            rows.append(
                {
                    "law": LAWS[law].name,
                    "log_likelihood": models[code].model.fit.log_likelihood,
                    "forecast": tested.forecast,
                    "lower": tested.lower,
                    "upper": tested.upper,
                    "actual": tested.actual,
                    "error": tested.error,
                }
            )
    return pd.DataFrame(rows, columns=["law", "log_likelihood", "forecast", "lower", "upper", "actual", "error"])


def _hidden(market: Market, known: Patterns, *, min_cell: int, **facts) -> MarketForecast:
    why = f"{market.name}: hidden: fewer than {min_cell} customers."
    notes = dict.fromkeys(("model", "spend", "test"), why)
    nothing = {"market_model": None, "spend": None, "tested": None}
    return MarketForecast(market=market, patterns=known, notes=notes, **nothing, **facts)


def _tested_in_money(
    holdout_counts: pd.DataFrame, repeat_spend_counts: pd.DataFrame, model: PurchaseModel, **facts
) -> MoneyTest:
    spent, share_paid = _paid(repeat_spend_counts, holdouts_ago=1)
    return back_test_money(holdout_counts, spent, model, replace(fit_spend(spent), scale=share_paid), **facts)


def _fitted_spend(spend_counts: pd.DataFrame, repeat_spend_counts: pd.DataFrame) -> SpendModel:
    """Return the model of what later order days bring, with what first ones do.

    Where refunds count on a day of their own, orders are counted without them: the share that is refunded comes off.
    """
    spent, share_paid = _paid(repeat_spend_counts, holdouts_ago=0)
    fitted = fit_spend(spent)
    now = repeat_spend_counts[repeat_spend_counts["holdouts_ago"] == 0]
    share_left = float(spend_counts["revenue_minor"].sum()) / float(now["revenue_minor"].sum())
    first = now[now["n_days"] == 0]
    n, value = first["n_customers"].to_numpy(dtype=float), (first["revenue_minor"] / first["n_customers"]).to_numpy()
    mean = float((n * value).sum() / n.sum())
    error = float(np.sqrt((n * (value - mean) ** 2).sum())) / n.sum()
    return replace(fitted, first=share_left * mean, first_error=share_left * error, scale=share_left * share_paid)


def _paid(repeat_spend_counts: pd.DataFrame, *, holdouts_ago: int) -> tuple[pd.DataFrame, float]:
    """Return what customers spent on later order days as the model of spend takes it, and whose share of days it is.

    Free orders say nothing of spend: who has made no other is left out, and his days are of the others' share.
    """
    known = repeat_spend_counts[repeat_spend_counts["holdouts_ago"] == holdouts_ago].query("n_days > 0")
    paid = known[(known["spend_bin"] > 0) & (known["revenue_minor"] > 0)]
    days, days_paid = (float((rows["n_days"] * rows["n_customers"]).sum()) for rows in (known, paid))
    table = paid.rename(columns={"revenue_minor": "value"})[["n_days", "n_customers", "value"]]
    return table, days_paid / days if days else 1.0


def _or_note(notes: dict[str, str], about: str, function, *args, **kwargs):
    """Return what a function returns, or None, and note why it refused."""
    try:
        return function(*args, **kwargs)
    except MetricError as error:
        notes[about] = error.what
        return None
