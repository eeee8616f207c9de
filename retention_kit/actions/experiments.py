"""Did the test work: two arms compared as assigned, after a look at whether they were drawn as planned.

Customers put in two arms are in neither; only those observed for the whole horizon are counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtr

from retention_kit.actions.meta_analysis import Pooled, pooled_difference
from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError, UsageError, unknown_name
from retention_kit.messages import N_, Message, Number
from retention_kit.metrics import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL, wilson
from retention_kit.protection import small_rows

SMALLEST_RATIO_P = 0.01
"""A sample-ratio test with a smaller p says that the arms were not drawn as planned."""
MOST_IN_TWO_ARMS = 0.01
"""Share of customers put in two arms above which an experiment is not to be read."""
_EVEN = 0.5
_N_BUCKETS = 200
_N_DRAWS = 2000


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


@dataclass(frozen=True)
class Trial:
    """An experiment read in one market, or in all together.

    Attributes
    ----------
    faults : what forbids reading the rest, first to be read; empty where the test was carried out as planned.
    notes : what else a reader has to know.
    arms : one row per arm: `arm`, `n_assigned`, `n_observed`, `n_in_two_arms`, `n_returned`, `returned_share`, `lower`,
        `upper` (Wilson); empty where nobody of the market took part, or too few to be shown.
    outcomes : one row per outcome: `outcome`, `unit`, `treatment`, `control`, `difference`, `lower`, `upper`, `p`,
        `p_holm`, corrected over the outcomes (Holm 1979); empty as `arms`.
    by_market : one row per market of the experiment: `market`, `n_treatment`, `n_control`, `share_treatment`,
        `share_control`, `difference`, `lower`, `upper`, `hidden`.
    pooled : the markets' differences together, by random effects; None where fewer than two can be shown.
    variance_left : share of the variance of revenue that allowing for the year before leaves (CUPED); None without
        history, where revenue is as it is.
    """

    experiment: str
    treatment: str
    control: str
    horizon_days: int
    market: str
    currency: str
    sample_ratio_p: float | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    arms: pd.DataFrame
    outcomes: pd.DataFrame
    by_market: pd.DataFrame
    pooled: Pooled | None
    variance_left: float | None


def sample_ratio_p(n_by_arm: Mapping[str, int], *, planned: Mapping[str, float]) -> float:
    """Return the chance of arms at least as uneven as these, if drawn in the planned shares (chi-square test).

    Raises
    ------
    MetricError : nobody in any arm, or a planned share that is not above 0.

    >>> round(sample_ratio_p({"gate_30": 44700, "gate_40": 45489}, planned={"gate_30": 1, "gate_40": 1}), 6)
    0.008608
    """
    observed = np.array([n_by_arm[arm] for arm in planned], dtype=float)
    shares = np.array(list(planned.values()), dtype=float)
    if not (shares > 0).all():
        raise MetricError(
            "Every arm is planned to have somebody.",
            found=", ".join(f"{share:g}" for share in shares),
            to_try="shares above 0, such as 0.5 and 0.5",
        )
    if observed.sum() == 0:
        raise MetricError("Nobody was assigned to any arm.", to_try="a later as_of")
    expected = observed.sum() * shares / shares.sum()
    return float(chdtrc(len(observed) - 1, ((observed - expected) ** 2 / expected).sum()))


def readout(
    experiment_counts: pd.DataFrame,
    *,
    experiment: str,
    treatment: str,
    control: str,
    treatment_share: float = _EVEN,
    conf_level: float = CONF_LEVEL,
) -> Readout:
    """Return what a test says, by intention to treat: everybody assigned counts in his arm.

    Parameters
    ----------
    experiment_counts : rows with `experiment`, `arm`, `n_assigned`, `n_observed` (long enough) and `n_returned`, of
        one outcome and horizon; markets are summed.
    experiment, treatment, control : names in it.
    treatment_share : planned share of the two arms' customers in the treatment.

    Raises
    ------
    UsageError : no such experiment or arm (names the near miss); one arm for both.
    MetricError : an arm with nobody observed long enough, rows of several horizons.
    """
    _refuse_one_arm(treatment, control)
    rows = _named(experiment_counts, "experiment", experiment)
    if "horizon_days" in rows and rows["horizon_days"].nunique() > 1:
        raise MetricError(
            "A test is read at one horizon.",
            found=", ".join(f"{days} days" for days in sorted(rows["horizon_days"].unique())),
            to_try='query("horizon_days == 60") before',
        )
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
    difference, lower, upper = difference_of_shares(x1, n1, x0, n0, conf_level=conf_level)
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
        p=float(2 * ndtr(-abs(z))),
        sample_ratio_p=sample_ratio_p(assigned, planned={treatment: treatment_share, control: 1 - treatment_share}),
    )


def mean_difference(
    buckets: pd.DataFrame, *, of: str, treatment: str, control: str, conf_level: float = CONF_LEVEL
) -> tuple[float, float, float, float]:
    """Return the difference of a mean per customer between two arms, its interval and p.

    Buckets of customers are drawn again, 2,000 times, seeded: the interval is of percentiles; p is of the difference
    over its standard error by buckets.

    Parameters
    ----------
    buckets : `arm`, `bucket`, `n_customers` and `of`; of one experiment, market and horizon.

    Returns
    -------
    difference, lower, upper, p; in the unit of `of` per customer.

    Raises
    ------
    MetricError : an arm without customers.
    """
    sums, n = _by_bucket(buckets, of=of, arms=(treatment, control))
    drawn = np.random.default_rng(1979).multinomial(_N_BUCKETS, np.full(_N_BUCKETS, 1 / _N_BUCKETS), size=_N_DRAWS)
    drawn = drawn.astype(float)
    people = np.einsum("db,ab->da", drawn, n)
    means = np.einsum("db,ab->da", drawn, sums)[(people > 0).all(axis=1)] / people[(people > 0).all(axis=1)]
    mean = sums.sum(axis=1) / n.sum(axis=1)
    lower, upper = np.quantile(means[:, 0] - means[:, 1], [(1 - conf_level) / 2, (1 + conf_level) / 2])
    off = (sums - mean[:, None] * n) / n.sum(axis=1)[:, None]
    error = np.sqrt(((off[0] - off[1]) ** 2).sum())
    difference = mean[0] - mean[1]
    p = float(2 * ndtr(-abs(difference) / error)) if error > 0 else 1.0
    return float(difference), float(lower), float(upper), p


def adjusted_by_history(buckets: pd.DataFrame, *, treatment: str, control: str) -> tuple[pd.DataFrame, float | None]:
    """Return buckets with `adjusted_minor`: revenue less what revenue before the assignment foretells (CUPED).

    Assignment was random, so that the expected difference stays what it was, and only its spread shrinks
    (Deng, Xu, Kohavi & Walker 2013, WSDM, 123-132). The slope is fitted over buckets, within the arms.

    Parameters
    ----------
    buckets : `arm`, `bucket`, `n_customers`, `revenue_minor`, `before_minor`.

    Returns
    -------
    The buckets, and the share of the variance that is left; None where nobody has a history.
    """
    now, n = _by_bucket(buckets, of="revenue_minor", arms=(treatment, control))
    before, _ = _by_bucket(buckets, of="before_minor", arms=(treatment, control))
    off_now = now - (now.sum(axis=1) / n.sum(axis=1))[:, None] * n
    off_before = before - (before.sum(axis=1) / n.sum(axis=1))[:, None] * n
    spread = (off_before**2).sum()
    if spread == 0 or (off_now**2).sum() == 0:
        return buckets.assign(adjusted_minor=buckets["revenue_minor"].astype(float)), None
    slope = (off_now * off_before).sum() / spread
    mean = before.sum() / n.sum()
    adjusted = buckets["revenue_minor"] - slope * (buckets["before_minor"] - mean * buckets["n_customers"])
    left = ((off_now - slope * off_before) ** 2).sum() / (off_now**2).sum()
    return buckets.assign(adjusted_minor=adjusted), float(left)


def holm(p) -> np.ndarray:
    """Return p-values corrected so that one false alarm among all of them is as rare as stated (Holm 1979).

    Scandinavian Journal of Statistics 6, 65-70.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def trial(
    experiment_counts: pd.DataFrame,
    experiment_bucket_counts: pd.DataFrame,
    *,
    experiment: str,
    treatment: str,
    control: str,
    market: Market,
    horizon_days: int,
    treatment_share: float = _EVEN,
    min_cell: int = 10,
    conf_level: float = CONF_LEVEL,
) -> Trial:
    """Return what an experiment says in a market, and what all its markets say together.

    Parameters
    ----------
    experiment_counts, experiment_bucket_counts : of all markets, from `counts`.
    experiment, treatment, control, treatment_share : as of `readout`.
    market : the market read; the group's, whose code is ALL, for all together.
    horizon_days : one of the counted horizons: an order so many days after the assignment still counts.
    min_cell : an arm with fewer customers is not shown.

    Raises
    ------
    UsageError : no such experiment, arm or horizon (names the near miss or what there is); one arm for both.
    """
    _refuse_one_arm(treatment, control)
    rows = _named(experiment_counts, "experiment", experiment)
    for arm in (treatment, control):
        _named(rows, "arm", arm)
    rows = _at_horizon(rows, horizon_days).query("arm in [@treatment, @control]")
    here = rows if market.code == GROUP else rows[rows["market"] == market.code]
    buckets = experiment_bucket_counts.query("experiment == @experiment and horizon_days == @horizon_days")
    arms = _arms(here, order=(treatment, control), conf_level=conf_level)
    named = {"experiment": experiment, "treatment": treatment, "control": control}
    ratio_p, faults = _faults(arms, treatment=treatment, treatment_share=treatment_share)
    notes = _why_nothing(arms, rows, market=market, min_cell=min_cell)
    outcomes, left = _no_outcomes(), None
    if notes:
        arms, ratio_p, faults = arms.iloc[:0], None, ()
    else:
        found = readout(here, **named, treatment_share=treatment_share, conf_level=conf_level)
        money = buckets[buckets["market"] == market.code]
        outcomes, left = _outcomes(found, money, market=market, conf_level=conf_level)
        if arms["n_returned"].sum() == 0:
            notes = (N_("Nobody has ordered yet, in either arm: there is nothing to compare."),)
    by_market = _by_market(rows, **named, min_cell=min_cell, conf_level=conf_level)
    shown = by_market[~by_market["hidden"].astype(bool)]
    return Trial(
        **named,
        horizon_days=horizon_days,
        market=market.name,
        currency=market.currency,
        sample_ratio_p=ratio_p,
        faults=faults,
        notes=notes,
        arms=arms,
        outcomes=outcomes,
        by_market=by_market,
        pooled=pooled_difference(shown, conf_level=conf_level) if len(shown) > 1 else None,
        variance_left=left,
    )


def trials(
    experiment_counts: pd.DataFrame,
    experiment_bucket_counts: pd.DataFrame,
    *,
    control: str,
    market: Market,
    horizon_days: int,
    min_cell: int = 10,
) -> list[Trial]:
    """Return every experiment that ran in a market, each arm against the one that got nothing.

    Parameters
    ----------
    experiment_counts, experiment_bucket_counts : of all markets, from `counts`.
    control : name of the arm that got nothing; an experiment without such an arm is not among them.

    Returns
    -------
    Those of which something can be shown, by name of experiment and arm; arms are taken to be planned even.

    Raises
    ------
    UsageError : a horizon that is not counted.
    """
    found = []
    for experiment, rows in experiment_counts.groupby("experiment"):
        arms = sorted(set(rows["arm"]) - {control})
        if control in set(rows["arm"]):
            asked = {"experiment": experiment, "control": control, "horizon_days": horizon_days, "min_cell": min_cell}
            tables = (experiment_counts, experiment_bucket_counts)
            found += [trial(*tables, **asked, treatment=arm, market=market) for arm in arms]
    return [read for read in found if len(read.outcomes)]


def _outcomes(
    found: Readout, buckets: pd.DataFrame, *, market: Market, conf_level: float
) -> tuple[pd.DataFrame, float | None]:
    named = {"treatment": found.treatment, "control": found.control}
    ordered = (found.share_treatment, found.share_control, found.difference, found.lower, found.upper, found.p)
    rows, left = [("ordered again", "share of customers", *ordered)], None
    if len(buckets):
        buckets, left = adjusted_by_history(buckets, **named)
        asked = [("orders per customer", "orders", "n_orders", 1)]
        asked += [("revenue per customer", "money", "adjusted_minor", market.minor_per_unit)]
        for outcome, unit, column, scale in asked:
            sums, n = _by_bucket(buckets, of=column, arms=(found.treatment, found.control))
            means = sums.sum(axis=1) / n.sum(axis=1) / scale
            difference, lower, upper, p = mean_difference(buckets, of=column, **named, conf_level=conf_level)
            rows.append((outcome, unit, *means, difference / scale, lower / scale, upper / scale, p))
    table = pd.DataFrame(rows, columns=list(_no_outcomes())[:-1])
    return table.assign(p_holm=holm(table["p"])), left


def _no_outcomes() -> pd.DataFrame:
    columns = ["outcome", "unit", "treatment", "control", "difference", "lower", "upper", "p", "p_holm"]
    return pd.DataFrame(columns=columns)


def _arms(rows: pd.DataFrame, *, order: tuple[str, str], conf_level: float) -> pd.DataFrame:
    """Return one row per arm, its markets added up, with the share who ordered."""
    numbers = ["n_assigned", "n_observed", "n_in_two_arms", "n_returned"]
    arms = rows.groupby("arm")[numbers].sum().reindex(list(order), fill_value=0).rename_axis("arm").reset_index()
    lower, upper = wilson(arms["n_returned"], arms["n_observed"], conf_level=conf_level)
    share = arms["n_returned"] / arms["n_observed"].where(arms["n_observed"] > 0)
    return arms.assign(returned_share=share, lower=lower, upper=upper)


def _faults(arms: pd.DataFrame, *, treatment: str, treatment_share: float) -> tuple[float | None, tuple[str, ...]]:
    """Return the p of the sample ratio, and what forbids reading on."""
    assigned = arms.set_index("arm")["n_assigned"]
    if assigned.sum() == 0:
        return None, ()
    planned = {arm: treatment_share if arm == treatment else 1 - treatment_share for arm in assigned.index}
    p = sample_ratio_p(assigned.to_dict(), planned=planned)
    faults = []
    if p < SMALLEST_RATIO_P:
        (first, n_first), (second, n_second) = ((arm, int(n)) for arm, n in assigned.items())
        faults.append(
            Message(
                "The arms were not drawn as planned: {n_first} in '{first}' and {n_second} in '{second}', where "
                "{share} were to be in '{treatment}' (sample-ratio test, p {p}). Find out why before reading on: what "
                "follows is no effect.",
                n_first=n_first,
                first=first,
                n_second=n_second,
                second=second,
                share=Number(treatment_share, is_share=True),
                treatment=treatment,
                p=Number(p, 4),
            )
        )
    twice = arms["n_in_two_arms"].sum()
    if twice > MOST_IN_TWO_ARMS * (twice + assigned.sum()):
        faults.append(
            Message(
                "The arms overlap: {twice} of {n} customers were put in two arms. They are left out of both, and "
                "leaving them out is not random.",
                twice=int(twice),
                n=int(twice + assigned.sum()),
            )
        )
    return p, tuple(faults)


def _why_nothing(arms: pd.DataFrame, rows: pd.DataFrame, *, market: Market, min_cell: int) -> tuple[str, ...]:
    """Return why a market shows nothing; empty where it does."""
    if arms["n_assigned"].sum() == 0:
        took_part = ", ".join(sorted(rows.loc[rows["n_assigned"] > 0, "market"].unique()))
        if not took_part:
            return (Message("Nobody of {market} took part: the experiment ran in no market.", market=market.name),)
        elsewhere = N_("Nobody of {market} took part: the experiment ran in {markets}.")
        return (Message(elsewhere, market=market.name, markets=took_part),)
    if (arms["n_observed"] == 0).any():
        early = N_("Nobody of {market} was observed long enough in one of the arms: read it later.")
        return (Message(early, market=market.name),)
    if (arms["n_observed"] < min_cell).any():
        few = N_("An arm has fewer than {n} customers of {market}: too few to be shown.")
        return (Message(few, n=min_cell, market=market.name),)
    return ()


def _by_market(
    rows: pd.DataFrame, *, experiment: str, treatment: str, control: str, min_cell: int, conf_level: float
) -> pd.DataFrame:
    found = []
    for market, own in rows.groupby("market"):
        observed = own.groupby("arm")["n_observed"].sum().reindex([treatment, control], fill_value=0)
        if (observed == 0).any():
            continue
        read = readout(own, experiment=experiment, treatment=treatment, control=control, conf_level=conf_level)
        shares = (read.share_treatment, read.share_control, read.difference, read.lower, read.upper)
        found.append((market, read.n_treatment, read.n_control, *shares))
    columns = ["market", "n_treatment", "n_control", "share_treatment", "share_control", "difference", "lower", "upper"]
    table = pd.DataFrame(found, columns=columns)
    return small_rows(table, n=["n_control", "n_treatment"], keys=["market"], min_cell=min_cell)


def _by_bucket(buckets: pd.DataFrame, *, of: str, arms: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and numbers of customers, (2 arms, 200 buckets) each."""
    sums, n = np.zeros((2, _N_BUCKETS)), np.zeros((2, _N_BUCKETS))
    for nth, arm in enumerate(arms):
        own = buckets[buckets["arm"] == arm]
        sums[nth, own["bucket"]], n[nth, own["bucket"]] = own[of], own["n_customers"]
        if n[nth].sum() == 0:
            raise MetricError(
                f"Arm '{arm}' has no customers.", found="n = 0", to_try="a later as_of, or a shorter horizon"
            )
    return sums, n


def _at_horizon(rows: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    known = sorted(rows["horizon_days"].unique())
    if horizon_days not in known:
        raise UsageError(
            f"An experiment is not counted at {horizon_days} days.",
            found=", ".join(f"{days} days" for days in known),
            to_try="one of these horizons",
        )
    return rows[rows["horizon_days"] == horizon_days]


def _refuse_one_arm(treatment: str, control: str) -> None:
    if treatment == control:
        raise UsageError(
            "An arm cannot be compared with itself.", found=f"'{treatment}' for both", to_try="two names of arms"
        )


def _named(rows: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    found = rows[rows[column] == name]
    if found.empty:
        raise unknown_name(column, name, sorted(rows[column].unique()))
    return found
