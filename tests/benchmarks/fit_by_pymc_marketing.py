"""`pymc-marketing` finds the mode of its BG/NBD posterior (MAP), with its default priors, on a row per customer."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from pymc_marketing.clv import BetaGeoModel


def fits(table: dict[str, np.ndarray]) -> tuple[Callable[[], dict], float]:
    """Return a BG/NBD fit of customers: building the model and finding the mode."""
    data = pd.DataFrame({name: table[name] for name in ("frequency", "recency", "T")})
    data.insert(0, "customer_id", range(len(data)))

    def fit() -> dict:
        model = BetaGeoModel(data=data)
        found = model.fit(method="map", progressbar=False)
        posterior = getattr(found, "posterior", None)
        posterior = model.idata.posterior if posterior is None else posterior
        return {name: float(posterior[name].to_numpy().ravel()[0]) for name in ("r", "alpha", "a", "b")}

    return fit, float(len(data))
