"""What to do, shown: an experiment's page, headed by what forbids reading it, and the plan of the next one."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from retention_kit.actions import Intention, RiskValidation, Trial
from retention_kit.messages import Message, Verbatim
from retention_kit.metrics.intervals import wilson
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.figures import days_told, panels
from retention_kit.present.languages import N_, _, worded
from retention_kit.table import Column, Role, Table, hidden_rows, interval, words

_POINTS = FuncFormatter(lambda share, _at: formats.decimal(share * 100, digits=0))


_OUTCOMES = {
    "ordered again": N_("ordered again"),
    "orders per customer": N_("orders per customer"),
    "revenue per customer": N_("revenue per customer"),
}
_UNITS = {"money": "currency"}
"""Units of outcomes by the words of headlines' units."""
_INTERVAL = interval(N_("95% interval"), Role.SHARE)
_BY = {"market": N_("Market"), "language": N_("Language")}


def experiment_in_short(trial: Trial) -> Block:
    """Return what an experiment says as a short list; a fault heads it, and no effect is told beside one."""
    return listed(experiment_sentences(trial))


def experiment_sentences(trial: Trial) -> list[str]:
    """Return the sentences themselves."""
    told = [worded(note) for note in (*trial.faults, *trial.notes)]
    if trial.outcomes.empty:
        return [*told, *([] if trial.faults else _pooled_sentences(trial))]
    if trial.faults:
        return told
    drawn = _("The arms were drawn as planned as far as their sizes can tell (sample-ratio test, p {p}).")
    told.append(drawn.format(p=formats.decimal(trial.sample_ratio_p, digits=3)))
    row = trial.outcomes.iloc[0]
    arms = trial.arms.set_index("arm")["n_observed"]
    sure = _(
        "{market}: within {days} days {treated} of '{treatment}' (n {n_treatment}) ordered, and {kept} of '{control}' "
        "(n {n_control}): a difference of {difference} points ({interval}), more than chance alone makes ({p})."
    )
    unsure = _(
        "{market}: within {days} days {treated} of '{treatment}' (n {n_treatment}) ordered, and {kept} of '{control}' "
        "(n {n_control}): a difference of {difference} points ({interval}), no more than chance alone may make ({p})."
    )
    told.append(
        (sure if row["p_holm"] < 0.05 else unsure).format(
            market=trial.market,
            days=formats.count(trial.horizon_days),
            treated=formats.percent(row["treatment"]),
            treatment=trial.treatment,
            n_treatment=formats.count(arms[trial.treatment]),
            kept=formats.percent(row["control"]),
            control=trial.control,
            n_control=formats.count(arms[trial.control]),
            difference=formats.signed_points(row["difference"]),
            interval=_points_between(row["lower"], row["upper"]),
            p=p_value(row["p_holm"]),
        )
    )
    return [*told, *_pooled_sentences(trial)]


def _pooled_sentences(trial: Trial) -> list[str]:
    if trial.pooled is None:
        return []
    pooled = trial.pooled
    differ = _(
        "The {markets} markets together: {difference} points ({interval}); they differ among themselves by more than "
        "chance (heterogeneity {p}, I² {inconsistency})."
    )
    alike = _(
        "The {markets} markets together: {difference} points ({interval}); they may all have the same effect "
        "(heterogeneity {p}, I² {inconsistency})."
    )
    return [
        (differ if pooled.q_p < 0.05 else alike).format(
            markets=formats.count(pooled.n_markets),
            difference=formats.signed_points(pooled.difference),
            interval=_points_between(pooled.lower, pooled.upper),
            p=p_value(pooled.q_p),
            inconsistency=formats.percent(pooled.inconsistency, digits=0),
        )
    ]


def arms(trial: Trial) -> Table:
    """Return the arms: who was assigned, who was observed for the whole horizon, who ordered."""
    rows = trial.arms
    notes = [*trial.faults, *(trial.notes if rows.empty else ())]
    if trial.sample_ratio_p is not None:
        notes.append(Message("Sample-ratio test: p {p}.", p=Verbatim(formats.p_value(trial.sample_ratio_p))))
    observed = _("Observed {days}").format(days=days_told(trial.horizon_days))
    return Table(
        rows,
        [
            Column("arm", N_("Arm"), Role.KEY),
            Column("n_assigned", N_("Assigned"), Role.N),
            Column("n_observed", Verbatim(observed), Role.N),
            Column("n_in_two_arms", N_("In two arms, left out"), Role.COUNT),
            Column("returned_share", N_("Ordered"), Role.SHARE),
            _INTERVAL,
        ],
        name="arms",
        title=N_("The arms, as assigned"),
        notes=notes,
    )


def outcomes(trial: Trial) -> Table:
    """Return each outcome of both arms, the difference with its interval, p, and p corrected over the outcomes."""
    rows = trial.outcomes
    notes = list(trial.notes) if rows.empty else [
        N_("Shares: Newcombe's interval; orders and money: bootstrap by customer. Corrected over the rows (Holm).")
    ]  # fmt: skip
    if trial.variance_left is not None:
        left = _(
            "Revenue allows for what each customer spent in the year before, which leaves {left} of its variance."
        ).format(left=formats.percent(trial.variance_left, digits=0))
        notes.append(Verbatim(left))
    units = [_UNITS.get(unit, "share" if unit.startswith("share") else "each") for unit in rows["unit"]]
    return Table(
        rows.assign(
            called=words((_OUTCOMES.get(one, Verbatim(one)) for one in rows["outcome"]), index=rows.index),
            unit=units,
            unit_of_difference=[f"difference of {unit}" for unit in units],
        ),
        [
            Column("called", N_("Outcome"), Role.WORDS),
            Column("treatment", Verbatim(trial.treatment), Role.QUANTITY, unit="unit", currency=trial.currency),
            Column("control", Verbatim(trial.control), Role.QUANTITY, unit="unit", currency=trial.currency),
            Column("difference", N_("Difference"), Role.QUANTITY, unit="unit_of_difference", currency=trial.currency),
            interval(N_("95% interval"), Role.QUANTITY, unit="unit_of_difference", currency=trial.currency),
            Column("p", N_("p"), Role.P),
            Column("p_holm", N_("p, corrected"), Role.P),
        ],
        name="outcomes",
        title=N_("Every outcome, by intention to treat"),
        notes=notes,
    )


def markets_forest(trial: Trial) -> Figure:
    """Return the difference of each market with its interval, and of all together, in points."""
    rows = trial.by_market[~trial.by_market["hidden"].astype(bool)].sort_values("market", ascending=False)
    lines = [
        (_labelled(row.market, row.n_treatment + row.n_control), row.difference, row.lower, row.upper)
        for row in rows.itertuples()
    ]
    if trial.pooled is not None:
        lines.insert(0, (_("all, random effects"), trial.pooled.difference, trial.pooled.lower, trial.pooled.upper))
    title = _("'{treatment}' less '{control}', points of customers who ordered, 95% interval")
    title = title.format(treatment=trial.treatment, control=trial.control)
    return forest(lines, title=title)


def forest(lines: list[tuple[str, float, float, float]], *, title: str) -> Figure:
    """Return differences of shares with their intervals, one line each: label, difference, lower, upper."""
    figure, axes = panels(height=1.1 + 0.42 * max(len(lines), 1))
    if lines:
        middle, lower, upper = (np.array([line[nth] for line in lines]) for nth in (1, 2, 3))
        at = np.arange(len(lines))
        axes.errorbar(middle, at, xerr=np.vstack([middle - lower, upper - middle]), fmt="o", capsize=3)
        axes.set_yticks(at, [line[0] for line in lines])
        axes.set_ylim(-0.6, len(lines) - 0.4)
    else:
        axes.set_yticks([])
    axes.axvline(0, color="#6b7280", linewidth=1)
    axes.xaxis.set_major_formatter(_POINTS)
    axes.grid(axis="x")
    axes.set_title(title)
    told = formats.enumerated(
        _("{name} {difference} ({interval})").format(
            name=name, difference=formats.signed_points(difference), interval=_points_between(low, high)
        )
        for name, difference, low, high in reversed(lines)
    )
    figure.set_label(_("{title}: {told}.").format(title=title, told=told or _("nothing to show")))
    return figure


def plan(rows: pd.DataFrame, *, share: float, newcomers_per_week: float) -> Table:
    """Return what a test would take, for each rise of a share."""
    note = _(
        "From {share}, with {newcomers} newcomers a week, all of them assigned to two even arms; "
        "two-sided 5%, power 80%."
    ).format(share=formats.percent(share), newcomers=formats.decimal(newcomers_per_week, digits=1))
    return Table(
        rows,
        [
            Column("effect", N_("To see a rise of so many points"), Role.POINTS),
            Column("share", N_("to"), Role.SHARE),
            Column("n_per_arm", N_("Customers in each arm"), Role.COUNT),
            Column("weeks", N_("Weeks of newcomers"), Role.NUMBER, digits=1),
            Column("weeks_to_answer", N_("Weeks until the answer"), Role.NUMBER, digits=1),
        ],
        name="plan",
        title=N_("What a test of newcomers would take"),
        notes=[Verbatim(note)],
    )


def _points_between(lower: float, upper: float) -> str:
    return formats.between(formats.signed_points(lower), formats.signed_points(upper))


def _labelled(name: str, n: float) -> str:
    return _("{label}, n {n}").format(label=name, n=formats.count(n))


def p_value(p: float) -> str:
    """Return p as it is told: never as 0."""
    if p < 0.001:
        return _("p < {p}").format(p=formats.decimal(0.001, digits=3))
    return _("p {p}").format(p=formats.decimal(p, digits=3))


def watch_in_short(
    rows: pd.DataFrame, found: RiskValidation, *, market: str, currency: str, horizon_days: int
) -> Block:
    """Return how many are at risk and what is at stake, and how far that could be believed when it was tried."""
    everybody = rows.iloc[0]
    is_better = found.auc > found.silence_auc and found.brier < found.silence_brier
    at_risk = _(
        "{market}: of {n} active customers {share} are expected to order on no day of the next {days}; if all stayed, "
        "they would bring {amount} of margin."
    )
    better = _(
        "When it was tried, on {n} customers, the risk was better than the longest silence: of one who left and one "
        "who stayed it told which in {risk} of the cases, silence in {silence}."
    )
    no_better = _(
        "When it was tried, on {n} customers, the risk was no better than the longest silence: of one who left and one "
        "who stayed it told which in {risk} of the cases, silence in {silence}."
    )
    told = [
        at_risk.format(
            market=market,
            n=formats.count(everybody["n_customers"]),
            share=formats.percent(everybody["risk"]),
            days=formats.count(horizon_days),
            amount=formats.whole_money(everybody["value"], currency=currency),
        ),
        (better if is_better else no_better).format(
            n=formats.count(found.n_customers),
            risk=formats.percent(found.auc),
            silence=formats.percent(found.silence_auc),
        ),
    ]
    return listed(told)


def reasons(rows: pd.DataFrame, *, currency: str, min_cell: int) -> Table:
    """Return how many customers each reason holds for, their mean risk and the margin at stake; few are hidden."""
    few = (rows["n_customers"] > 0) & (rows["n_customers"] < min_cell)
    return Table(
        rows,
        [
            Column("reason", N_("Reason"), Role.WORDS),
            Column("n_customers", N_("Customers"), Role.N),
            Column("risk", N_("Mean risk"), Role.SHARE),
            Column("value", N_("Margin if they stayed"), Role.MONEY, currency=currency, digits=0),
        ],
        name="reasons",
        title=N_("Who is watched, and why"),
        notes=[N_("A customer can have several reasons. A reason is a sign, and no cause.")],
        hidden=hidden_rows(rows, few, keys=["reason"]),
    )


def calibration(found: RiskValidation, *, min_cell: int) -> Table:
    """Return what became of those told each risk: the share that lapsed should lie where the risk was told."""
    rows = found.calibration[found.calibration["n"] >= min_cell]
    slope, intercept = (formats.decimal(value, digits=2) for value in (found.slope, found.intercept))
    brier, silence = (formats.decimal(value, digits=4) for value in (found.brier, found.silence_brier))
    notes = [
        _("Slope {slope}, intercept {intercept} on log odds: 1 and 0 where the risk can be taken at its word.").format(
            slope=slope, intercept=intercept
        ),
        _("Which of two leaves: risk {risk}, silence alone {silence}.").format(
            risk=formats.percent(found.auc), silence=formats.percent(found.silence_auc)
        ),
        _("Mean squared error (Brier): risk {risk}, silence {silence}, though told the answer beforehand.").format(
            risk=brier, silence=silence
        ),
        _("Of the tenth on top of the list {risk} lapsed; by the longest silence {silence}.").format(
            risk=formats.percent(found.precision), silence=formats.percent(found.silence_precision)
        ),
    ]
    return Table(
        rows,
        [
            Column("from_risk", N_("Risk told, from"), Role.SHARE, digits=0),
            Column("n", N_("Customers"), Role.N),
            Column("predicted", N_("Mean risk"), Role.SHARE),
            Column("lapsed", N_("Lapsed"), Role.SHARE),
            _INTERVAL,
        ],
        name="calibration",
        title=N_("Told, and what became of it"),
        notes=list(map(Verbatim, notes)),
    )


def promoters(rows: pd.DataFrame, *, by: str, caption: str, min_cell: int) -> Table:
    """Return net promoter scores with interval and n; those of few answers are hidden."""
    return Table(
        rows[rows["n"] >= min_cell],
        [
            Column(by, _BY.get(by, Verbatim(by)), Role.KEY),
            Column("n", N_("Answers"), Role.N),
            Column("net_promoter_score", N_("Net promoter score"), Role.NUMBER, digits=1),
            interval(N_("95% interval"), Role.NUMBER, digits=1),
        ],
        name="promoters",
        title=caption,
        notes=[N_("Each customer's last answer. Who answers is not everybody: see who does.")],
    )


def stated_and_done(found: Intention | None, *, horizon_days: int, min_cell: int) -> Table:
    """Return what customers said they would do, and what they did."""
    nobody = N_("No customer who said what he intends to do was observed long enough.")
    if found is None:
        return Table(pd.DataFrame(), (), name="intention", title=N_("Said, and done"), nothing=nobody)
    note = _("A stated intention was worth {share} of itself ({interval}, n {n}).").format(
        share=formats.percent(found.kept),
        interval=formats.share_interval(found.lower, found.upper),
        n=formats.count(found.n_observed),
    )
    return Table(
        found.curve[found.curve["n_observed"] >= min_cell],
        [
            Column("score", N_("Said, of 10"), Role.COUNT),
            Column("n_observed", N_("Customers"), Role.N),
            Column(
                "returned_share", Verbatim(_("Ordered within {days}").format(days=days_told(horizon_days))), Role.SHARE
            ),
            _INTERVAL,
        ],
        name="intention",
        title=N_("Said, and done"),
        notes=[Verbatim(note)],
    )


def answering(answering_counts: pd.DataFrame, *, min_cell: int) -> Table:
    """Return what those who answer surveys do beside those who do not."""
    rows = answering_counts[answering_counts["n_customers"] >= min_cell].sort_values("answered")
    lower, upper = wilson(rows["n_returned"], rows["n_customers"])
    return Table(
        rows.assign(
            did=[N_("answered") if answered else N_("never answered") for answered in rows["answered"]],
            share=rows["n_returned"] / rows["n_customers"],
            lower=lower,
            upper=upper,
        ),
        [
            Column("did", N_("Customers who"), Role.WORDS),
            Column("n_customers", N_("n"), Role.N),
            Column("share", N_("Ordered in the 90 days since"), Role.SHARE),
            _INTERVAL,
        ],
        name="answering",
        title=N_("Who answers"),
        notes=[N_("Answers speak for those who answer.")],
    )
