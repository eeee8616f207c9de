"""Did the test work: two arms compared as assigned, after a look at whether they were drawn as planned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chisquare, norm

from retention_kit.errors import MetricError, unknown_name
from retention_kit.metrics import difference_of_shares

_EVEN = 0.5


@dataclass(frozen=True)
class Readout:
    """What a test with two arms says: shares, their difference with Newcombe's interval, z and p of the pooled test.

    `sample_ratio_p` is read first: a small one says that the arms were not drawn as planned, and nothing else holds.
    """

    experiment: str
    treatment: str
    control: str
    n_treatment: int
    n_control: int
    share_treatment: float
    share_control: float
    difference: float
    lower: float
    upper: float
    z: float
    p: float
    sample_ratio_p: float


def sample_ratio_p(n_by_arm: Mapping[str, int], *, planned: Mapping[str, float]) -> float:
    """Return the chance of arms at least as uneven as these, if drawn in the planned shares (chi-square test)."""
    observed = np.array([n_by_arm[arm] for arm in planned], dtype=float)
    shares = np.array(list(planned.values()), dtype=float)
    return float(chisquare(observed, observed.sum() * shares / shares.sum()).pvalue)


def readout(experiment_counts: pd.DataFrame, *, experiment: str, treatment: str, control: str) -> Readout:
    """Return what a test says, by intention to treat: everybody assigned counts in his arm.

    Parameters
    ----------
    experiment_counts : rows with `experiment`, `arm`, `n_assigned`, `n_observed` (long enough) and `n_returned`, of
        one outcome and horizon; markets are summed.
    experiment, treatment, control : names in it; the arms were planned to be even.

    Raises
    ------
    UsageError : no such experiment or arm; names the near miss.
    MetricError : an arm with nobody observed long enough.
    """
    rows = _named(experiment_counts, "experiment", experiment)
    arms = {
        arm: _named(rows, "arm", arm)[["n_assigned", "n_observed", "n_returned"]].sum() for arm in (treatment, control)
    }
    for arm, counts in arms.items():
        if counts["n_observed"] == 0:
            raise MetricError(
                f"Nobody in arm '{arm}' was observed long enough.",
                found=f"{counts['n_assigned']} assigned",
                to_try="a later as_of, or a shorter horizon",
            )
    (n1, x1), (n0, x0) = ((arms[arm]["n_observed"], arms[arm]["n_returned"]) for arm in (treatment, control))
    difference, lower, upper = difference_of_shares(x1, n1, x0, n0)
    pooled = (x1 + x0) / (n1 + n0)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    z = difference / error if error > 0 else 0.0
    assigned = {arm: int(counts["n_assigned"]) for arm, counts in arms.items()}
    return Readout(
        experiment=experiment,
        treatment=treatment,
        control=control,
        n_treatment=int(n1),
        n_control=int(n0),
        share_treatment=float(x1 / n1),
        share_control=float(x0 / n0),
        difference=float(difference),
        lower=lower,
        upper=upper,
        z=float(z),
        p=float(2 * norm.sf(abs(z))),
        sample_ratio_p=sample_ratio_p(assigned, planned=dict.fromkeys(assigned, _EVEN)),
    )


def _named(rows: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    found = rows[rows[column] == name]
    if found.empty:
        raise unknown_name(column, name, sorted(rows[column].unique()))
    return found
