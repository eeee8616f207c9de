"""What to do, shown: an experiment's page, headed by what forbids reading it, and the plan of the next one."""

import numpy as np
import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from retention_kit.actions import Intention, Judged, Trial
from retention_kit.metrics.intervals import wilson
from retention_kit.present import formats
from retention_kit.present.figures import panels
from retention_kit.present.tables import Shown, table

_POINTS = FuncFormatter(lambda share, _: formats.decimal(share * 100, digits=0))


def listed(sentences: list[str]) -> Shown:
    """Return sentences as a short list, most important first."""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in sentences))


def experiment_in_short(trial: Trial) -> Shown:
    """Return what an experiment says as a short list; a fault heads it, and no effect is told beside one."""
    return listed(experiment_sentences(trial))


def experiment_sentences(trial: Trial) -> list[str]:
    """Return the sentences themselves."""
    told = [*trial.faults, *trial.notes]
    if trial.outcomes.empty:
        return [*told, *([] if trial.faults else _pooled_sentences(trial))]
    if trial.faults:
        return told
    told.append(
        f"The arms were drawn as planned as far as their sizes can tell (sample-ratio test, p "
        f"{formats.decimal(trial.sample_ratio_p, digits=3)})."
    )
    row = trial.outcomes.iloc[0]
    arms = trial.arms.set_index("arm")["n_observed"]
    sure = "more than chance alone makes" if row["p_holm"] < 0.05 else "no more than chance alone may make"
    told.append(
        f"{trial.market}: within {trial.horizon_days} days {formats.percent(row['treatment'])} of '{trial.treatment}' "
        f"(n {formats.count(arms[trial.treatment])}) ordered, and {formats.percent(row['control'])} of "
        f"'{trial.control}' (n {formats.count(arms[trial.control])}): a difference of {points(row['difference'])} "
        f"points ({points(row['lower'])} to {points(row['upper'])}), {sure} ({p_value(row['p_holm'])})."
    )
    return [*told, *_pooled_sentences(trial)]


def _pooled_sentences(trial: Trial) -> list[str]:
    if trial.pooled is None:
        return []
    pooled = trial.pooled
    differ = "differ among themselves by more than chance" if pooled.q_p < 0.05 else "may all have the same effect"
    return [
        f"The {pooled.n_markets} markets together: {points(pooled.difference)} points ({points(pooled.lower)} to "
        f"{points(pooled.upper)}); they {differ} (heterogeneity {p_value(pooled.q_p)}, I² "
        f"{formats.percent(pooled.inconsistency, digits=0)})."
    ]


def arms(trial: Trial) -> Shown:
    """Return the arms: who was assigned, who was observed for the whole horizon, who ordered."""
    rows = trial.arms
    frame = pd.DataFrame(
        {
            "Arm": rows["arm"],
            "Assigned": [formats.count(n) for n in rows["n_assigned"]],
            f"Observed {trial.horizon_days} days": [formats.count(n) for n in rows["n_observed"]],
            "In two arms, left out": [formats.count(n) for n in rows["n_in_two_arms"]],
            "Ordered": [formats.percent(share) for share in rows["returned_share"]],
            "95% interval": _intervals(rows["lower"], rows["upper"]),
        }
    )
    notes = [*trial.faults, *(trial.notes if rows.empty else ())]
    if trial.sample_ratio_p is not None:
        notes.append(f"Sample-ratio test: p {formats.decimal(trial.sample_ratio_p, digits=4)}.")
    return table(frame, name="arms", caption="The arms, as assigned", notes=notes, left=["Arm"])


def outcomes(trial: Trial) -> Shown:
    """Return each outcome of both arms, the difference with its interval, p, and p corrected over the outcomes."""
    rows = trial.outcomes
    frame = pd.DataFrame(
        {
            "Outcome": rows["outcome"],
            trial.treatment: [_value(row.treatment, row.unit, trial) for row in rows.itertuples()],
            trial.control: [_value(row.control, row.unit, trial) for row in rows.itertuples()],
            "Difference": [_difference(row.difference, row.unit, trial) for row in rows.itertuples()],
            "95% interval": [
                f"{_difference(row.lower, row.unit, trial)} to {_difference(row.upper, row.unit, trial)}"
                for row in rows.itertuples()
            ],
            "p": [formats.decimal(p, digits=4) for p in rows["p"]],
            "p, corrected": [formats.decimal(p, digits=4) for p in rows["p_holm"]],
        }
    )
    notes = (
        list(trial.notes)
        if rows.empty
        else ["Shares: Newcombe's interval; orders and money: bootstrap by customer. Corrected over the rows (Holm)."]
    )
    if trial.variance_left is not None:
        left = formats.percent(trial.variance_left, digits=0)
        notes.append(
            f"Revenue allows for what each customer spent in the year before, which leaves {left} of its variance."
        )
    return table(frame, name="outcomes", caption="Every outcome, by intention to treat", notes=notes, left=["Outcome"])


def markets_forest(trial: Trial) -> Figure:
    """Return the difference of each market with its interval, and of all together, in points."""
    rows = trial.by_market[~trial.by_market["hidden"].astype(bool)].sort_values("market", ascending=False)
    lines = [
        (f"{row.market}, n {formats.count(row.n_treatment + row.n_control)}", row.difference, row.lower, row.upper)
        for row in rows.itertuples()
    ]
    if trial.pooled is not None:
        lines.insert(0, ("all, random effects", trial.pooled.difference, trial.pooled.lower, trial.pooled.upper))
    title = f"'{trial.treatment}' less '{trial.control}', points of customers who ordered, 95% interval"
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
    told = "; ".join(f"{name} {points(d)} ({points(low)} to {points(high)})" for name, d, low, high in reversed(lines))
    figure.set_label(f"{title}: {told or 'nothing to show'}.")
    return figure


def plan(rows: pd.DataFrame, *, share: float, newcomers_per_week: float) -> Shown:
    """Return what a test would take, for each rise of a share."""
    frame = pd.DataFrame(
        {
            "To see a rise of": [f"{points(effect)} points" for effect in rows["effect"]],
            "to": [formats.percent(value) for value in rows["share"]],
            "Customers in each arm": [formats.count(n) for n in rows["n_per_arm"]],
            "Weeks of newcomers": [formats.decimal(weeks, digits=1) for weeks in rows["weeks"]],
            "Weeks until the answer": [formats.decimal(weeks, digits=1) for weeks in rows["weeks_to_answer"]],
        }
    )
    note = (
        f"From {formats.percent(share)}, with {formats.decimal(newcomers_per_week, digits=1)} newcomers a week, all of "
        "them assigned to two even arms; two-sided 5%, power 80%."
    )
    return table(
        frame, name="plan", caption="What a test of newcomers would take", notes=[note], left=["To see a rise of"]
    )


def _intervals(lower, upper) -> list[str]:
    return [formats.share_interval(low, high) for low, high in zip(lower, upper, strict=True)]


def points(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    written = formats.decimal(difference * 100, digits=1)
    return f"+{written}" if difference > 0 else written


def p_value(p: float) -> str:
    """Return p as it is told: never as 0."""
    return "p < 0.001" if p < 0.001 else f"p {formats.decimal(p, digits=3)}"


def _value(value: float, unit: str, trial: Trial) -> str:
    if unit == "money":
        return formats.money(value, currency=trial.currency)
    return formats.percent(value) if unit.startswith("share") else formats.decimal(value, digits=3)


def _difference(value: float, unit: str, trial: Trial) -> str:
    if unit.startswith("share"):
        return f"{points(value)} points"
    written = formats.money(value, currency=trial.currency) if unit == "money" else formats.decimal(value, digits=3)
    return f"+{written}" if value > 0 else written


def watch_in_short(rows: pd.DataFrame, found: Judged, *, market: str, currency: str, horizon_days: int) -> Shown:
    """Return how many are at risk and what is at stake, and how far that could be believed when it was tried."""
    everybody = rows.iloc[0]
    better = "better than" if found.auc > found.silence_auc and found.brier < found.silence_brier else "no better than"
    told = [
        f"{market}: of {formats.count(everybody['n_customers'])} active customers "
        f"{formats.percent(everybody['risk'])} are expected to order on no day of the next {horizon_days}; "
        f"if all stayed, they would bring {formats.whole_money(everybody['value'], currency=currency)} of margin.",
        f"When it was tried, on {formats.count(found.n_customers)} customers, the risk was {better} the longest "
        f"silence: of one who left and one who stayed it told which in {formats.percent(found.auc)} of the cases, "
        f"silence in {formats.percent(found.silence_auc)}.",
    ]
    return listed(told)


def reasons(rows: pd.DataFrame, *, currency: str, min_cell: int) -> Shown:
    """Return how many customers each reason holds for, their mean risk and the margin at stake; few are hidden."""
    hidden = (rows["n_customers"] > 0) & (rows["n_customers"] < min_cell)
    frame = pd.DataFrame(
        {
            "Reason": rows["reason"],
            "Customers": [
                f"< {min_cell}" if h else formats.count(n) for n, h in zip(rows["n_customers"], hidden, strict=True)
            ],
            "Mean risk": [formats.percent(None if h else r) for r, h in zip(rows["risk"], hidden, strict=True)],
            "Margin if they stayed": [
                formats.ABSENT if h else formats.whole_money(value, currency=currency)
                for value, h in zip(rows["value"], hidden, strict=True)
            ],
        }
    )
    note = "A customer can have several reasons. A reason is a sign, and no cause."
    return table(frame, name="reasons", caption="Who is watched, and why", notes=[note], left=["Reason"])


def calibration(found: Judged, *, min_cell: int) -> Shown:
    """Return what became of those told each risk: the share that lapsed should lie where the risk was told."""
    rows = found.calibration[found.calibration["n"] >= min_cell]
    frame = pd.DataFrame(
        {
            "Risk told": [f"from {formats.percent(risk, digits=0)}" for risk in rows["from_risk"]],
            "Customers": [formats.count(n) for n in rows["n"]],
            "Mean risk": [formats.percent(share) for share in rows["predicted"]],
            "Lapsed": [formats.percent(share) for share in rows["lapsed"]],
            "95% interval": _intervals(rows["lower"], rows["upper"]),
        }
    )
    slope, intercept = (formats.decimal(value, digits=2) for value in (found.slope, found.intercept))
    brier, silence = (formats.decimal(value, digits=4) for value in (found.brier, found.silence_brier))
    notes = [
        f"Slope {slope}, intercept {intercept} on log odds: 1 and 0 where the risk can be taken at its word.",
        f"Which of two leaves: risk {formats.percent(found.auc)}, silence alone {formats.percent(found.silence_auc)}.",
        f"Mean squared error (Brier): risk {brier}, silence {silence}, though told the answer beforehand.",
        f"Of the tenth on top of the list {formats.percent(found.precision)} lapsed; by the longest silence "
        f"{formats.percent(found.silence_precision)}.",
    ]
    return table(frame, name="calibration", caption="Told, and what became of it", notes=notes, left=["Risk told"])


def promoters(rows: pd.DataFrame, *, by: str, caption: str, min_cell: int) -> Shown:
    """Return net promoter scores with interval and n; those of few answers are hidden."""
    rows = rows[rows["n"] >= min_cell]
    frame = pd.DataFrame(
        {
            by.capitalize(): rows[by],
            "Answers": [formats.count(n) for n in rows["n"]],
            "Net promoter score": [formats.decimal(score, digits=1) for score in rows["net_promoter_score"]],
            "95% interval": [
                f"{formats.decimal(low, digits=1)} to {formats.decimal(high, digits=1)}"
                for low, high in zip(rows["lower"], rows["upper"], strict=True)
            ],
        }
    )
    note = "Each customer's last answer. Who answers is not everybody: see who does."
    return table(frame, name="promoters", caption=caption, notes=[note], left=[by.capitalize()])


def stated_and_done(found: Intention | None, *, horizon_days: int, min_cell: int) -> Shown:
    """Return what customers said they would do, and what they did."""
    if found is None:
        return listed(["No customer who said what he intends to do was observed long enough."])
    rows = found.curve[found.curve["n_observed"] >= min_cell]
    frame = pd.DataFrame(
        {
            "Said": [f"{formats.count(score)} of 10" for score in rows["score"]],
            "Customers": [formats.count(n) for n in rows["n_observed"]],
            f"Ordered within {horizon_days} days": [formats.percent(share) for share in rows["returned_share"]],
            "95% interval": _intervals(rows["lower"], rows["upper"]),
        }
    )
    note = (
        f"A stated intention was worth {formats.percent(found.kept)} of itself "
        f"({formats.share_interval(found.lower, found.upper)}, n {formats.count(found.n_observed)})."
    )
    return table(frame, name="intention", caption="Said, and done", notes=[note], left=["Said"])


def answering(answering_counts: pd.DataFrame, *, min_cell: int) -> Shown:
    """Return what those who answer surveys do beside those who do not."""
    rows = answering_counts[answering_counts["n_customers"] >= min_cell].sort_values("answered")
    lower, upper = wilson(rows["n_returned"], rows["n_customers"])
    frame = pd.DataFrame(
        {
            "Customers who": ["answered" if answered else "never answered" for answered in rows["answered"]],
            "n": [formats.count(n) for n in rows["n_customers"]],
            "Ordered in the 90 days since": [
                formats.percent(share) for share in rows["n_returned"] / rows["n_customers"]
            ],
            "95% interval": _intervals(lower, upper),
        }
    )
    note = "Answers speak for those who answer."
    return table(frame, name="answering", caption="Who answers", notes=[note], left=["Customers who"])
