"""Offers under a budget: to whom, and what they may be expected to bring, with all that is not known of it.

Who is likely to leave is not who can be kept: an offer changes what a customer does, and how much only a test can say.
Without one, an assumed effect is the same for everybody; with one, customers are ranked by what it did to their like.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.actions.churn import lapse_and_orders
from retention_kit.actions.experiments import SMALLEST_RATIO_P, readout
from retention_kit.actions.meta_analysis import pooled
from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError, UsageError, unknown_name
from retention_kit.metrics import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL
from retention_kit.models import Forecasts, patterns

_N_DRAWS = 2000
_N_MODELS = 100
_SEED = 1948
_Z = 1.959963984540054  # a range that is assumed is taken as one of 95 %
_ORDER_DAYS = ((1, 1), (2, 2), (3, 4), (5, None))
_SILENT_DAYS = ((0, 179), (180, None))


@dataclass(frozen=True)
class Effect:
    """Share of lapses that an offer averts: `source` is 'assumed', or 'measured' by a test, whose name is `test`.

    `market`: where it was measured; empty where it is assumed. `draws` are 2,000 values it may have, seeded.
    """

    share: float
    lower: float
    upper: float
    source: str
    draws: np.ndarray
    test: str = ""
    market: str = ""

    @property
    def averted(self) -> float:
        """Return the share by which customers are ranked: none where the test found the offer to do harm."""
        return max(self.share, 0.0)


def assumed_effect(share: float, *, lower: float, upper: float) -> Effect:
    """Return an effect that nobody has measured, normal around its middle, with a range of 95 %.

    Raises
    ------
    UsageError : a share that is none, or a range that does not hold it.
    """
    if not 0 <= share <= 1:
        raise UsageError("An effect is the share of lapses that are averted.", found=f"{share:g}", to_try="0.08")
    if not lower <= share <= upper:
        raise UsageError(
            "The range of an effect holds the effect.",
            found=f"{lower:g} to {upper:g} around {share:g}",
            to_try=f"0 to {2 * share:g}",
        )
    below, above = (share - lower) / _Z, (upper - share) / _Z
    drawn = np.random.default_rng(_SEED).standard_normal(_N_DRAWS)
    draws = np.minimum(share + np.where(drawn < 0, below, above) * drawn, 1)
    return Effect(share, lower, upper, "assumed", draws)


def measured_effect(
    experiment_counts: pd.DataFrame,
    *,
    experiment: str,
    treatment: str,
    control: str,
    market: str,
    horizon_days: int,
    conf_level: float = CONF_LEVEL,
) -> Effect:
    """Return the share of lapses that a test's treatment averted: the difference over the control's lapses.

    Parameters
    ----------
    experiment_counts : of all markets, from `counts.experiment_counts`.
    market : its customers are taken if it took part, all of the test otherwise.
    horizon_days : the counted horizon next to it is taken.

    Raises
    ------
    UsageError : no such experiment or arm (names the near miss).
    MetricError : an arm with nobody observed long enough; arms that were not drawn as planned.
    """
    known = experiment_counts["horizon_days"].unique()
    if not len(known):
        raise unknown_name("experiment", experiment, [])
    nearest = min(known, key=lambda days: (abs(days - horizon_days), days))
    rows = experiment_counts[experiment_counts["horizon_days"] == nearest]
    here = rows[(rows["market"] == market) & (rows["experiment"] == experiment)]
    took_part = {treatment, control} <= set(here.loc[here["n_observed"] > 0, "arm"])
    found = readout(here if took_part else rows, experiment=experiment, treatment=treatment, control=control)
    if found.sample_ratio_p < SMALLEST_RATIO_P:
        raise MetricError(
            f"The test '{experiment}' was not drawn as planned, and measures nothing.",
            found=f"sample-ratio test, p {found.sample_ratio_p:.4f}",
            to_try="another test, or an assumed effect",
        )
    if found.share_control == 1:
        raise MetricError(f"Nobody of arm '{control}' lapsed: there was nothing to avert.", to_try="a shorter horizon")
    random = np.random.default_rng(_SEED)
    sides = ((found.n_treatment, found.share_treatment), (found.n_control, found.share_control))
    drawn = [random.beta(n * share + 0.5, n * (1 - share) + 0.5, _N_DRAWS) for n, share in sides]
    draws = (drawn[0] - drawn[1]) / (1 - drawn[1])
    lower, upper = np.quantile(draws, [(1 - conf_level) / 2, (1 + conf_level) / 2])
    share = found.difference / (1 - found.share_control)
    of = market if took_part else GROUP
    return Effect(float(share), float(lower), float(upper), "measured", draws, experiment, of)


def offer_effect(
    experiment_counts: pd.DataFrame,
    *,
    experiment: str,
    control: str,
    market: str,
    horizon_days: int,
    assumed: tuple[float, float, float],
) -> Effect:
    """Return the effect that a test measured; the assumed one where none is named and none ran in the market.

    Parameters
    ----------
    experiment : its name; empty for the largest that ran in the market and can be read.
    control : name of the arm that got nothing; the other one is the treatment, of several the largest.
    assumed : share, and the ends of its range.

    Raises
    ------
    UsageError : no such experiment, or none of its arms is called so (names the near miss).
    """
    for name, arm in _tests(experiment_counts, experiment=experiment, control=control, market=market):
        asked = {"experiment": name, "treatment": arm, "control": control}
        try:
            return measured_effect(experiment_counts, **asked, market=market, horizon_days=horizon_days)
        except MetricError:
            if experiment:
                raise
    return assumed_effect(assumed[0], lower=assumed[1], upper=assumed[2])


def _tests(counts: pd.DataFrame, *, experiment: str, control: str, market: str) -> list[tuple[str, str]]:
    """Return experiments and arms that got something, the largest first: of a name, or of a market where none is given.

    Raises
    ------
    UsageError : no such experiment, or none of its arms is called as the control (names the near miss).
    """
    rows = counts[counts["experiment"] == experiment] if experiment else counts[counts["market"] == market]
    if experiment and rows.empty:
        raise unknown_name("experiment", experiment, sorted(counts["experiment"].unique()))
    if experiment and control not in set(rows["arm"]):
        raise unknown_name("arm", control, sorted(rows["arm"].unique()))
    with_control = rows.loc[rows["arm"] == control, "experiment"]
    others = rows[(rows["arm"] != control) & rows["experiment"].isin(with_control)]
    n = others.groupby(["experiment", "arm"])["n_observed"].sum()
    return list(n[n > 0].sort_values(ascending=False, kind="stable").index)


def offer_terms(
    terms: Mapping[str, Mapping[str, float]], markets: Mapping[str, Market], *, budget: float
) -> dict[str, dict[str, float]]:
    """Return what `counts.watch` ranks by with the number of offers that a budget pays: `n_offers` by market.

    Parameters
    ----------
    terms : from `watch_terms`: `cost_minor` of an offer; where it is 0, everybody can get one.
    budget : in each market's own currency.

    Raises
    ------
    UsageError : a budget below 0.
    """
    if not budget >= 0:
        raise UsageError("A budget is at least 0.", found=f"{budget:g}", to_try="500.0")
    found = {}
    for code, term in terms.items():
        cost, money = term["cost_minor"], round(budget * markets[code].minor_per_unit)
        found[code] = dict(term) | {"n_offers": int(money // cost) if cost else 10**9}
    return found


@dataclass(frozen=True)
class Offers:
    """What offers under a budget may be expected to bring, in units of currency, within the horizon.

    `expected`: margin saved less what the offers cost, with `lower`, `upper`: of what is not known of the effect and of
    each customer's risk; chance itself comes on top. `loss`: the chance that more is paid than saved. `break_even`:
    the effect at which nothing is gained. `by_risk`: the same expectation for as many offers to the highest risk.
    `segments`: one row per number of order days, `from_days`, `to_days` (NaN: and more): `n_customers`, `n_offers`,
    `risk` of those who get one, `expected`.
    """

    n_customers: int
    n_offers: int
    cost: float
    saved: float
    expected: float
    lower: float
    upper: float
    loss: float
    break_even: float
    by_risk: float
    effect: Effect
    segments: pd.DataFrame


def offers(
    offer_counts: pd.DataFrame,
    forecasts: Forecasts,
    *,
    market: Market,
    effect: Effect,
    offer_cost: float,
    horizon_days: int,
    conf_level: float = CONF_LEVEL,
) -> Offers:
    """Return what the offers chosen in the engine may be expected to bring.

    Parameters
    ----------
    offer_counts : of one market, from `counts.watch`: `frequency`, `recency`, `age`, `unit_days`, `chosen`, `riskiest`,
        `n_customers`, `stake_minor`.
    forecasts : those that the risks are from.
    offer_cost : of one offer, in the market's currency.
    horizon_days : of the risk.
    """
    forecast = forecasts.of(market.code)
    rows = offer_counts.reset_index(drop=True)
    n, minor = rows["n_customers"].to_numpy(dtype=float), market.minor_per_unit
    if rows.empty or forecast.market_model is None:
        nothing = dict.fromkeys(("cost", "saved", "expected", "lower", "upper", "loss", "by_risk"), 0.0)
        empty = _segments(rows.assign(lapse=0.0, gain=0.0))
        return Offers(0, 0, break_even=np.nan, effect=effect, segments=empty, **nothing)
    stake = rows["stake_minor"].to_numpy(dtype=float) / minor
    known = forecast.seasons.adjusted(patterns(rows), as_of_day=forecast.as_of_day)
    weeks = forecast.seasons.weeks(forecast.as_of_day, horizon_days / 7)
    model = forecast.market_model.model
    chosen, riskiest = (rows[name].to_numpy() == 1 for name in ("chosen", "riskiest"))

    def at_stake(log_parameters: np.ndarray) -> np.ndarray:
        """Return what all customers of each row lose the company if nothing is done."""
        lapse, orders = lapse_and_orders(model.law, np.exp(log_parameters), known, weeks=weeks)
        return lapse * orders * stake

    fit = model.fit
    lost, n_offers = at_stake(fit.log_parameters), float(n[chosen].sum())
    cost = n_offers * offer_cost
    random = np.random.default_rng(_SEED + 1)
    drawn = random.multivariate_normal(fit.log_parameters, fit.covariance, size=_N_MODELS)
    lost_drawn = np.array([at_stake(at)[chosen].sum() for at in drawn])
    returns = effect.draws * lost_drawn[np.arange(_N_DRAWS) % _N_MODELS] - cost
    lower, upper = np.quantile(returns, [(1 - conf_level) / 2, (1 + conf_level) / 2])
    saved = effect.share * lost[chosen].sum()
    lapse, _ = lapse_and_orders(model.law, model.parameters, known, weeks=weeks)
    gain = effect.share * lost - n * offer_cost
    return Offers(
        n_customers=int(n.sum()),
        n_offers=int(n_offers),
        cost=cost,
        saved=float(saved),
        expected=float(saved - cost),
        lower=float(lower),
        upper=float(upper),
        loss=float((returns < 0).mean()),
        break_even=float(cost / lost[chosen].sum()) if n_offers else np.nan,
        by_risk=float(effect.share * lost[riskiest].sum() - n[riskiest].sum() * offer_cost),
        effect=effect,
        segments=_segments(rows.assign(lapse=lapse, gain=gain)),
    )


def _segments(rows: pd.DataFrame) -> pd.DataFrame:
    found = []
    for low, high in _ORDER_DAYS:
        own = rows[_within(rows["frequency"] + 1, low, high)]
        got = own[own["chosen"] == 1]
        n = int(got["n_customers"].sum())
        risk = (got["lapse"] * got["n_customers"]).sum() / n if n else np.nan
        found.append((low, high, int(own["n_customers"].sum()), n, risk, got["gain"].sum()))
    columns = ["from_days", "to_days", "n_customers", "n_offers", "risk", "expected"]
    return pd.DataFrame(found, columns=columns)


@dataclass(frozen=True)
class Uplift:
    """What a test's treatment did to each kind of customer, and to whom offers go by it.

    `segments`: one row per kind that is large enough, most return first: `from_days`, `to_days`, order days before the
    assignment, `from_silent`, `to_silent`, days since the last; `n_treatment`, `n_control`, `share_treatment`,
    `share_control`, `difference`, `lower`, `upper` (Newcombe); `shrunken`, `shrunken_lower`, `shrunken_upper`: drawn to
    the mean of all as far as chance alone may set kinds apart; `worth`, the margin of a customer who comes back;
    `n_customers`, of such kind today; `expected_each`, of an offer; `n_offers` under the budget.
    `differ_p`: the p of Cochran's Q, small where kinds differ by more than chance. `n_left_out`: customers of kinds too
    small to be told. `expected`, `lower`, `upper`, of all offers together, in units of currency.
    """

    test: str
    segments: pd.DataFrame
    differ_p: float
    n_left_out: int
    n_offers: int
    cost: float
    expected: float
    lower: float
    upper: float


def uplift(
    uplift_counts: pd.DataFrame,
    rfm_counts: pd.DataFrame,
    *,
    experiment: str,
    control: str,
    market: Market,
    offer_cost: float,
    budget: float,
    horizon_days: int,
    min_cell: int,
    conf_level: float = CONF_LEVEL,
) -> Uplift | None:
    """Return whom a past test says that an offer changes most, and what offers to them may be expected to bring.

    Segments are drawn to their common mean (DerSimonian and Laird's variance between them; each keeps as much of its
    own difference as chance does not explain), so that none is best because it is small.

    Parameters
    ----------
    uplift_counts : of all markets, from `counts.uplift_counts`.
    rfm_counts : of the market: who is of which kind today; nobody silent for less time than all in the test were.
    experiment : its name; empty for the largest that ran in the market.
    control : name of the arm that got nothing; of several others the largest is taken.
    offer_cost, budget : in the market's currency; an offer is paid whether or not it changes anything.
    horizon_days : the counted horizon next to it is taken.
    min_cell : with fewer customers in an arm a kind is left out.

    Returns
    -------
    None where the test did not run in the market, or no kind is large enough.

    Raises
    ------
    UsageError : no such experiment or arm (names the near miss); a budget or a cost below 0.
    """
    for what, amount in (("A budget", budget), ("The cost of an offer", offer_cost)):
        if not amount >= 0:
            raise UsageError(f"{what} is at least 0.", found=f"{amount:g}", to_try="2.0")
    tests = _tests(uplift_counts, experiment=experiment, control=control, market=market.code)
    if not tests:
        return None
    experiment, treatment = tests[0]
    rows = uplift_counts[uplift_counts["experiment"] == experiment]
    nearest = min(rows["horizon_days"].unique(), key=lambda days: (abs(days - horizon_days), days))
    here = rows[(rows["horizon_days"] == nearest) & (rows["market"] == market.code)]
    told, n_left_out = _kinds(here, treatment=treatment, control=control, min_cell=min_cell, conf_level=conf_level)
    if told.empty:
        return None
    told["n_customers"] = [_today(rfm_counts, kind) for kind in told.itertuples()]
    margin = 1.0 if market.gross_margin is None else market.gross_margin
    returned = told["returned"].where(told["returned"] > 0)
    told["worth"] = (told["revenue_minor"] / returned / market.minor_per_unit * margin).fillna(0.0)
    told, draws, differ_p = _shrunken(told, conf_level=conf_level)
    told["expected_each"] = told["shrunken"] * told["worth"] - offer_cost
    order = np.argsort(-told["expected_each"].to_numpy(), kind="stable")
    told, draws = told.iloc[order].reset_index(drop=True), draws[:, order]
    told["n_offers"] = _spent(told, offer_cost=offer_cost, budget=budget)
    n = told["n_offers"].to_numpy(dtype=float)
    returns = ((draws * told["worth"].to_numpy() - offer_cost) * n).sum(axis=1)
    lower, upper = np.quantile(returns, [(1 - conf_level) / 2, (1 + conf_level) / 2])
    return Uplift(
        test=experiment,
        segments=told.drop(columns=["returned", "revenue_minor"]),
        differ_p=differ_p,
        n_left_out=n_left_out,
        n_offers=int(n.sum()),
        cost=float(n.sum() * offer_cost),
        expected=float((told["expected_each"] * n).sum()),
        lower=float(lower),
        upper=float(upper),
    )


def _kinds(
    rows: pd.DataFrame, *, treatment: str, control: str, min_cell: int, conf_level: float
) -> tuple[pd.DataFrame, int]:
    """Return what happened to each kind of customer in both arms, and how many are of kinds too small to be told."""
    found, left_out = [], int(rows.loc[rows["order_days"] == 0, "n_observed"].sum())
    for low, high in _ORDER_DAYS:
        for silent, silent_to in _SILENT_DAYS:
            own = rows[_within(rows["order_days"], low, high) & _within(rows["silent_days"], silent, silent_to)]
            numbers = ["n_observed", "n_returned", "revenue_minor"]
            arms = own.groupby("arm")[numbers].sum().reindex([treatment, control], fill_value=0)
            (n, x, _), (n0, x0, _) = arms.to_numpy(dtype=float)
            if min(n, n0) < max(min_cell, 2):
                left_out += int(n + n0)
                continue
            ends = difference_of_shares(int(x), int(n), int(x0), int(n0), conf_level=conf_level)
            kind = (low, high, max(silent, _shortest(own)), silent_to)
            found.append((*kind, int(n), int(n0), x / n, x0 / n0, *ends, x + x0, arms["revenue_minor"].sum()))
    columns = ["from_days", "to_days", "from_silent", "to_silent", "n_treatment", "n_control", "share_treatment"]
    columns += ["share_control", "difference", "lower", "upper", "returned", "revenue_minor"]
    return pd.DataFrame(found, columns=columns), left_out


def _shortest(rows: pd.DataFrame) -> int:
    """Return the shortest silence that the test covers, in days: fewer than one in twenty were silent for less."""
    by = rows.groupby("silent_days")["n_observed"].sum().cumsum()
    return int(by.index[np.searchsorted(by.to_numpy(), 0.05 * by.iloc[-1])])


def _today(rfm_counts: pd.DataFrame, kind) -> int:
    silent = (rfm_counts["age"] - rfm_counts["recency"]) * rfm_counts["unit_days"]
    of_kind = _within(rfm_counts["frequency"] + 1, kind.from_days, kind.to_days)
    of_kind &= _within(silent, kind.from_silent, kind.to_silent)
    return int(rfm_counts.loc[of_kind, "n_customers"].sum())


def _shrunken(told: pd.DataFrame, *, conf_level: float) -> tuple[pd.DataFrame, np.ndarray, float]:
    """Return the kinds with differences drawn to their mean; draws of these, (n_draws, n_kinds); and the p of Q."""
    n, n0 = told["n_treatment"].to_numpy(dtype=float), told["n_control"].to_numpy(dtype=float)
    soft, soft0 = ((told[s] * m + 0.5) / (m + 1) for s, m in (("share_treatment", n), ("share_control", n0)))
    variance = (soft * (1 - soft) / n + soft0 * (1 - soft0) / n0).to_numpy()
    own = told["difference"].to_numpy()
    random = np.random.default_rng(_SEED + 2)
    if len(told) == 1:
        middle, spread, kept, differ_p = own[0], np.sqrt(variance[0]), np.ones(1), 1.0
    else:
        every = pooled(own, variance)
        middle, spread, differ_p = every.difference, (every.upper - every.lower) / 2 / _Z, every.q_p
        kept = every.spread**2 / (every.spread**2 + variance)
    middles = random.normal(middle, spread, size=(_N_DRAWS, 1))
    noise = random.standard_normal((_N_DRAWS, len(told))) * np.sqrt(kept * variance)
    draws = kept * own + (1 - kept) * middles + noise
    ends = np.quantile(draws, [(1 - conf_level) / 2, (1 + conf_level) / 2], axis=0)
    told = told.assign(shrunken=kept * own + (1 - kept) * middle, shrunken_lower=ends[0], shrunken_upper=ends[1])
    return told, draws, float(differ_p)


def _spent(told: pd.DataFrame, *, offer_cost: float, budget: float) -> list[int]:
    """Return how many offers go to each kind, the best first, until the budget is spent or nothing is gained."""
    left = int(budget / offer_cost + 1e-9) if offer_cost else int(told["n_customers"].sum())
    found = []
    for kind in told.itertuples():
        n = min(kind.n_customers, left) if kind.expected_each > 0 else 0
        found.append(n)
        left -= n
    return found


def _within(values: pd.Series, low: int, high: float | None) -> pd.Series:
    return values >= low if high is None or np.isnan(high) else values.between(low, high)
