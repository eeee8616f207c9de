"""What keeps customers, shown: how sure each row is, what it would bring, and how alike the compared are."""

import pandas as pd

from retention_kit.actions.scorecard import ALIKE, STRATEGIES
from retention_kit.messages import Message, Verbatim
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.languages import N_, _
from retention_kit.table import Column, Role, Table, interval, words

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
_STRATEGY = Column("called", N_("Strategy"), Role.WORDS)
_PLACES = {"here": N_("this market"), "elsewhere": N_("the other markets")}


def strategies_in_short(rows: pd.DataFrame) -> Block:
    """Return the largest difference that is more than chance, what a test says, and what the data cannot tell."""
    told = [
        _("Tested: '{test}' changed the share who came back by {difference} points ({lower} to {upper}).").format(
            test=row.strategy, **_interval(row)
        )
        for row in rows[rows["strength"] == "randomised"].itertuples()
    ]
    sure = rows[(rows["strength"] == "matched") & (rows["lower"] > 0)]
    for chosen, sentence in (
        (False, N_("Beside comparable customers, the largest difference goes with: {name}, {difference} points "
                   "({lower} to {upper}). A test would tell whether it is an effect.")),
        (True, N_("Customers choose it themselves: {name}, {difference} points ({lower} to {upper}). Part of it is "
                  "who they are.")),
    ):  # fmt: skip
        own = sure[(sure["note"] == "chosen") == chosen]
        if len(own):
            row = own.loc[own["difference"].idxmax()]
            told.append(_(sentence).format(name=_(NAMES[row["strategy"]]), **_interval(row)))
    lacking = rows[rows["note"] == "column"]
    if len(lacking):
        names = formats.enumerated(_(NAMES[key]) for key in lacking["strategy"])
        told.append(_("The data do not tell of: {names}.").format(names=names))
    return listed(told or [_("No difference is more than chance alone may make.")])


def scorecard(rows: pd.DataFrame, *, min_cell: int) -> Table:
    """Return what keeps customers, a strategy a row: how many get it, and the difference beside comparable others."""
    known = rows["strength"] != "none"
    notes = [
        N_(
            "Points of customers with a second order day within 90 days of the first (a third one of the second, for "
            "the coupon on it), beside customers of the same cohort, acquisition channel, language and first basket, "
            "all still to come back on the day by which one knows who got it. The interval is that of the comparable, "
            "or of the raw difference where nobody is."
        ),
        N_("Only a row that says 'randomised' is an effect; every other one is a difference."),
        N_(
            "E-value: how strongly something hidden would have to go with both, as a risk ratio, to bring the end of "
            "the interval that is nearer to nothing there; 1 where it holds nothing already."
        ),
    ]
    sure = (how if sure == "matched" else sure for sure, how in zip(rows["strength"], rows["method"], strict=True))
    return Table(
        rows.assign(
            called=_names(rows),
            sure=[_STRENGTHS[one] for one in sure],
            raw=rows["raw"].where(known),
            comparable=rows["difference"].where(known & (rows["strength"] != "raw")),
            lower=rows["lower"].where(known),
            upper=rows["upper"].where(known),
            known_of=words(
                (Verbatim(_note(row.note, row.column, min_cell)) for row in rows.itertuples()), index=rows.index
            ),
        ),
        [
            _STRATEGY,
            Column("sure", N_("How sure"), Role.WORDS),
            Column("exposure", N_("Got it"), Role.SHARE, digits=0),
            Column("coverage", N_("Elsewhere"), Role.SHARE, digits=0),
            Column("raw", N_("Raw"), Role.POINTS),
            Column("comparable", N_("Comparable"), Role.POINTS),
            interval(N_("95% interval"), Role.POINTS),
            Column("e_value_of_interval", N_("E-value"), Role.NUMBER, digits=1),
            Column("known_of", N_("What to know"), Role.WORDS),
        ],
        name="scorecard",
        title=N_("What was done for customers, and who came back"),
        notes=notes,
    )


def sizes(rows: pd.DataFrame, *, currency: str) -> Table:
    """Return what each difference would bring if it were an effect and the rest got it too: customers and money."""
    rows = rows[rows["strength"] != "none"].sort_values("more_money", ascending=False, na_position="last")
    money = {"role": Role.MONEY, "currency": currency, "digits": 0}
    return Table(
        rows.assign(called=_names(rows)),
        [
            _STRATEGY,
            Column("n_got", N_("Got it"), Role.N),
            Column("n_without", N_("The rest"), Role.N),
            Column("more_returning", N_("More who come back"), Role.COUNT),
            interval(N_("between"), Role.COUNT, of="more_returning"),
            Column("more_money", N_("What they would bring"), **money),
            interval(N_("and between"), of="more_money", **money),
        ],
        name="sizes",
        title=N_("What it would be worth"),
        notes=[
            N_(
                "If the difference were an effect, and all who did not get it had: of the customers whose 90 days are "
                "over. Money is what one of the rest who came back ordered in that time, times so many more."
            )
        ],
    )


def balance(rows: pd.DataFrame, scored: pd.DataFrame) -> Table:
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
    notes = [
        Verbatim(_(
            "Differences of means in standard deviations; below {alike} two groups are taken for alike. Exactly "
            "matched are those with somebody in their own stratum who did not get it; where they are less than half, "
            "customers are weighed by their propensity, the chance of getting it."
        ).format(alike=formats.decimal(ALIKE, digits=1))),
        N_("Overlap: how much of both groups lies at the same chances of getting it."),
    ]  # fmt: skip
    return Table(
        worst.assign(
            called=_names(worst),
            differs=words(
                (_CHARACTERISTICS.get(name, Verbatim(name)) for name in worst["characteristic"]), index=worst.index
            ),
            largest=worst["strategy"].map(largest),
        ),
        [
            _STRATEGY,
            Column("differs", N_("They differ most in"), Role.WORDS),
            Column("before", N_("before"), Role.NUMBER),
            Column("largest", N_("after, at the most"), Role.NUMBER),
            Column("matched_share", N_("Exactly matched"), Role.SHARE, digits=0),
            Column("overlap", N_("Overlap"), Role.SHARE, digits=0),
        ],
        name="balance",
        title=N_("How alike the compared are"),
        notes=notes,
    )


def consistency(rows: pd.DataFrame) -> Table:
    """Return how evenly a market delivers and answers, beside the other markets."""
    rows = rows[~rows["hidden"].astype(bool)]
    return Table(
        rows.assign(waiting=rows["kind"].map(_WAITS), at=rows["place"].map(_PLACES)),
        [
            Column("waiting", N_("Waiting for"), Role.WORDS),
            Column("at", N_("Where"), Role.WORDS),
            Column("n", N_("n"), Role.N),
            Column("median", N_("Half wait at the most"), Role.HOURS),
            Column("spread", N_("Spread"), Role.HOURS),
            interval(N_("95% interval"), Role.HOURS),
            Column("kept_share", N_("Promise kept"), Role.SHARE),
            interval(N_("its 95% interval"), Role.SHARE, of="kept"),
        ],
        name="waits",
        title=N_("How evenly the market keeps its word"),
        notes=[
            N_(
                "Spread: hours between the shortest and the longest tenth of all waits. A promise is the parcel's own, "
                "or an answer within 24 hours; what was never delivered or answered is not in it."
            )
        ],
    )


def _interval(row) -> dict[str, str]:
    names = ("difference", "lower", "upper")
    return {
        name: formats.signed_points(row[name] if isinstance(row, pd.Series) else getattr(row, name)) for name in names
    }


def _names(rows: pd.DataFrame) -> pd.Series:
    """Return the name of each row's strategy, or test."""
    called = (NAMES[key] if key in STRATEGIES else Message("test '{name}'", name=key) for key in rows["strategy"])
    return words(called, index=rows.index)


def _note(note: str, column: str, min_cell: int) -> str:
    if note == "chosen":
        return _("customers choose it themselves: part of it is who they are")
    if note == "few":
        return _("fewer than {min_cell} customers on one side").format(min_cell=min_cell)
    if note == "unlike":
        return _("too few are alike to be compared: read it as raw")
    return _("{column} would answer it").format(column=column) if note == "column" else ""
