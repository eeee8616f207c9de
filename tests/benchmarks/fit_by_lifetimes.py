"""`lifetimes` fits BG/NBD on a row per customer."""

from collections.abc import Callable

import numpy as np
from lifetimes import BetaGeoFitter


def fits(table: dict[str, np.ndarray]) -> tuple[Callable[[], dict], float]:
    """Return a BG/NBD fit of customers."""
    x, t_x, age = table["frequency"], table["recency"], table["T"]

    def fit() -> dict:
        return BetaGeoFitter().fit(x, t_x, age).params_.to_dict()

    return fit, float(len(x))
