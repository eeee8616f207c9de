"""What customers say, and what they then do: net promoter score, stated intention held against orders."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError
from retention_kit.metrics import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL, wilson
from retention_kit.protection import small_rows

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
    half = ndtri((1 + conf_level) / 2) * np.sqrt((up + down - (up - down) ** 2) / (total + 3))
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


def intentions(
    answers: pd.DataFrame, *, by: str, min_cell: int, conf_level: float = CONF_LEVEL
) -> tuple[pd.DataFrame, dict[str, Intention]]:
    """Return how far a stated intention can be taken at its word in each market, or each language of the answer.

    Parameters
    ----------
    answers : `by`, `score`, `n_observed`, `n_returned`, of one horizon, from `counts.answer_counts`.
    by : 'market' or 'language'.
    min_cell : of fewer customers nothing is told.

    Returns
    -------
    One row per value of `by`, by name: it, `n`; `stated`, the mean share they stated; `returned_share`, with
    `returned_lower`, `returned_upper` (Wilson); `kept`, done over stated, `lower`, `upper`; `hidden`. And the
    `Intention` of each value that is not hidden.

    Raises
    ------
    MetricError : a score that is not from 0 to 10.
    """
    rows, curves = [], {}
    for value, own in answers.groupby(by):
        found = intention(own, conf_level=conf_level)
        if found is None:
            continue
        n, x = found.n_observed, int(found.curve["n_returned"].sum())
        stated = float((found.curve["stated"] * found.curve["n_observed"]).sum() / n)
        ends = [float(end) for end in wilson(x, n, conf_level=conf_level)]
        rows.append((value, n, stated, x / n, *ends, found.kept, found.lower, found.upper))
        curves[str(value)] = found
    columns = [by, "n", "stated", "returned_share", "returned_lower", "returned_upper", "kept", "lower", "upper"]
    table = small_rows(pd.DataFrame(rows, columns=columns), n=["n"], keys=[by], min_cell=min_cell)
    hidden = set(table.loc[table["hidden"], by])
    return table, {value: found for value, found in curves.items() if value not in hidden}


def leavers_and_stayers(answers: pd.DataFrame, *, min_cell: int, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Return the net promoter score of those who ordered again within the horizon, and of those who did not.

    Parameters
    ----------
    answers : `score`, `n_observed`, `n_returned`, of one horizon and the question 'nps'.
    min_cell : of fewer customers nothing is told.

    Returns
    -------
    One row each for 'stayed' and 'left', where there is somebody: `group` and the columns of `net_promoter_score`;
    `hidden`.
    """
    stayed = answers[["score"]].assign(group="stayed", n=answers["n_returned"])
    left = answers[["score"]].assign(group="left", n=answers["n_observed"] - answers["n_returned"])
    both = pd.concat([stayed, left], ignore_index=True)
    table = net_promoter_score(both, by="group", n="n", conf_level=conf_level).sort_values("group", ascending=False)
    return small_rows(table.reset_index(drop=True), n=["n"], keys=["group"], min_cell=min_cell)


@dataclass(frozen=True)
class ResponseBias:
    """How much more often those who answer come back than those who never did: a difference of shares."""

    n_answered: int
    n_silent: int
    difference: float
    lower: float
    upper: float


def response_bias(
    answering_counts: pd.DataFrame, *, min_cell: int, conf_level: float = CONF_LEVEL
) -> ResponseBias | None:
    """Return how those who answer differ from those who do not; None where either are too few to be told.

    Parameters
    ----------
    answering_counts : of one market, from `counts.answering_counts`; or of several, which are added up.
    """
    by = answering_counts.groupby("answered")[["n_customers", "n_returned"]].sum().reindex([1, 0], fill_value=0)
    (n, x), (n_silent, x_silent) = (tuple(int(value) for value in row) for row in by.to_numpy())
    if min(n, n_silent) < max(min_cell, 1):
        return None
    ends = difference_of_shares(x, n, x_silent, n_silent, conf_level=conf_level)
    return ResponseBias(n, n_silent, *(float(end) for end in ends))


def _refuse_other_scores(score: pd.Series) -> None:
    wrong = (score < 0) | (score > _MOST)
    if wrong.any():
        raise MetricError(
            "A score lies between 0 and 10.",
            found=f"{int(wrong.sum()):,} of {len(score):,} rows outside",
            to_try="query(\"question == 'nps'\") before",
        )
