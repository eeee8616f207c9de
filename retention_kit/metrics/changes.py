"""What changed: all customers in one period, the newcomers since one, or one age; and which number of which market.

A drop of retention is read by where it lies in the table of cohorts and ages. Each cell is compared with the cell of
the same age a year before, so that the season is the same in both. If one period is to blame, the cells of one diagonal
are low; if newcomers are, all cells of the cohorts since then; if an age is, one column.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from retention_kit.metrics.differences import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL
from retention_kit.metrics.markets import benjamini_hochberg, p_of_two_shares

IN_A_YEAR = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}
LEAST_CELLS = 3
LEAST_OF_A_COHORT = 30
"""Customers below whom a cohort is in no comparison."""

LEAST_OF_A_SHARE = 50
"""Customers below whom a share raises no alarm."""

_LEVEL = 0.05


@dataclass(frozen=True)
class Reading:
    """Where in the table of cohorts and ages retention changed against the year before.

    `kind` is `period`, all cohorts in the period `at`; `cohorts`, those of `at` and later; `age`, all cohorts at the
    age `at`; or `none`. `ratio` is active customers there over those expected: the cells of the year before, moved by
    what all other cells moved. `p` is corrected for the number of places looked at.
    """

    kind: str
    at: int | None
    ratio: float
    lower: float
    upper: float
    p: float
    n_places: int


NO_CHANGE = Reading("none", None, 1.0, float("nan"), float("nan"), 1.0, 0)


def year_on_year(cohort_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return each closed cell of age 1 or more beside the cell of the same age whose cohort came a year before.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), of one market, from `counts.cohort_counts`.
    grain : which of its grains.

    Returns
    -------
    One row per cell that has such a cell: `cohort`, `age`, `period`, `n`, `n_active`, `n_then`, `n_active_then`,
    `log_ratio` of the two shares, and its `variance`. Cohorts of few customers, and left-truncated ones, are left out.
    """
    counts = cohort_counts[(cohort_counts["grain"] == grain) & (cohort_counts["left_truncated"] == 0)]
    sizes = counts[counts["age"] == 0].set_index("cohort")["n_active"]
    cells = counts[(counts["complete"] == 1) & (counts["age"] > 0)]
    cells = cells[["cohort", "age", "n_active"]].assign(n=cells["cohort"].map(sizes))
    cells = cells[cells["n"] >= LEAST_OF_A_COHORT]
    then = cells.assign(cohort=cells["cohort"] + IN_A_YEAR[grain])
    both = cells.merge(then, on=["cohort", "age"], suffixes=("", "_then"))
    # half a customer more on each side keeps a cell of nobody in the comparison, with a large variance
    share, share_then = ((both[f"n_active{s}"] + 0.5) / (both[f"n{s}"] + 1) for s in ("", "_then"))
    variance = (1 - share) / (both["n_active"] + 0.5) + (1 - share_then) / (both["n_active_then"] + 0.5)
    return both.assign(period=both["cohort"] + both["age"], log_ratio=np.log(share / share_then), variance=variance)


def where_it_changed(cohort_counts: pd.DataFrame, *, grain: str, conf_level: float = CONF_LEVEL) -> Reading:
    """Return where in the table of cohorts and ages retention changed most against the year before, if anywhere.

    Every period, every first cohort of a run to the last one, and every age is a place. Each is compared with all
    other cells, weighted by precision, their own spread counted in; the clearest one is told if its p-value, times
    the number of places, is below one in twenty.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), of one market, from `counts.cohort_counts`.
    grain : which of its grains.
    """
    cells = year_on_year(cohort_counts, grain=grain)
    found = [
        (kind, at, *estimate)
        for kind, at, rows, inside in _places(cells)
        if min(inside.sum(), (~inside).sum()) >= LEAST_CELLS and (estimate := _contrast(rows, inside)) is not None
    ]
    if not found:
        return NO_CHANGE
    by_p = {row: float(2 * stdtr(row[4], -abs(row[2] / row[3]))) for row in found}
    (kind, at, effect, error, freedom), least = min(by_p.items(), key=lambda item: item[1])
    p = min(least * len(found), 1.0)
    if p > _LEVEL:
        return Reading("none", None, 1.0, float("nan"), float("nan"), p, len(found))
    half = stdtrit(freedom, (1 + conf_level) / 2) * error
    ends = (float(np.exp(effect + end)) for end in (0, -half, half))
    return Reading(kind, int(at), *ends, p, len(found))


def _places(cells: pd.DataFrame):
    """Yield each place of a table of cells: its kind, where it is, the rows compared, and which of them are in it.

    The cells of a cohort are of the same customers, who stay or do not: a cohort counts as one row, no surer than one
    of its cells.
    """
    for period in sorted(cells["period"].unique()):
        yield "period", period, cells, (cells["period"] == period).to_numpy()
    for age in sorted(cells["age"].unique()):
        yield "age", age, cells, (cells["age"] == age).to_numpy()
    weighted = cells.assign(weight=1 / cells["variance"], weighted=cells["log_ratio"] / cells["variance"])
    sums = weighted.groupby("cohort").agg(weight=("weight", "sum"), weighted=("weighted", "sum"), n=("age", "size"))
    cohorts = pd.DataFrame({"log_ratio": sums["weighted"] / sums["weight"], "variance": sums["n"] / sums["weight"]})
    for cohort in cohorts.index[1:]:
        yield "cohorts", cohort, cohorts, (cohorts.index >= cohort)


def _contrast(rows: pd.DataFrame, inside: np.ndarray) -> tuple[float, float, int] | None:
    """Return by how much log ratios inside differ from those outside, the standard error, and degrees of freedom."""
    y, weight = rows["log_ratio"].to_numpy(), 1 / rows["variance"].to_numpy()
    means, rest = {}, 0.0
    for side, chosen in (("in", inside), ("out", ~inside)):
        mean = (weight[chosen] * y[chosen]).sum() / weight[chosen].sum()
        means[side] = mean
        rest += (weight[chosen] * (y[chosen] - mean) ** 2).sum()
    freedom = len(rows) - 2
    if freedom < 1:
        return None
    spread = rest / freedom
    error = np.sqrt(spread * (1 / weight[inside].sum() + 1 / weight[~inside].sum()))
    return float(means["in"] - means["out"]), float(error), freedom


def against_year_before(shares: pd.DataFrame, *, grain: str, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Return the last period of each share beside the same period a year before, false alarms held down.

    Parameters
    ----------
    shares : rows of `market`, `metric`, `period`, `count`, `n`; closed periods only.
    grain : length of the periods.

    Returns
    -------
    One row per market and metric that has both: `period`, `n`, `n_then`, `share`, `share_then`, `difference`, `lower`,
    `upper` (Newcombe), `p`, `p_bh` over all rows (Benjamini & Hochberg), and `alarm`: p_bh below 0.05, and at least
    fifty customers in both.
    """
    last = shares.sort_values("period").groupby(["market", "metric"], as_index=False).tail(1)
    then = shares.assign(period=shares["period"] + IN_A_YEAR[grain])
    keys = ["market", "metric", "period"]
    both = last.merge(then[[*keys, "count", "n"]], on=keys, suffixes=("", "_then"))
    both = both[(both["n"] > 0) & (both["n_then"] > 0)].sort_values(["market", "metric"], ignore_index=True)
    found = [
        (row.n_counted, row.n, row.n_counted_then, row.n_then)
        for row in both.rename(columns={"count": "n_counted", "count_then": "n_counted_then"}).itertuples()
    ]
    ends = [difference_of_shares(*two, conf_level=conf_level) for two in found]
    p = p_of_two_shares(*np.transpose(found)) if found else np.array([])
    table = both[keys].assign(n=both["n"], n_then=both["n_then"])
    table["share"], table["share_then"] = both["count"] / both["n"], both["count_then"] / both["n_then"]
    table[["difference", "lower", "upper"]] = np.array(ends).reshape(-1, 3)
    table["p"], table["p_bh"] = p, benjamini_hochberg(p)
    enough = both[["n", "n_then"]].min(axis=1) >= LEAST_OF_A_SHARE
    return table.assign(alarm=(table["p_bh"] < 0.05) & enough)
