"""What customers say, beside what they then do, shown."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from retention_kit.actions import Intention, ResponseBias
from retention_kit.present import formats
from retention_kit.present.actions import listed, points
from retention_kit.present.figures import _SHARE, _told, panels
from retention_kit.present.languages import N_, _
from retention_kit.present.tables import Shown, table

_GROUPS = {"stayed": N_("ordered again"), "left": N_("did not order again")}


def said_and_done(rows: pd.DataFrame, *, by: str, horizon_days: int) -> Shown:
    """Return how much a stated intention is worth in each market, or each language.

    Parameters
    ----------
    rows : from `actions.intentions`.
    by : 'market' or 'language'.
    """
    rows = rows[~rows["hidden"].astype(bool)]
    heading = N_("Market") if by == "market" else N_("Language")
    frame = pd.DataFrame(
        {
            heading: rows[by],
            N_("Answers"): [formats.count(n) for n in rows["n"]],
            N_("Said, on average"): [formats.percent(share) for share in rows["stated"]],
            N_("Did"): [formats.percent(share) for share in rows["returned_share"]],
            N_("95% interval"): _shares(rows["returned_lower"], rows["returned_upper"]),
            N_("To be taken times"): [formats.decimal(kept, digits=2) for kept in rows["kept"]],
            N_("its 95% interval"): [
                formats.between(formats.decimal(low, digits=2), formats.decimal(high, digits=2))
                for low, high in zip(rows["lower"], rows["upper"], strict=True)
            ],
        }
    )
    note = _(
        "A 7 of 10 is taken as a stated chance of 70%. Of what was stated so much was done within {days} days: below "
        "1 an intention is to be discounted."
    ).format(days=formats.count(horizon_days))
    caption = _("What a stated intention is worth, by market")
    if by != "market":
        caption = _("What a stated intention is worth, by language")
    return table(frame, name=f"intention-by-{by}", caption=caption, notes=[note], left=[heading])


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


def leavers(rows: pd.DataFrame, *, horizon_days: int) -> Shown:
    """Return the net promoter score of those who stayed beside that of those who left."""
    rows = rows[~rows["hidden"].astype(bool)]
    frame = pd.DataFrame(
        {
            N_("Customers who"): [_(_GROUPS[group]) for group in rows["group"]],
            N_("Answers"): [formats.count(n) for n in rows["n"]],
            N_("Net promoter score"): [formats.decimal(score, digits=1) for score in rows["net_promoter_score"]],
            N_("95% interval"): [
                formats.between(formats.decimal(low, digits=1), formats.decimal(high, digits=1))
                for low, high in zip(rows["lower"], rows["upper"], strict=True)
            ],
        }
    )
    note = _("Within {days} days of answering. The score was given before: it may tell who leaves, not why.").format(
        days=formats.count(horizon_days)
    )
    caption = _("What those who stayed and those who left had said")
    return table(frame, name="leavers", caption=caption, notes=[note], left=["Customers who"])


def bias(found: ResponseBias | None) -> Shown:
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
    told = {name: points(getattr(found, name)) for name in ("difference", "lower", "upper")}
    told |= {"answered": formats.count(found.n_answered), "silent": formats.count(found.n_silent)}
    return listed([sentence.format(**told)])


def _shares(lower: pd.Series, upper: pd.Series) -> list[str]:
    return [formats.share_interval(low, high) for low, high in zip(lower, upper, strict=True)]
