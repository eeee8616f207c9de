"""The answer in sentences: each tied to the numbers it speaks of, silent where a difference may be chance.

No sentence names a cause: nothing here was randomised.
"""

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from retention_kit.config import GROUP
from retention_kit.metrics import Sheet, difference_of_shares
from retention_kit.metrics.group import GroupSheet
from retention_kit.metrics.rows import where
from retention_kit.periods import label
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.headlines import interval, shown
from retention_kit.present.languages import N_, _, ngettext, place, worded
from retention_kit.present.tables import reading_told
from retention_kit.present.words import asked, beside, units


def in_short(sheet: Sheet) -> Block:
    """Return the answer to the report's question: what changed and whether it matters, then a list of sentences."""
    return _in_short(lead(sheet), sentences(sheet))


def _in_short(first: str, told: list[str]) -> Block:
    """Return a sentence that a page puts into its head, and a list of others."""
    rest = listed(told)
    if not first:
        return rest
    return Block((Markup('<p class="rk-lead">{}</p>').format(first), *rest.parts), f"{first}\n{rest.text}")


def lead(sheet: Sheet) -> str:
    """Return in a sentence or two how many stayed, whether that is a change, and how many customers it is about."""
    base = where(sheet.tables["active_base"], rule="window").tail(1)
    if base.empty or sheet.headlines["customer_retention_rate"].value is None:
        return ""
    change = _year_before(sheet)
    facts = {
        "rate": formats.percent(base["customer_retention_rate"].iloc[0]),
        "period": formats.period(base["period"].iloc[0]),
    }
    if change is None:
        return _(
            "In {period} {rate} of the active customers stayed. There is no year before to hold it against."
        ).format(**facts)
    now = base.iloc[0]
    lower, upper = (formats.decimal(end * 100, digits=1) for end in (change.lower, change.upper))
    if change.lower <= 0 <= change.upper:
        nothing = _(
            "In {period} {rate} of the active customers stayed. Against the year before nothing changed beyond chance: "
            "the difference lies between {lower} and {upper} points."
        )
        in_part = _(
            "In {period} {rate} of the active customers stayed. Against the year before all of them together did not "
            "change beyond chance, the difference lies between {lower} and {upper} points; a part of them did."
        )
        return (nothing if sheet.reading.kind == "none" else in_part).format(**facts, lower=lower, upper=upper)
    more = ngettext(
        "In {period} {rate} of the active customers stayed, {points} points more than a year before, and beyond "
        "chance: {n} customer more than at the rate of then.",
        "In {period} {rate} of the active customers stayed, {points} points more than a year before, and beyond "
        "chance: {n} customers more than at the rate of then.",
        n := abs(round(change.difference * now["n_start"])),
    )
    less = ngettext(
        "In {period} {rate} of the active customers stayed, {points} points less than a year before, and beyond "
        "chance: {n} customer fewer than at the rate of then.",
        "In {period} {rate} of the active customers stayed, {points} points less than a year before, and beyond "
        "chance: {n} customers fewer than at the rate of then.",
        n,
    )
    return (more if change.difference > 0 else less).format(
        **facts, points=formats.points(change.difference), n=formats.count(n)
    )


def sentences(sheet: Sheet) -> list[str]:
    """Return the sentences themselves, most important first."""
    told = [
        *(_retention(sheet), _compared(sheet), _change(sheet), what_changed(sheet)),
        *(_flow(sheet), _second_purchase(sheet), _worth(sheet)),
    ]
    return [sentence for sentence in told if sentence]


def _retention(sheet: Sheet) -> str:
    rate = sheet.headlines["customer_retention_rate"]
    name = place(sheet.market.name)
    if rate.value is None:
        return _("{market}: no retention rate ({why}).").format(market=name, why=worded(rate.note))
    start, end = rate.window.split(" to ")
    return _(
        "{market}: of the {n} customers who were active on {start}, {kept} were still active on {end}: "
        "a retention rate of {rate} (95% interval {interval})."
    ).format(
        market=name,
        n=formats.count(rate.n),
        start=formats.day(start),
        kept=formats.count(rate.numerator),
        end=formats.day(end),
        rate=shown(rate),
        interval=interval(rate),
    )


@dataclass(frozen=True)
class _Change:
    """The last retention rate against that of the same period a year before, and the row of then."""

    difference: float
    lower: float
    upper: float
    then: pd.Series


def _year_before(sheet: Sheet) -> _Change | None:
    """Return the difference from the same period a year before; None where one of them is not known."""
    a_year = {"quarter": 4, "month": 12, "year": 1, "week": 52, "day": 365}[sheet.base_grain]
    base = where(sheet.tables["active_base"], rule="window").tail(a_year + 1)
    if len(base) < a_year + 1 or sheet.headlines["customer_retention_rate"].value is None:
        return None
    then, now = base.iloc[0], base.iloc[-1]
    is_told = then[["n_start", "n_retained"]].notna().all() and then["n_start"] > 0 and now["n_start"] > 0
    if not is_told or then["left_truncated"]:
        return None
    found = difference_of_shares(now["n_retained"], now["n_start"], then["n_retained"], then["n_start"])
    return _Change(*found, then=then)


def _change(sheet: Sheet) -> str:
    """Compare with the same period a year before; say nothing where chance alone may make the difference."""
    change = _year_before(sheet)
    if change is None or change.lower <= 0 <= change.upper:
        return ""
    then = change.then
    more = _(
        "That is {points} points more than a year before, in {period} ({rate}, {interval}, n {n}; "
        "difference {lower} to {upper} points)."
    )
    less = _(
        "That is {points} points less than a year before, in {period} ({rate}, {interval}, n {n}; "
        "difference {lower} to {upper} points)."
    )
    return (more if change.difference > 0 else less).format(
        points=formats.points(change.difference),
        period=formats.period(then["period"]),
        rate=formats.percent(then["customer_retention_rate"]),
        interval=formats.share_interval(then["lower"], then["upper"]),
        n=formats.count(then["n_start"]),
        lower=formats.decimal(change.lower * 100, digits=1),
        upper=formats.decimal(change.upper * 100, digits=1),
    )


def _compared(sheet: Sheet) -> str:
    """Compare with the other markets; say nothing where chance alone may make the difference, looked at so often."""
    rows = sheet.tables.get("compared")
    if rows is None or rows.empty:
        return ""
    rows = rows[(rows["metric"] == "customer_retention_rate") & (rows["p_holm"] < 0.05)]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    more = _(
        "That is {points} points more than in all other markets together ({rate}; difference {lower} to {upper} "
        "points)."
    )
    less = _(
        "That is {points} points less than in all other markets together ({rate}; difference {lower} to {upper} "
        "points)."
    )
    return (more if row["difference"] > 0 else less).format(
        points=formats.points(row["difference"]),
        rate=formats.percent(row["others"]),
        lower=formats.decimal(row["difference_lower"] * 100, digits=1),
        upper=formats.decimal(row["difference_upper"] * 100, digits=1),
    )


_CHANGED = {
    ("period", "fell"): N_(
        "Against the year before, retention fell among all cohorts in {at}, and not before or after it: look for what "
        "happened to everybody then ({ratio} times what was to be expected, {lower} to {upper})."
    ),
    ("period", "rose"): N_(
        "Against the year before, retention rose among all cohorts in {at}, and not before or after it: look for what "
        "happened to everybody then ({ratio} times what was to be expected, {lower} to {upper})."
    ),
    ("cohorts", "fell"): N_(
        "Against the year before, retention fell among customers new since {at}, and not among older ones: look at who "
        "came, and how ({ratio} times what was to be expected, {lower} to {upper})."
    ),
    ("cohorts", "rose"): N_(
        "Against the year before, retention rose among customers new since {at}, and not among older ones: look at who "
        "came, and how ({ratio} times what was to be expected, {lower} to {upper})."
    ),
    ("age", "fell"): N_(
        "Against the year before, retention fell among all cohorts at age {at}, counted in {units}, and at no other: "
        "look at what happens then ({ratio} times what was to be expected, {lower} to {upper})."
    ),
    ("age", "rose"): N_(
        "Against the year before, retention rose among all cohorts at age {at}, counted in {units}, and at no other: "
        "look at what happens then ({ratio} times what was to be expected, {lower} to {upper})."
    ),
}


def what_changed(sheet: Sheet) -> str:
    """Return where in the table of cohorts and ages retention changed against the year before; empty where nowhere."""
    reading = sheet.reading
    if reading.kind == "none":
        return ""
    is_age = reading.kind == "age"
    at = formats.count(reading.at) if is_age else formats.period(label(reading.at, grain=sheet.grain))
    ratio, lower, upper = (formats.decimal(value, digits=2) for value in (reading.ratio, reading.lower, reading.upper))
    sentence = _(_CHANGED[reading.kind, "fell" if reading.ratio < 1 else "rose"])
    return sentence.format(at=at, units=units(sheet.grain), ratio=ratio, lower=lower, upper=upper)


_FLOW = {
    1: N_(
        "In {period} the active base grew by {change} to {end}: of those active at its end {new} were new and {back} "
        "had come back after a pause; {lapsed} of those active at its start were no longer."
    ),
    -1: N_(
        "In {period} the active base shrank by {change} to {end}: of those active at its end {new} were new and {back} "
        "had come back after a pause; {lapsed} of those active at its start were no longer."
    ),
    0: N_(
        "In {period} the active base kept its size: of those active at its end {new} were new and {back} had come back "
        "after a pause; {lapsed} of those active at its start were no longer."
    ),
}


def _flow(sheet: Sheet) -> str:
    base = where(sheet.tables["active_base"], rule="window").tail(1)
    told = ["n_start", "n_end", "n_new", "n_reactivated", "n_lapsed"]
    if base.empty or base[told].isna().any(axis=None):
        return ""
    row = base.iloc[0]
    change = row["n_end"] - row["n_start"]
    return _(_FLOW[int(change > 0) - int(change < 0)]).format(
        period=formats.period(row["period"]),
        change=formats.count(abs(change)),
        end=formats.count(row["n_end"]),
        new=formats.count(row["n_new"]),
        back=formats.count(row["n_reactivated"]),
        lapsed=formats.count(row["n_lapsed"]),
    )


def _second_purchase(sheet: Sheet) -> str:
    rows = where(sheet.tables["returned"], cut="everybody", hidden=False)
    if rows.empty:
        return ""
    row = rows[rows["horizon_days"] == 90].iloc[0] if (rows["horizon_days"] == 90).any() else rows.iloc[-1]
    return ngettext(
        "After their first order, {share} came back on another day within {days} day ({interval}; {n} customers "
        "observed that long).",
        "After their first order, {share} came back on another day within {days} days ({interval}; {n} customers "
        "observed that long).",
        row["horizon_days"],
    ).format(
        share=formats.percent(row["returned_share"]),
        days=formats.count(row["horizon_days"]),
        interval=formats.share_interval(row["lower"], row["upper"]),
        n=formats.count(row["n_observed"]),
    )


def _worth(sheet: Sheet) -> str:
    frequency, order_value, so_far = (
        sheet.headlines.get(name)
        for name in ("purchase_frequency_per_year", "average_order_value", "revenue_per_customer")
    )
    if any(h is None or h.value is None for h in (frequency, order_value, so_far)):
        return ""
    summed = _(
        "Who ordered in the last year did so {frequency} times on average; an order is worth {order_value}, and a "
        "customer has brought {so_far} in net revenue so far."
    ).format(frequency=shown(frequency), order_value=shown(order_value), so_far=shown(so_far))
    worth = sheet.headlines.get("clv_simple")
    if worth is None or worth.value is None:
        return summed
    if sheet.market.gross_margin is not None:
        made = _("The simple formula makes a customer worth {worth} of gross margin over his lifespan.")
    else:
        made = _("The simple formula makes a customer worth {worth} of revenue over his lifespan.")
    return beside(summed, made.format(worth=shown(worth)))


def group_in_short(sheet: GroupSheet) -> Block:
    """Return the answer of the group's report: where retention changed, then a list of sentences."""
    return _in_short(group_lead(sheet), group_sentences(sheet))


def group_lead(sheet: GroupSheet) -> str:
    """Return in a sentence in which markets retention, or that of a part of the customers, changed beyond chance."""
    changes, readings = sheet.tables["changes"], sheet.tables["readings"]
    if changes.empty and readings.empty:
        return ""
    sure = {*changes.loc[changes["alarm"], "market"], *readings.loc[readings["kind"] != "none", "market"]}
    if not sure:
        return _("In no market did retention change beyond chance against the year before.")
    named = formats.listed(place(name) for code, name in sheet.names.items() if code in sure)
    return _("Against the year before retention changed beyond chance in {markets}.").format(markets=named)


def group_sentences(sheet: GroupSheet) -> list[str]:
    """Return the sentences about all markets, most important first; of no difference that chance may have made."""
    told = [_who_there_is(sheet), *_who_differs(sheet), *_where_changed(sheet), _exchange_rates(sheet)]
    return [sentence for sentence in told if sentence]


def _who_there_is(sheet: GroupSheet) -> str:
    customers = sheet.tables["customers"].set_index("market")["n_customers"]
    n_markets = len(sheet.names)
    markets = formats.count(n_markets)
    if GROUP not in customers.index:
        there = ngettext("{markets} market is shown.", "{markets} markets are shown.", n_markets)
        hidden = _("Too small to show: {hidden}.").format(hidden=formats.separated(sheet.hidden))
        return beside(there.format(markets=markets), hidden if sheet.hidden else "")
    more = customers.drop(GROUP).sum() - customers[GROUP]
    n = formats.count(customers[GROUP])
    if more < sheet.min_cell:
        return _("{n} customers have ordered in {markets} markets.").format(n=n, markets=markets)
    return _(
        "{n} customers have ordered in {markets} markets; {moved} are counted in one market more, for they moved."
    ).format(n=n, markets=markets, moved=formats.count(more))


def _who_differs(sheet: GroupSheet) -> list[str]:
    compared = sheet.tables["compared"]
    sentences = []
    for metric in ("customer_retention_rate", "returned_share"):
        rows = compared[compared["metric"] == metric]
        if rows.empty:
            continue
        sure = rows[rows["p_holm"] < 0.05].sort_values("difference")
        named = [
            _("{name} {share} ({interval}, n {n})").format(
                name=place(sheet.names[row.market]),
                share=formats.percent(row.share),
                interval=formats.share_interval(row.lower, row.upper),
                n=formats.count(row.n),
            )
            for row in sure.itertuples()
        ]
        did = asked(metric, sheet)
        if sure.empty:
            none = _("No market differs from the others by more than chance in the customers who {did}.")
            sentences.append(none.format(did=did))
        else:
            some = _("Customers who {did} are more or fewer than elsewhere, beyond chance, in {markets}.")
            sentences.append(some.format(did=did, markets=formats.enumerated(named)))
    return sentences


def _where_changed(sheet: GroupSheet) -> list[str]:
    fell = N_("{market}: retention fell among {where}.")
    rose = N_("{market}: retention rose among {where}.")
    return [
        _(fell if row.ratio < 1 else rose).format(
            market=place(sheet.names[row.market]), where=reading_told(row, grain=sheet.grain)
        )
        for row in sheet.tables["readings"].query("kind != 'none'").itertuples()
    ]


def _exchange_rates(sheet: GroupSheet) -> str:
    rows = sheet.tables.get("revenue")
    if rows is None or GROUP not in set(rows["market"]):
        return ""
    row = rows.set_index("market").loc[GROUP]
    change, constant, effect = (
        formats.whole_money(row[name], currency=sheet.currency) for name in ("change", "change_constant", "fx_effect")
    )
    return _(
        "Net revenue of the last year changed by {change} against the year before: {constant} at constant exchange "
        "rates, {effect} by the rates themselves."
    ).format(change=change, constant=constant, effect=effect)
