"""What customers say, beside what they then do, shown."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from retention_kit.actions import Intention, ResponseBias
from retention_kit.messages import Verbatim
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.figures import _SHARE, _told, panels
from retention_kit.present.languages import N_, _
from retention_kit.table import Column, Role, Table, interval

_GROUPS = {"stayed": N_("ordered again"), "left": N_("did not order again")}


def said_and_done(rows: pd.DataFrame, *, by: str, horizon_days: int) -> Table:
    """Return how much a stated intention is worth in each market, or each language.

    Parameters
    ----------
    rows : from `actions.intentions`.
    by : 'market' or 'language'.
    """
    heading, caption = {
        "market": (N_("Market"), N_("What a stated intention is worth, by market")),
        "language": (N_("Language"), N_("What a stated intention is worth, by language")),
    }[by]
    note = _(
        "A 7 of 10 is taken as a stated chance of 70%. Of what was stated so much was done within {days} days: below "
        "1 an intention is to be discounted."
    ).format(days=formats.count(horizon_days))
    return Table(
        rows[~rows["hidden"].astype(bool)],
        [
            Column(by, heading, Role.KEY),
            Column("n", N_("Answers"), Role.N),
            Column("stated", N_("Said, on average"), Role.SHARE),
            Column("returned_share", N_("Did"), Role.SHARE),
            interval(N_("95% interval"), Role.SHARE, of="returned"),
            Column("kept", N_("To be taken times"), Role.NUMBER),
            interval(N_("its 95% interval"), Role.NUMBER),
        ],
        name=f"intention-by-{by}",
        title=caption,
        notes=[Verbatim(note)],
    )


def intention_curves(curves: Mapping[str, Intention], *, market: str, min_cell: int) -> Figure:
    """Return what was done over what was stated: a line for each curve; on the diagonal everybody keeps his word.

    Parameters
    ----------
    curves : by name, such as the language; of each only answers that enough customers gave are drawn.
    market : its name.
    """
    figure, axes = panels()
    axes.plot([0, 1], [0, 1], color="#6b7280", linewidth=1, linestyle="--")
    told = []
    for name, found in curves.items():
        rows = found.curve[found.curve["n_observed"] >= min_cell]
        if rows.empty:
            continue
        done = rows["returned_share"]
        error = np.vstack([done - rows["lower"], rows["upper"] - done]).clip(min=0)
        axes.errorbar(rows["stated"], done, yerr=error, marker="o", capsize=2, label=name)
        ends = [formats.percent(share, digits=0) for share in (done.iloc[0], done.iloc[-1])]
        told.append(_("{name} from {first} to {last}").format(name=name, first=ends[0], last=ends[1]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_SHARE)
    axes.set(xlabel=_("stated chance to order again"), ylabel=_("ordered again"), ylim=(0, 1.02))
    if told:
        axes.legend()
    title = _("{market}: said, and done, by language").format(market=market)
    axes.set_title(title)
    sentence = _("{title}. Of the least to the most hopeful: {told}.")
    return _told(figure, sentence.format(title=title, told=formats.enumerated(told) or _("nothing to show")))


def leavers(rows: pd.DataFrame, *, horizon_days: int) -> Table:
    """Return the net promoter score of those who stayed beside that of those who left."""
    rows = rows[~rows["hidden"].astype(bool)]
    note = _("Within {days} days of answering. The score was given before: it may tell who leaves, not why.").format(
        days=formats.count(horizon_days)
    )
    return Table(
        rows.assign(did=rows["group"].map(_GROUPS)),
        [
            Column("did", N_("Customers who"), Role.WORDS),
            Column("n", N_("Answers"), Role.N),
            Column("net_promoter_score", N_("Net promoter score"), Role.NUMBER, digits=1),
            interval(N_("95% interval"), Role.NUMBER, digits=1),
        ],
        name="leavers",
        title=N_("What those who stayed and those who left had said"),
        notes=[Verbatim(note)],
    )


def bias(found: ResponseBias | None) -> Block:
    """Return how those who answer differ from those who do not."""
    if found is None:
        return listed([_("Too few answered, or too few did not, to say how they differ.")])
    if found.lower > 0:
        sentence = _(
            "Who answers came back more often by {difference} points ({lower} to {upper}; n {answered} who "
            "answered, {silent} who never did): what is said here is not what everybody would say."
        )
    else:
        sentence = _(
            "Who answers came back about as often as who does not: {difference} points apart ({lower} to {upper}; "
            "n {answered} who answered, {silent} who never did)."
        )
    told = {name: formats.signed_points(getattr(found, name)) for name in ("difference", "lower", "upper")}
    told |= {"answered": formats.count(found.n_answered), "silent": formats.count(found.n_silent)}
    return listed([sentence.format(**told)])
