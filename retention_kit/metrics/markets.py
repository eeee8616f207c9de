"""Markets compared: which differ by more than chance, how far a rank can be trusted, what mix explains.

A league table of raw shares puts small markets at both ends, because small markets vary most. So: each market against
all others together, with an interval and with p-values corrected for looking at many; funnel limits; shares drawn
towards the mean of all markets as far as their size asks for it; ranks with their uncertainty.
"""

import numpy as np
import pandas as pd
from scipy.special import betaln, chdtrc

from retention_kit.errors import MetricError, unknown_name
from retention_kit.metrics.differences import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns, wilson

_MOST_CERTAIN = 1e7
"""α + β from which on markets are taken to have one share."""

_N_DRAWS = 4000
_N_DRAWS_OF_MIX = 1000


def compared_markets(shares: pd.DataFrame, *, count: str, n: str, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Return each market's share against all other markets together, and against chance.

    Parameters
    ----------
    shares : one row per market with somebody in it: `market`, the customers counted and those they are of.
    count, n : its columns.

    Returns
    -------
    One row per market, in the order given: `market`, `count`, `n`, `share`, `lower`, `upper` (Wilson);
    `others`, the share of all others; `difference`, `difference_lower`, `difference_upper` (Newcombe); `p`, two-sided
    (Pearson's χ², Fisher's exact test where fewer than five are expected), `p_holm`, `p_bh`; `funnel_lower`,
    `funnel_upper`, within which 95 % of markets of this size lie by chance, `funnel_far_lower`, `funnel_far_upper`,
    the same for 99.8 %; `pooled`, `pooled_lower`, `pooled_upper`, the share drawn towards all markets (empirical
    Bayes, beta–binomial); `rank` of it, 1 the highest, and `rank_lower`, `rank_upper`.

    Raises
    ------
    MetricError : fewer than two markets, a market twice, or one with nobody.
    """
    from scipy.stats import beta

    rows = shares[["market", count, n]].set_axis(["market", "count", "n"], axis=1).reset_index(drop=True)
    if len(rows) < 2 or rows["market"].duplicated().any() or (rows["n"] <= 0).any():
        raise MetricError(
            "Markets are compared where at least two of them have customers, each named once.",
            found=f"{len(rows)} rows, the smallest of {rows['n'].min() if len(rows) else 0} customers",
        )
    table = share_columns(rows, "share", count="count", n="n", conf_level=conf_level)
    table = pd.concat([table, _against_others(rows, conf_level=conf_level)], axis=1)
    table = table.assign(p_holm=holm(table["p"]), p_bh=benjamini_hochberg(table["p"]))
    all_share = rows["count"].sum() / rows["n"].sum()
    for name, level in (("funnel", 0.95), ("funnel_far", 0.998)):
        lower, upper = funnel_limits(rows["n"], share=all_share, level=level)
        table = table.assign(**{f"{name}_lower": lower, f"{name}_upper": upper})
    alpha_, beta_ = beta_binomial(rows["count"], rows["n"])
    after = beta(rows["count"] + alpha_, rows["n"] - rows["count"] + beta_)
    tails = ((1 - conf_level) / 2, (1 + conf_level) / 2)
    ends = dict(zip(("pooled_lower", "pooled_upper"), (after.ppf(tail) for tail in tails), strict=True))
    return table.assign(pooled=after.mean(), **ends).join(_ranks(after, conf_level=conf_level))


def _against_others(rows: pd.DataFrame, *, conf_level: float) -> pd.DataFrame:
    count, n = rows["count"].to_numpy(), rows["n"].to_numpy()
    of_others, n_others = count.sum() - count, n.sum() - n
    share, others = count / n, of_others / n_others
    (lower, upper), (lower_others, upper_others) = (
        wilson(count, n, conf_level=conf_level),
        wilson(of_others, n_others, conf_level=conf_level),
    )
    difference = share - others  # and Newcombe's interval, as `difference_of_shares` has it, of all markets at once
    found = {
        "others": others,
        "difference": difference,
        "difference_lower": difference - np.hypot(share - lower, upper_others - others),
        "difference_upper": difference + np.hypot(upper - share, others - lower_others),
        "p": p_of_two_shares(count, n, of_others, n_others),
    }
    return pd.DataFrame(found, index=rows.index)


def p_of_two_shares(count, n, count_other, n_other) -> np.ndarray:
    """Return the two-sided p of equal shares: Pearson's χ², Fisher's exact where fewer than five are expected.

    Parameters
    ----------
    count, n, count_other, n_other : (n_pairs,) or single numbers.

    Returns
    -------
    (n_pairs,); 1 where all or none are counted.
    """
    both = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (count, n, count_other, n_other)))
    own, n, other, n_other = (np.atleast_1d(one) for one in both)
    counted, of = own + other, n + n_other
    least = np.minimum(n, n_other) * np.minimum(counted, of - counted) / of
    with np.errstate(divide="ignore", invalid="ignore"):
        chi_squared = of * (own * (n_other - other) - other * (n - own)) ** 2 / (n * n_other * counted * (of - counted))
    p = np.where((counted == 0) | (counted == of), 1.0, chdtrc(1, chi_squared))
    for nth in np.flatnonzero((least < 5) & (counted > 0) & (counted < of)):
        from scipy.stats import fisher_exact

        table = [[own[nth], n[nth] - own[nth]], [other[nth], n_other[nth] - other[nth]]]
        p[nth] = fisher_exact(np.array(table, dtype=int)).pvalue
    return p.reshape(np.shape(both[0]))


def holm(p) -> np.ndarray:
    """Return p-values corrected so that the chance of any false alarm stays below the level (Holm 1979).

    >>> [round(float(q), 3) for q in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))), 1)
    return corrected


def benjamini_hochberg(p) -> np.ndarray:
    """Return p-values corrected so that of all alarms the share of false ones stays below the level (1995).

    >>> [round(float(q), 3) for q in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")[::-1]
    ranked = p[order] * len(p) / (len(p) - np.arange(len(p)))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.minimum.accumulate(ranked), 1) if len(p) else ranked
    return corrected


def funnel_limits(n, *, share: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return between which shares a market of n customers lies with that probability if its share is `share`.

    Exact binomial limits (Spiegelhalter 2005): the smallest and largest count within the level, over n.
    """
    from scipy.stats import binom

    n = np.asarray(n)
    lower, upper = (binom.ppf(tail, n, share) for tail in ((1 - level) / 2, (1 + level) / 2))
    return lower / n, upper / n


def beta_binomial(count, n) -> tuple[float, float]:
    """Return α and β of the distribution that shares of markets come from, by maximum likelihood.

    Where markets differ by no more than chance, α + β is very large: all are then drawn to the same share.

    Parameters
    ----------
    count, n : (n_markets,), customers counted, and those they are of.
    """
    from scipy.optimize import minimize

    count, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    pooled = (count.sum() + 0.5) / (n.sum() + 1)

    def loss(parameters: np.ndarray) -> float:
        mean, size = 1 / (1 + np.exp(-parameters[0])), np.exp(parameters[1])
        a, b = mean * size, (1 - mean) * size
        return -float((betaln(count + a, n - count + b) - betaln(a, b)).sum())

    bounds = [(-15, 15), (np.log(0.5), np.log(_MOST_CERTAIN))]
    starts = [(np.log(pooled / (1 - pooled)), np.log(size)) for size in (5.0, 50.0, 500.0, _MOST_CERTAIN / 10)]
    fits = [minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: fit.fun).x
    mean, size = 1 / (1 + np.exp(-best[0])), np.exp(best[1])
    return float(mean * size), float((1 - mean) * size)


def _ranks(after, *, conf_level: float) -> pd.DataFrame:
    """Return each market's rank by its pooled share, and between which ranks it lies in most draws."""
    random = np.random.default_rng(1995)  # seeded: the same counts give the same ranks
    drawn = after.rvs(size=(_N_DRAWS, len(after.mean())), random_state=random)
    ranks = (-drawn).argsort(axis=1).argsort(axis=1) + 1
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    lower, upper = np.quantile(ranks, tails, axis=0, method="inverted_cdf")
    rank = pd.Series(-after.mean()).rank(method="min").astype(int)
    return pd.DataFrame({"rank": rank, "rank_lower": lower.astype(int), "rank_upper": upper.astype(int)})


def mix_and_rate(cells: pd.DataFrame, *, market: str, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Return how much of a market's difference from the others is another mix of customers, and how much other rates.

    Kitagawa (1955): difference = Σ (w − w₀)(r + r₀)/2 + Σ (r − r₀)(w + w₀)/2, with w the weight and r the rate of each
    value here, w₀ and r₀ those of all other markets together. A value that only one side has is all mix.

    Parameters
    ----------
    cells : rows of one cut and one horizon of `counts.cut_counts`, of this market and others.
    market : the market compared.

    Returns
    -------
    One row per value: `value`, `n`, `n_others`, `weight`, `weight_others`, `rate`, `rate_others`, `mix`, `of_rate`,
    and `of_rate_lower`, `of_rate_upper` (Newcombe's interval of the rates, weighted); `mix` and `of_rate` add up to
    the difference.

    Raises
    ------
    MetricError : a market without customers, or no other market has any, or cells of several cuts or horizons.
    """
    if cells.duplicated(["market", "value"]).any():
        raise MetricError("Mix and rate are of one cut and one horizon.", to_try="query(\"cut == 'channel'\") before")
    if market not in set(cells["market"]):
        raise unknown_name("market", market, sorted(cells["market"].unique()), error=MetricError)
    here = cells["market"] == market
    own, others = (cells[side].groupby("value")[["n_observed", "n_returned"]].sum() for side in (here, ~here))
    if own["n_observed"].sum() == 0 or others["n_observed"].sum() == 0:
        raise MetricError(f"Nobody of {market}, or nobody elsewhere, has been observed so long.")
    values = own.index.union(others.index)
    own, others = (side.reindex(values, fill_value=0) for side in (own, others))
    rows = [_of_value(value, own.loc[value], others.loc[value], own, others, conf_level) for value in values]
    return pd.DataFrame(rows)


def mix_and_rate_interval(cells: pd.DataFrame, *, market: str, conf_level: float = CONF_LEVEL) -> dict[str, float]:
    """Return between which ends the whole of mix, and of rates, lies: customers of the cells drawn again, seeded.

    Parameters and errors as of `mix_and_rate`.

    Returns
    -------
    `mix_lower`, `mix_upper`, `of_rate_lower`, `of_rate_upper`: percentiles of 1,000 draws of both sides.
    """
    values = mix_and_rate(cells, market=market, conf_level=conf_level)
    random = np.random.default_rng(1955)  # Kitagawa's year; any fixed seed gives every run the same draws
    drawn = []
    for n, rate in (("n", "rate"), ("n_others", "rate_others")):
        sizes, rates = values[n].to_numpy(), values[rate].to_numpy()
        total = int(sizes.sum())
        here = random.multinomial(total, sizes / total, size=_N_DRAWS_OF_MIX)
        drawn.append((here, random.binomial(here, rates)))
    (n, returned), (n_others, returned_others) = drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        own, others = returned / n, returned_others / n_others
    own, others = np.where(n > 0, own, others), np.where(n_others > 0, others, own)
    weight, weight_others = (side / side.sum(axis=1, keepdims=True) for side in (n, n_others))
    parts = {
        "mix": np.nansum((weight - weight_others) * (own + others) / 2, axis=1),
        "of_rate": np.nansum((own - others) * (weight + weight_others) / 2, axis=1),
    }
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    ends = {name: np.quantile(part, tails) for name, part in parts.items()}
    return {f"{name}_{end}": float(ends[name][nth]) for name in parts for nth, end in enumerate(("lower", "upper"))}


def _of_value(
    value: str, own: pd.Series, others: pd.Series, all_own: pd.DataFrame, all_others: pd.DataFrame, conf_level: float
) -> dict[str, object]:
    n, n_others = int(own["n_observed"]), int(others["n_observed"])
    weight, weight_others = n / all_own["n_observed"].sum(), n_others / all_others["n_observed"].sum()
    known = n > 0 and n_others > 0
    rate = own["n_returned"] / n if n else others["n_returned"] / n_others
    rate_others = others["n_returned"] / n_others if n_others else rate
    interval = (
        difference_of_shares(own["n_returned"], n, others["n_returned"], n_others, conf_level=conf_level)
        if known
        else (0.0, 0.0, 0.0)
    )
    of_rate = [end * (weight + weight_others) / 2 for end in interval]
    return {
        "value": value,
        "n": n,
        "n_others": n_others,
        "weight": weight,
        "weight_others": weight_others,
        "rate": rate,
        "rate_others": rate_others,
        "mix": (weight - weight_others) * (rate + rate_others) / 2,
        "of_rate": of_rate[0],
        "of_rate_lower": of_rate[1],
        "of_rate_upper": of_rate[2],
    }
