"""What models of renewal say of subscriptions, as a reader sees it: how many go on, the back-test, the curve."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention_kit.config import Market
from retention_kit.messages import Verbatim
from retention_kit.models import RenewalForecast
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.figures import _SHARE, _from_zero, _nothing, _told, panels, point_told
from retention_kit.present.languages import N_, _, ngettext, place, worded
from retention_kit.present.value import _counts_between, _verdict
from retention_kit.present.words import beside
from retention_kit.table import Column, Role, Table, interval

_KINDS = {
    "week": N_("Weekly subscriptions"),
    "month": N_("Monthly subscriptions"),
    "quarter": N_("Quarterly subscriptions"),
    "year": N_("Yearly subscriptions"),
}


def in_short(
    forecasts: Sequence[RenewalForecast], renewal_counts: pd.DataFrame, *, yearly_rate: float, min_cell: int
) -> Block:
    """Return the answer in sentences: how many subscriptions go on, and how well that was foretold.

    Parameters
    ----------
    forecasts : from `models.renewal_forecasts`.
    renewal_counts : of the market, from `counts.renewal_counts`.
    yearly_rate : discount of a year; 0.1 is 10 %.
    """
    told = [_of_one(one, yearly_rate=yearly_rate) for one in forecasts]
    told += [badge_text(one) for one in forecasts]
    other = renewal_counts.query("period == 'other' and holdouts_ago == 0")
    unknown = other[["n_ended", "n_running", "n_leaving"]].sum().sum()
    if unknown >= min_cell:
        sentence = _("{n} subscriptions have no known period (week, month, quarter, year): they are left out.")
        told.append(sentence.format(n=formats.count(unknown)))
    return listed(told or [_("No subscriptions are known here, or too few to tell of.")])


def badge_text(forecast: RenewalForecast) -> str:
    """Return how the forecast made before the hold-out did, beside two that need no model."""
    test = forecast.tested
    kind = _(_KINDS[forecast.period])
    if test is None:
        return f"{kind}: {beside(_('Not back-tested.'), worded(forecast.notes.get('test', '')))}"
    if not test.is_told:
        few = _("{kind}: the back-test is hidden: too few renewed, or did not, or came since.")
        return few.format(kind=kind)
    inside = _(
        "{kind}, back-test: of the {n} with a renewal due in the {weeks} weeks held out, {forecast} were expected to "
        "renew until their end, and {actual} did ({error}; inside the 95% interval, {interval})."
    )
    outside = _(
        "{kind}, back-test: of the {n} with a renewal due in the {weeks} weeks held out, {forecast} were expected to "
        "renew until their end, and {actual} did ({error}; outside the 95% interval, {interval})."
    )
    told = (inside if test.covered else outside).format(
        kind=kind,
        n=formats.count(test.n),
        weeks=formats.count(test.weeks),
        forecast=formats.count(test.forecast),
        actual=formats.count(test.actual),
        error=formats.change(test.error),
        interval=_counts_between(test.lower, test.upper),
    )
    steady = formats.change(test.off(test.steady))
    if test.last_period is None:
        naive = _("Naive forecast: one constant churn rate, {steady}.").format(steady=steady)
    else:
        naive = _("Naive forecasts: one constant churn rate, {steady}; as in the hold-out before, {last}.").format(
            steady=steady, last=formats.change(test.off(test.last_period))
        )
    return beside(told, naive, _verdict(test))


def parameters(forecasts: Sequence[RenewalForecast]) -> Table:
    """Return the parameters of each model of renewal, with intervals."""
    rows, notes = [], []
    for one in forecasts:
        kind = _KINDS[one.period]
        if one.model is None:
            notes.append(Verbatim(f"{_(kind)}: {worded(one.notes['model'])}"))
            continue
        for name, ends in one.model.fit.intervals().items():
            rows.append((kind, one.model.name, name, one.model.fit.estimates[name], *ends))
        notes.append(Verbatim(_fitted_to(one, _(kind))))
    return Table(
        pd.DataFrame(rows, columns=["kind", "law", "parameter", "estimate", "lower", "upper"]),
        [
            Column("kind", N_("Subscriptions"), Role.WORDS),
            Column("law", N_("Law"), Role.KEY),
            Column("parameter", N_("Parameter"), Role.KEY),
            Column("estimate", N_("Estimate"), Role.NUMBER),
            interval(N_("95% interval"), Role.NUMBER),
        ],
        name="renewals",
        title=N_("The models of renewal, by maximum likelihood"),
        notes=notes,
    )


def curve(forecasts: Sequence[RenewalForecast], *, market: Market) -> Figure:
    """Return how many subscriptions still run after so many renewals, as shares: seen so far, and by the model.

    Of several periods, the one that most are sold by is drawn.
    """
    title = _("Subscriptions still running after so many renewals")
    one = forecasts[0] if forecasts else None
    if one is None or one.ahead.empty or one.curve.empty:
        return _nothing(title, market=market)
    figure, axes = panels()
    ahead, seen = one.ahead, one.curve
    axes.fill_between(ahead["duration"], ahead["lower"], ahead["upper"], alpha=0.25, linewidth=0, color="C1")
    axes.plot(ahead["duration"], ahead["survival"], color="C1", linewidth=2, label=_("model, 95% interval"))
    steady = one.steady ** ahead["duration"]
    axes.plot(ahead["duration"], steady, color="C2", linestyle="--", label=_("at one constant churn rate"))
    reach = [seen["survival"] - seen["lower"], seen["upper"] - seen["survival"]]
    axes.errorbar(seen["duration"], seen["survival"], yerr=reach, fmt="o", markersize=4, capsize=2, label=_("observed"))
    _from_zero(axes, upper=1)
    axes.yaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=_("renewals; {kind}").format(kind=_(_KINDS[one.period])))
    axes.set_title(title)
    axes.legend(loc="upper right", frameon=False)
    shown = ahead.iloc[[1, len(ahead) // 2, -1]]
    told = formats.enumerated(point_told(_renewals(row.duration), row.survival, row) for row in shown.itertuples())
    last = seen.iloc[-1]
    sentence = _(
        "Subscriptions of {market} still running, as the model has it: after {told}; observed after {renewals} "
        "{share}, n {n}."
    )
    facts = {"renewals": _renewals(last["duration"]), "share": formats.percent(last["survival"])}
    n = formats.count(one.n)
    return _told(figure, sentence.format(market=place(market.name), told=told, n=n, **facts))


def _of_one(forecast: RenewalForecast, *, yearly_rate: float) -> str:
    counted = {
        "kind": _(_KINDS[forecast.period]),
        "running": formats.count(forecast.n_running),
        "ended": formats.count(forecast.n_ended),
    }
    known = _("{kind}: {running} are running, {ended} have ended.").format(**counted)
    if forecast.model is None:
        return beside(known, worded(forecast.notes["model"]))
    still, lower, upper = forecast.next_year
    ahead = _("Of those running, {still} are expected to be so a year from now (95% interval {interval}).")
    most, (expected, least, greatest) = forecast.payments(yearly_rate=yearly_rate)
    worth = _(
        "A new one is expected to bring {payments} of its first {most} payments (95% interval {interval}; discounted "
        "by {rate} a year)."
    )
    first, *ends = (formats.decimal(number, digits=1) for number in (expected, least, greatest))
    return beside(
        known,
        ahead.format(still=formats.count(still), interval=_counts_between(lower, upper)),
        worth.format(
            payments=first,
            most=formats.count(most),
            interval=formats.between(*ends),
            rate=formats.percent(yearly_rate, digits=0),
        ),
    )


def _fitted_to(forecast: RenewalForecast, kind: str) -> str:
    if forecast.n_others:
        leans = _(
            "{kind}: n {n}. Too few have ended here for a model of their own: what is expected of them leans on "
            "{others} that ended in other markets, as far as markets may differ."
        )
        return leans.format(kind=kind, n=formats.count(forecast.n), others=formats.count(forecast.n_others))
    likelihoods = formats.enumerated(
        f"{name} {formats.decimal(value, digits=1)}" for name, value in sorted(forecast.laws.items())
    )
    told = _("{kind}: n {n}; log likelihood {likelihoods}. The BdW is used where it is better by more than chance.")
    return told.format(kind=kind, n=formats.count(forecast.n), likelihoods=likelihoods)


def _renewals(n: float) -> str:
    return ngettext("{n} renewal", "{n} renewals", int(n)).format(n=formats.count(n))
