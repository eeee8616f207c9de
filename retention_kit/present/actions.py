"""What to do, shown: an experiment's page, headed by what forbids reading it, and the plan of the next one."""

import numpy as np
import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from retention_kit.actions import Intention, Judged, Trial
from retention_kit.metrics.intervals import wilson
from retention_kit.present import formats
from retention_kit.present.figures import days_told, panels
from retention_kit.present.languages import N_, _, worded
from retention_kit.present.tables import Shown, table

_POINTS = FuncFormatter(lambda share, _at: formats.decimal(share * 100, digits=0))


_OUTCOMES = {
    "ordered again": N_("ordered again"),
    "orders per customer": N_("orders per customer"),
    "revenue per customer": N_("revenue per customer"),
}
_BY = {"market": N_("Market"), "language": N_("Language")}


def listed(sentences: list[str]) -> Shown:
    """Return sentences as a short list, most important first."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in sentences))


def experiment_in_short(trial: Trial) -> Shown:
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
            difference=points(row["difference"]),
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
            difference=points(pooled.difference),
            interval=_points_between(pooled.lower, pooled.upper),
            p=p_value(pooled.q_p),
            inconsistency=formats.percent(pooled.inconsistency, digits=0),
        )
    ]


def arms(trial: Trial) -> Shown:
    """Return the arms: who was assigned, who was observed for the whole horizon, who ordered."""
    rows = trial.arms
    observed = "Observed"
    days = days_told(trial.horizon_days)
    frame = pd.DataFrame(
        {
            N_("Arm"): rows["arm"],
            N_("Assigned"): [formats.count(n) for n in rows["n_assigned"]],
            observed: [formats.count(n) for n in rows["n_observed"]],
            N_("In two arms, left out"): [formats.count(n) for n in rows["n_in_two_arms"]],
            N_("Ordered"): [formats.percent(share) for share in rows["returned_share"]],
            N_("95% interval"): _intervals(rows["lower"], rows["upper"]),
        }
    )
    notes = [worded(note) for note in (*trial.faults, *(trial.notes if rows.empty else ()))]
    if trial.sample_ratio_p is not None:
        notes.append(_("Sample-ratio test: p {p}.").format(p=formats.decimal(trial.sample_ratio_p, digits=4)))
    titles = {observed: _("Observed {days}").format(days=days)}
    return table(frame, name="arms", caption=_("The arms, as assigned"), notes=notes, left=["Arm"], titles=titles)


def outcomes(trial: Trial) -> Shown:
    """Return each outcome of both arms, the difference with its interval, p, and p corrected over the outcomes."""
    rows = trial.outcomes
    arms = {arm: arm for arm in (trial.treatment, trial.control)}
    frame = pd.DataFrame(
        {
            N_("Outcome"): [_(_OUTCOMES.get(outcome, outcome)) for outcome in rows["outcome"]],
            trial.treatment: [_value(row.treatment, row.unit, trial) for row in rows.itertuples()],
            trial.control: [_value(row.control, row.unit, trial) for row in rows.itertuples()],
            N_("Difference"): [_difference(row.difference, row.unit, trial) for row in rows.itertuples()],
            N_("95% interval"): [
                formats.between(_difference(row.lower, row.unit, trial), _difference(row.upper, row.unit, trial))
                for row in rows.itertuples()
            ],
            N_("p"): [formats.decimal(p, digits=4) for p in rows["p"]],
            N_("p, corrected"): [formats.decimal(p, digits=4) for p in rows["p_holm"]],
        }
    )
    notes = (
        [worded(note) for note in trial.notes]
        if rows.empty
        else [
            _("Shares: Newcombe's interval; orders and money: bootstrap by customer. Corrected over the rows (Holm).")
        ]
    )
    if trial.variance_left is not None:
        left = formats.percent(trial.variance_left, digits=0)
        notes.append(
            _(
                "Revenue allows for what each customer spent in the year before, which leaves {left} of its variance."
            ).format(left=left)
        )
    caption = _("Every outcome, by intention to treat")
    return table(frame, name="outcomes", caption=caption, notes=notes, left=["Outcome"], titles=arms)


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
            name=name, difference=points(difference), interval=_points_between(low, high)
        )
        for name, difference, low, high in reversed(lines)
    )
    figure.set_label(_("{title}: {told}.").format(title=title, told=told or _("nothing to show")))
    return figure


def plan(rows: pd.DataFrame, *, share: float, newcomers_per_week: float) -> Shown:
    """Return what a test would take, for each rise of a share."""
    frame = pd.DataFrame(
        {
            N_("To see a rise of"): [_("{n} points").format(n=points(effect)) for effect in rows["effect"]],
            N_("to"): [formats.percent(value) for value in rows["share"]],
            N_("Customers in each arm"): [formats.count(n) for n in rows["n_per_arm"]],
            N_("Weeks of newcomers"): [formats.decimal(weeks, digits=1) for weeks in rows["weeks"]],
            N_("Weeks until the answer"): [formats.decimal(weeks, digits=1) for weeks in rows["weeks_to_answer"]],
        }
    )
    note = _(
        "From {share}, with {newcomers} newcomers a week, all of them assigned to two even arms; "
        "two-sided 5%, power 80%."
    ).format(share=formats.percent(share), newcomers=formats.decimal(newcomers_per_week, digits=1))
    return table(
        frame, name="plan", caption=_("What a test of newcomers would take"), notes=[note], left=["To see a rise of"]
    )


def _intervals(lower, upper) -> list[str]:
    return [formats.share_interval(low, high) for low, high in zip(lower, upper, strict=True)]


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    written = formats.decimal(difference * 100, digits=1)
    return f"+{written}" if difference > 0 else written


def _points_between(lower: float, upper: float) -> str:
    return formats.between(points(lower), points(upper))


def _labelled(name: str, n: float) -> str:
    return _("{label}, n {n}").format(label=name, n=formats.count(n))


def p_value(p: float) -> str:
    """Return p as it is told: never as 0."""
    if p < 0.001:
        return _("p < {p}").format(p=formats.decimal(0.001, digits=3))
    return _("p {p}").format(p=formats.decimal(p, digits=3))


def _value(value: float, unit: str, trial: Trial) -> str:
    if unit == "money":
        return formats.money(value, currency=trial.currency)
    return formats.percent(value) if unit.startswith("share") else formats.decimal(value, digits=3)


def _difference(value: float, unit: str, trial: Trial) -> str:
    if unit.startswith("share"):
        return _("{n} points").format(n=points(value))
    written = formats.money(value, currency=trial.currency) if unit == "money" else formats.decimal(value, digits=3)
    return f"+{written}" if value > 0 else written


def watch_in_short(rows: pd.DataFrame, found: Judged, *, market: str, currency: str, horizon_days: int) -> Shown:
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


def reasons(rows: pd.DataFrame, *, currency: str, min_cell: int) -> Shown:
    """Return how many customers each reason holds for, their mean risk and the margin at stake; few are hidden."""
    hidden = (rows["n_customers"] > 0) & (rows["n_customers"] < min_cell)
    frame = pd.DataFrame(
        {
            N_("Reason"): [_(reason) for reason in rows["reason"]],
            N_("Customers"): [
                f"< {min_cell}" if h else formats.count(n) for n, h in zip(rows["n_customers"], hidden, strict=True)
            ],
            N_("Mean risk"): [formats.percent(None if h else r) for r, h in zip(rows["risk"], hidden, strict=True)],
            N_("Margin if they stayed"): [
                formats.ABSENT if h else formats.whole_money(value, currency=currency)
                for value, h in zip(rows["value"], hidden, strict=True)
            ],
        }
    )
    note = _("A customer can have several reasons. A reason is a sign, and no cause.")
    return table(frame, name="reasons", caption=_("Who is watched, and why"), notes=[note], left=["Reason"])


def calibration(found: Judged, *, min_cell: int) -> Shown:
    """Return what became of those told each risk: the share that lapsed should lie where the risk was told."""
    rows = found.calibration[found.calibration["n"] >= min_cell]
    frame = pd.DataFrame(
        {
            N_("Risk told"): [
                _("from {share}").format(share=formats.percent(risk, digits=0)) for risk in rows["from_risk"]
            ],
            N_("Customers"): [formats.count(n) for n in rows["n"]],
            N_("Mean risk"): [formats.percent(share) for share in rows["predicted"]],
            N_("Lapsed"): [formats.percent(share) for share in rows["lapsed"]],
            N_("95% interval"): _intervals(rows["lower"], rows["upper"]),
        }
    )
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
    return table(frame, name="calibration", caption=_("Told, and what became of it"), notes=notes, left=["Risk told"])


def promoters(rows: pd.DataFrame, *, by: str, caption: str, min_cell: int) -> Shown:
    """Return net promoter scores with interval and n; those of few answers are hidden."""
    rows = rows[rows["n"] >= min_cell]
    frame = pd.DataFrame(
        {
            by: rows[by],
            N_("Answers"): [formats.count(n) for n in rows["n"]],
            N_("Net promoter score"): [formats.decimal(score, digits=1) for score in rows["net_promoter_score"]],
            N_("95% interval"): [
                formats.between(formats.decimal(low, digits=1), formats.decimal(high, digits=1))
                for low, high in zip(rows["lower"], rows["upper"], strict=True)
            ],
        }
    )
    note = _("Each customer's last answer. Who answers is not everybody: see who does.")
    return table(frame, name="promoters", caption=_(caption), notes=[note], left=[by], titles={by: _(_BY.get(by, by))})


def stated_and_done(found: Intention | None, *, horizon_days: int, min_cell: int) -> Shown:
    """Return what customers said they would do, and what they did."""
    if found is None:
        return listed([_("No customer who said what he intends to do was observed long enough.")])
    rows = found.curve[found.curve["n_observed"] >= min_cell]
    frame = pd.DataFrame(
        {
            N_("Said"): [_("{score} of 10").format(score=formats.count(score)) for score in rows["score"]],
            N_("Customers"): [formats.count(n) for n in rows["n_observed"]],
            "Ordered within": [formats.percent(share) for share in rows["returned_share"]],
            N_("95% interval"): _intervals(rows["lower"], rows["upper"]),
        }
    )
    note = _("A stated intention was worth {share} of itself ({interval}, n {n}).").format(
        share=formats.percent(found.kept),
        interval=formats.share_interval(found.lower, found.upper),
        n=formats.count(found.n_observed),
    )
    titles = {"Ordered within": _("Ordered within {days}").format(days=days_told(horizon_days))}
    return table(frame, name="intention", caption=_("Said, and done"), notes=[note], left=["Said"], titles=titles)


def answering(answering_counts: pd.DataFrame, *, min_cell: int) -> Shown:
    """Return what those who answer surveys do beside those who do not."""
    rows = answering_counts[answering_counts["n_customers"] >= min_cell].sort_values("answered")
    lower, upper = wilson(rows["n_returned"], rows["n_customers"])
    frame = pd.DataFrame(
        {
            N_("Customers who"): [_("answered") if answered else _("never answered") for answered in rows["answered"]],
            N_("n"): [formats.count(n) for n in rows["n_customers"]],
            N_("Ordered in the 90 days since"): [
                formats.percent(share) for share in rows["n_returned"] / rows["n_customers"]
            ],
            N_("95% interval"): _intervals(lower, upper),
        }
    )
    note = _("Answers speak for those who answer.")
    return table(frame, name="answering", caption=_("Who answers"), notes=[note], left=["Customers who"])
