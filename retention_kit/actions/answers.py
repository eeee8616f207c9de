"""What customers say, and what they then do: net promoter score, stated intention held against orders."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from retention_kit.errors import MetricError
from retention_kit.metrics.intervals import CONF_LEVEL, wilson

_PROMOTERS, _DETRACTORS = 9, 6
_MOST = 10


def net_promoter_score(
    answers: pd.DataFrame, *, by: str = "market", n: str = "n_customers", conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return the share of 9 and 10 less the share of 0 to 6, of answers from 0 to 10, in points.

    The interval is Wald's with three answers added, half of them passive (Rocks 2016, The American Statistician 70,
    365-372): honest for few answers too.

    Parameters
    ----------
    answers : `by`, `score` and `n`, customers who gave it.

    Returns
    -------
    One row per value of `by`: it, `n`, `n_promoters`, `n_passives`, `n_detractors`, `net_promoter_score`, `lower`,
    `upper`, from −100 to 100.

    Raises
    ------
    MetricError : a score that is not from 0 to 10.
    """
    _refuse_other_scores(answers["score"])
    kind = np.select(
        [answers["score"] >= _PROMOTERS, answers["score"] <= _DETRACTORS], ["n_promoters", "n_detractors"], "n_passives"
    )
    wide = answers.assign(kind=kind).pivot_table(index=by, columns="kind", values=n, aggfunc="sum", fill_value=0)
    wide = wide.reindex(columns=["n_promoters", "n_passives", "n_detractors"], fill_value=0)
    total = wide.sum(axis=1)
    wide, total = wide[total > 0], total[total > 0]
    score = (wide["n_promoters"] - wide["n_detractors"]) / total
    up, down = (wide["n_promoters"] + 0.75) / (total + 3), (wide["n_detractors"] + 0.75) / (total + 3)
    half = norm.ppf((1 + conf_level) / 2) * np.sqrt((up + down - (up - down) ** 2) / (total + 3))
    found = wide.assign(
        net_promoter_score=100 * score,
        lower=100 * (up - down - half).clip(lower=-1),
        upper=100 * (up - down + half).clip(upper=1),
    )
    found.insert(0, "n", total)
    return found.rename_axis(columns=None).reset_index()


@dataclass(frozen=True)
class Intention:
    """How far a stated intention to buy again can be taken at its word.

    `curve`: one row per stated share, `stated`: `n_observed`, `n_returned`, `returned_share`, `lower`, `upper`.
    `kept`: orders made over orders stated, with `lower` and `upper`: a stated intention is worth so much of itself.
    """

    curve: pd.DataFrame
    n_observed: int
    kept: float
    lower: float
    upper: float


def intention(answers: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> Intention | None:
    """Return what customers who said they would buy again, from 0 to 10, then did; None where nobody was observed.

    A 7 is taken as a stated chance of 70 %.

    Parameters
    ----------
    answers : `score`, `n_observed`, `n_returned`, of one horizon; markets and languages are added up.

    Raises
    ------
    MetricError : a score that is not from 0 to 10.
    """
    _refuse_other_scores(answers["score"])
    curve = answers.groupby("score", as_index=False)[["n_observed", "n_returned"]].sum().query("n_observed > 0")
    if curve.empty or (stated := (curve["score"] / _MOST * curve["n_observed"]).sum()) == 0:
        return None
    lower, upper = wilson(curve["n_returned"], curve["n_observed"], conf_level=conf_level)
    curve = curve.assign(stated=curve["score"] / _MOST, returned_share=curve["n_returned"] / curve["n_observed"])
    n, x = int(curve["n_observed"].sum()), int(curve["n_returned"].sum())
    ends = [float(end) * n / stated for end in wilson(x, n, conf_level=conf_level)]
    return Intention(curve.assign(lower=lower, upper=upper).reset_index(drop=True), n, float(x / stated), *ends)


def _refuse_other_scores(score: pd.Series) -> None:
    wrong = (score < 0) | (score > _MOST)
    if wrong.any():
        raise MetricError(
            "A score lies between 0 and 10.",
            found=f"{int(wrong.sum()):,} of {len(score):,} rows outside",
            to_try="query(\"question == 'nps'\") before",
        )
