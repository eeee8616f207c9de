"""What keeps customers, shown: how sure each row is, what it would bring, and how alike the compared are."""

import pandas as pd

from retention_kit.actions.scorecard import ALIKE, STRATEGIES
from retention_kit.present import formats
from retention_kit.present.actions import listed, points
from retention_kit.present.languages import N_, _
from retention_kit.present.tables import Shown, table

NAMES = {
    "onboarding": N_("first contact in the own language"),
    "communication": N_("follow-up within a week"),
    "translation": N_("every contact in the own language"),
    "support": N_("support within a day"),
    "loyalty": N_("loyalty programme"),
    "personalisation": N_("first order from a campaign"),
    "feedback": N_("low scores followed up"),
    "referral": N_("referred by a customer"),
    "values": N_("shared values"),
    "payment": N_("local payment method"),
    "education": N_("education"),
    "delivery": N_("first delivery on time"),
    "discount": N_("discount on the first order"),
    "second_coupon": N_("coupon on the second order"),
    "consistency": N_("every promise kept"),
}
_STRENGTHS = {
    "randomised": N_("randomised"),
    "exact": N_("matched, exactly"),
    "propensity": N_("matched by propensity"),
    "raw": N_("raw"),
    "none": N_("no data"),
}
_CHARACTERISTICS = {
    "cohort": N_("month of the first order"),
    "acquisition_channel": N_("acquisition channel"),
    "language": N_("language"),
    "basket": N_("first basket"),
}
_WAITS = {"delivery": N_("parcels"), "response": N_("answers to questions")}
_PLACES = {"here": N_("this market"), "elsewhere": N_("the other markets")}


def strategies_in_short(rows: pd.DataFrame) -> Shown:
    """Return the largest difference that is more than chance, what a test says, and what the data cannot tell."""
    told = [
        _("Tested: '{test}' changed the share who came back by {difference} points ({lower} to {upper}).").format(
            test=row.strategy, **_interval(row)
        )
        for row in rows[rows["strength"] == "randomised"].itertuples()
    ]
    sure = rows[(rows["strength"] == "matched") & (rows["lower"] > 0)]
    for chosen, words in (
        (False, N_("Beside comparable customers, the largest difference goes with: {name}, {difference} points "
                   "({lower} to {upper}). A test would tell whether it is an effect.")),
        (True, N_("Customers choose it themselves: {name}, {difference} points ({lower} to {upper}). Part of it is "
                  "who they are.")),
    ):  # fmt: skip
        own = sure[(sure["note"] == "chosen") == chosen]
        if len(own):
            row = own.loc[own["difference"].idxmax()]
            told.append(_(words).format(name=_(NAMES[row["strategy"]]), **_interval(row)))
    lacking = rows[rows["note"] == "column"]
    if len(lacking):
        names = formats.enumerated(_(NAMES[key]) for key in lacking["strategy"])
        told.append(_("The data do not tell of: {names}.").format(names=names))
    return listed(told or [_("No difference is more than chance alone may make.")])


def scorecard(rows: pd.DataFrame, *, min_cell: int) -> Shown:
    """Return what keeps customers, a strategy a row: how many get it, and the difference beside comparable others."""
    known = rows["strength"] != "none"
    frame = pd.DataFrame(
        {
            N_("Strategy"): [_name(key) for key in rows["strategy"]],
            N_("How sure"): [
                _(_STRENGTHS[how if sure == "matched" else sure])
                for sure, how in zip(rows["strength"], rows["method"], strict=True)
            ],
            N_("Got it"): [formats.percent(share, digits=0) for share in rows["exposure"]],
            N_("Elsewhere"): [formats.percent(share, digits=0) for share in rows["coverage"]],
            N_("Raw"): _all_points(rows["raw"], known),
            N_("Comparable"): _all_points(rows["difference"], known & (rows["strength"] != "raw")),
            N_("95% interval"): [
                formats.between(points(row.lower), points(row.upper)) if row.strength != "none" else ""
                for row in rows.itertuples()
            ],
            N_("E-value"): [formats.decimal(value, digits=1) for value in rows["e_value_of_interval"]],
            N_("What to know"): [_note(row.note, row.column, min_cell) for row in rows.itertuples()],
        }
    )
    notes = [
        _(
            "Points of customers with a second order day within 90 days of the first (a third one of the second, for "
            "the coupon on it), beside customers of the same cohort, acquisition channel, language and first basket, "
            "all still to come back on the day by which one knows who got it. The interval is that of the comparable, "
            "or of the raw difference where nobody is."
        ),
        _("Only a row that says 'randomised' is an effect; every other one is a difference."),
        _(
            "E-value: how strongly something hidden would have to go with both, as a risk ratio, to bring the end of "
            "the interval that is nearer to nothing there; 1 where it holds nothing already."
        ),
    ]
    words = ["Strategy", "How sure", "What to know"]
    return table(
        frame,
        name="scorecard",
        caption=_("What was done for customers, and who came back"),
        notes=notes,
        left=words,
    )


def sizes(rows: pd.DataFrame, *, currency: str) -> Shown:
    """Return what each difference would bring if it were an effect and the rest got it too: customers and money."""
    rows = rows[rows["strength"] != "none"].sort_values("more_money", ascending=False, na_position="last")
    frame = pd.DataFrame(
        {
            N_("Strategy"): [_name(key) for key in rows["strategy"]],
            N_("Got it"): [formats.count(n) for n in rows["n_got"]],
            N_("The rest"): [formats.count(n) for n in rows["n_without"]],
            N_("More who come back"): [formats.count(n) for n in rows["more_returning"]],
            N_("between"): _between(rows["more_returning_lower"], rows["more_returning_upper"], formats.count),
            N_("What they would bring"): [
                formats.whole_money(value, currency=currency) for value in rows["more_money"]
            ],
            N_("and between"): _between(
                rows["more_money_lower"],
                rows["more_money_upper"],
                lambda value: formats.whole_money(value, currency=currency),
            ),
        }
    )
    note = _(
        "If the difference were an effect, and all who did not get it had: of the customers whose 90 days are over. "
        "Money is what one of the rest who came back ordered in that time, times so many more."
    )
    return table(frame, name="sizes", caption=_("What it would be worth"), notes=[note], left=["Strategy"])


def balance(rows: pd.DataFrame, scored: pd.DataFrame) -> Shown:
    """Return how far those who got something differ from those who did not, before and after.

    Parameters
    ----------
    rows : from `actions.balances`.
    scored : from `actions.scorecard`: how each strategy was compared.
    """
    by = rows.merge(scored[["strategy", "method", "matched_share", "overlap"]], on="strategy")
    by = by[by["method"] != ""]
    worst = by.loc[by.groupby("strategy", sort=False)["before"].idxmax()] if len(by) else by
    after = [row.exact if row.method == "exact" else row.propensity for row in by.itertuples()]
    largest = by.assign(after=after).groupby("strategy")["after"].max()
    frame = pd.DataFrame(
        {
            N_("Strategy"): [_name(key) for key in worst["strategy"]],
            N_("They differ most in"): [_(_CHARACTERISTICS.get(name, name)) for name in worst["characteristic"]],
            N_("before"): [formats.decimal(value, digits=2) for value in worst["before"]],
            N_("after, at the most"): [formats.decimal(largest[key], digits=2) for key in worst["strategy"]],
            N_("Exactly matched"): [formats.percent(share, digits=0) for share in worst["matched_share"]],
            N_("Overlap"): [formats.percent(share, digits=0) for share in worst["overlap"]],
        }
    )
    notes = [
        _(
            "Differences of means in standard deviations; below {alike} two groups are taken for alike. Exactly "
            "matched are those with somebody in their own stratum who did not get it; where they are less than half, "
            "customers are weighed by their propensity, the chance of getting it."
        ).format(alike=formats.decimal(ALIKE, digits=1)),
        _("Overlap: how much of both groups lies at the same chances of getting it."),
    ]
    left = ["Strategy", "They differ most in"]
    return table(frame, name="balance", caption=_("How alike the compared are"), notes=notes, left=left)


def consistency(rows: pd.DataFrame) -> Shown:
    """Return how evenly a market delivers and answers, beside the other markets."""
    rows = rows[~rows["hidden"].astype(bool)]
    frame = pd.DataFrame(
        {
            N_("Waiting for"): [_(_WAITS[kind]) for kind in rows["kind"]],
            N_("Where"): [_(_PLACES[place]) for place in rows["place"]],
            "n": [formats.count(n) for n in rows["n"]],
            N_("Half wait at the most"): [_hours(hours) for hours in rows["median"]],
            N_("Spread"): [_hours(hours) for hours in rows["spread"]],
            N_("95% interval"): _between(rows["lower"], rows["upper"], _hours),
            N_("Promise kept"): [formats.percent(share) for share in rows["kept_share"]],
            N_("its 95% interval"): [
                formats.share_interval(low, high)
                for low, high in zip(rows["kept_lower"], rows["kept_upper"], strict=True)
            ],
        }
    )
    note = _(
        "Spread: hours between the shortest and the longest tenth of all waits. A promise is the parcel's own, or an "
        "answer within 24 hours; what was never delivered or answered is not in it."
    )
    left = ["Waiting for", "Where"]
    return table(frame, name="waits", caption=_("How evenly the market keeps its word"), notes=[note], left=left)


def _interval(row) -> dict[str, str]:
    names = ("difference", "lower", "upper")
    return {name: points(row[name] if isinstance(row, pd.Series) else getattr(row, name)) for name in names}


def _name(key: str) -> str:
    return _(NAMES[key]) if key in STRATEGIES else _("test '{name}'").format(name=key)


def _note(note: str, column: str, min_cell: int) -> str:
    if note == "chosen":
        return _("customers choose it themselves: part of it is who they are")
    if note == "few":
        return _("fewer than {min_cell} customers on one side").format(min_cell=min_cell)
    if note == "unlike":
        return _("too few are alike to be compared: read it as raw")
    return _("{column} would answer it").format(column=column) if note == "column" else ""


def _all_points(differences: pd.Series, known: pd.Series) -> list[str]:
    return [points(d) if is_known else formats.ABSENT for d, is_known in zip(differences, known, strict=True)]


def _between(lower: pd.Series, upper: pd.Series, written) -> list[str]:
    return [
        "" if pd.isna(low) else formats.between(written(low), written(high))
        for low, high in zip(lower, upper, strict=True)
    ]


def _hours(hours: float) -> str:
    return _("{hours} h").format(hours=formats.decimal(hours, digits=1))
