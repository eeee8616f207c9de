"""Keeping the promise every time: how long customers wait in a market, and how far one wait is from another."""

import numpy as np
import pandas as pd

from retention_kit.metrics.intervals import CONF_LEVEL, wilson
from retention_kit.protection import small_rows

KINDS = ("delivery", "response")
_N_DRAWS = 1000


def waits(service_counts: pd.DataFrame, *, market: str, min_cell: int, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Return how long customers of a market wait for parcels and answers, how evenly, and the same of other markets.

    Parameters
    ----------
    service_counts : of all markets, from `counts.service_counts`.
    market : its code.
    min_cell : of fewer waits nothing is shown.

    Returns
    -------
    One row per kind of wait and place, 'here' or 'elsewhere', where there is any: `kind`, `place`, `n`; `median`, in
    hours; `spread`, hours between the shortest and the longest tenth, with `lower`, `upper`, by bootstrap, seeded;
    `kept_share` of what was promised, `n_promised`, `kept_lower`, `kept_upper` (Wilson); `hidden`.
    """
    found = []
    for kind in KINDS:
        rows = service_counts[service_counts["kind"] == kind]
        for place, own in (("here", rows[rows["market"] == market]), ("elsewhere", rows[rows["market"] != market])):
            if own["n"].sum():
                found.append({"kind": kind, "place": place} | _of(own, conf_level=conf_level))
    columns = ["kind", "place", "n", "median", "spread", "lower", "upper"]
    columns += ["n_promised", "kept_share", "kept_lower", "kept_upper"]
    table = pd.DataFrame(found, columns=columns)
    return small_rows(table, n=["n"], keys=["kind", "place"], min_cell=min_cell, within=["kind", "place"])


def _of(rows: pd.DataFrame, *, conf_level: float) -> dict[str, float]:
    by_hour = rows.groupby("hours")[["n", "n_promised", "n_kept"]].sum()
    hours, n = by_hour.index.to_numpy(dtype=float), by_hour["n"].to_numpy()
    drawn = np.random.default_rng(24).multinomial(n.sum(), n / n.sum(), size=_N_DRAWS)
    ends = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    lower, upper = np.quantile(_spread(hours, drawn), ends)
    promised, kept = int(by_hour["n_promised"].sum()), int(by_hour["n_kept"].sum())
    kept_lower, kept_upper = (float(end) if promised else np.nan for end in wilson(kept, promised))
    return {
        "n": int(n.sum()),
        "median": float(_quantile(hours, n[None, :], 0.5)[0]),
        "spread": float(_spread(hours, n[None, :])[0]),
        "lower": float(lower),
        "upper": float(upper),
        "n_promised": promised,
        "kept_share": kept / promised if promised else np.nan,
        "kept_lower": kept_lower,
        "kept_upper": kept_upper,
    }


def _spread(hours: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _quantile(hours, n, 0.9) - _quantile(hours, n, 0.1)


def _quantile(hours: np.ndarray, n: np.ndarray, share: float) -> np.ndarray:
    """Return the quantile of each row of counts, (n_rows, n_hours): within its hour, waits lie evenly."""
    so_far = n.cumsum(axis=1)
    target = share * so_far[:, -1]
    which = (so_far < target[:, None]).sum(axis=1)
    row = np.arange(len(n))
    before = so_far[row, which] - n[row, which]
    return hours[which] + (target - before) / np.maximum(n[row, which], 1)
