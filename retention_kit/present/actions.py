"""What to do, shown: an experiment's page, headed by what forbids reading it, and the plan of the next one."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from retention_kit.actions import Trial
from retention_kit.present import formats
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
            "95% interval": [
                formats.share_interval(low, high) for low, high in zip(rows["lower"], rows["upper"], strict=True)
            ],
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
    figure, axes = plt.subplots(figsize=(8, 1.1 + 0.42 * max(len(lines), 1)))
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
    plt.close(figure)
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
