"""The kit fits: BG/NBD on weighted patterns; all models for many markets."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from retention_kit.models import LAWS, fit_purchases, fit_spend, patterns


def fits(table: dict[str, np.ndarray]) -> tuple[Callable[[], dict], float]:
    """Return a BG/NBD fit of rfm_counts, and what there is to report of it besides."""
    rfm_counts = pd.DataFrame(table)

    def fit() -> dict:
        return dict(fit_purchases(patterns(rfm_counts), name="benchmark", law="bg_nbd").fit.estimates)

    return fit, float(len(rfm_counts))


def all_models(rfm_counts: pd.DataFrame, spend_counts: pd.DataFrame) -> dict[str, float]:
    """Return the CPU seconds of each model for all markets, one after the other."""
    spent = {}
    for law in LAWS:
        began = time.process_time()
        for market, rows in rfm_counts.groupby("market"):
            fit_purchases(patterns(rows), name=market, law=law)
        spent[LAWS[law].name] = time.process_time() - began
    began = time.process_time()
    for _, rows in spend_counts.groupby("market"):
        fit_spend(rows)
    spent["Gamma-Gamma"] = time.process_time() - began
    return spent
