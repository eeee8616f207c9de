"""What models of purchase say, as a reader sees it: the forecast with its back-test, worth, payback, segments.

Each function takes what `models` returned; where a forecast is withheld it says so, and shows nothing of it.
"""

from collections.abc import Mapping

import pandas as pd
from markupsafe import escape
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention_kit.metrics import Sheet
from retention_kit.metrics.suppression import hide_small
from retention_kit.models import LAWS, BackTest, MarketForecast, Outlook, concentration, payback_month, segments
from retention_kit.periods import date_of, label
from retention_kit.present import formats, headlines
from retention_kit.present.figures import _ABOVE_THE_POINTS, _COUNT, _SHARE, _from_zero, _nothing, _told, panels
from retention_kit.present.languages import N_, _
from retention_kit.present.tables import Shown, table

_ALIVE = {0.0: "under 20%", 0.2: "20% to 40%", 0.4: "40% to 60%", 0.6: "60% to 80%", 0.8: "80% and more"}
_HIDDEN = "hidden"
_ORDER_IN_EACH = {
    "day": N_("Customers who order on each day after their first"),
    "week": N_("Customers who order in each week after their first"),
    "month": N_("Customers who order in each month after their first"),
    "quarter": N_("Customers who order in each quarter after their first"),
    "year": N_("Customers who order in each year after their first"),
}
_AGES_IN = {
    "day": N_("age, in days since the day of the first order"),
    "week": N_("age, in weeks since the week of the first order"),
    "month": N_("age, in months since the month of the first order"),
    "quarter": N_("age, in quarters since the quarter of the first order"),
    "year": N_("age, in years since the year of the first order"),
}


def in_short(outlook: Outlook) -> Shown:
    """Return the answer in sentences: what customers will order, how well that was foretold, what one is worth."""
    told = sentences(outlook)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in told))


def sentences(outlook: Outlook) -> list[str]:
    """Return the sentences themselves, most important first."""
    told = [_orders_ahead(outlook), badge_text(outlook.forecast), _worth(outlook), _payback(outlook)]
    if outlook.forecast.market_model is not None:
        told.append(outlook.forecast.market_model.note)
    return [sentence for sentence in told if sentence]


def badge(forecast: MarketForecast) -> Shown:
    """Return the back-test badge: what the forecast would have said, what happened, what two naive ones would have."""
    text = badge_text(forecast)
    good = forecast.tested is not None and forecast.tested.holds
    return Shown(f'<p class="rk-badge" data-holds="{str(good).lower()}">{escape(text)}</p>', text)


def badge_text(forecast: MarketForecast) -> str:
    """Return the badge's text."""
    test = forecast.tested
    if test is None:
        return f"Not back-tested. {forecast.notes.get('test', '')}".strip()
    if not test.holds:
        verdict = " The forecast is withheld: a naive one was nearer."
    elif abs(test.error) > abs(test.naive_error):
        verdict = " A naive one was nearer, by no more than chance."
    else:
        verdict = " The naive ones were farther off."
    inside = "inside" if test.covered else "outside"
    return (
        f"Back-test: fitted to what was known on {formats.day(date_of(test.split_day))}, the forecast was "
        f"{formats.count(test.forecast)} orders of {formats.count(test.n_customers)} customers in the {test.weeks} "
        f"weeks after; {formats.count(test.actual)} were made ({_signed(test.error)}; {inside} the 95% interval, "
        f"{formats.count(test.lower)} to {formats.count(test.upper)}). All repeat orders since the first one: "
        f"{_signed(test.tracked_error)}. Naive forecasts: as many as in the period before, "
        f"{_signed(test.last_period / test.actual - 1)}{_steady(test)}.{verdict}"
    )


def buckets(forecast: MarketForecast, *, min_cell: int) -> Shown:
    """Return the back-test by how often customers had ordered before it."""
    caption = "The back-test, by repeat orders before it"
    if forecast.tested is None:
        return _absent(caption, forecast.notes.get("test", ""), name="back-test")
    rows = hide_small(forecast.tested.buckets, n=["n_customers"], keys=["bucket"], min_cell=min_cell)
    last = rows["bucket"].max()
    frame = pd.DataFrame(
        {
            "Repeat orders before": [
                f"{formats.count(b)} or more" if b == last and b == 7 else formats.count(b) for b in rows["bucket"]
            ],
            "Customers": _counted(rows, "n_customers"),
            "Forecast": _counted(rows, "expected"),
            "95% interval": [
                "" if hidden else f"{formats.count(lower)} to {formats.count(upper)}"
                for lower, upper, hidden in zip(rows["lower"], rows["upper"], rows["hidden"], strict=True)
            ],
            "Made": _counted(rows, "actual"),
        }
    )
    return table(frame, name="back-test", caption=caption)


def laws(compared: pd.DataFrame) -> Shown:
    """Return how the laws of purchase compare on the hold-out.

    Parameters
    ----------
    compared : from `models.laws_compared`.
    """
    caption = "Each law on the weeks held out, fitted to this market alone"
    if compared.empty:
        return _absent(caption, "no law could be fitted to this market alone", name="laws")
    frame = pd.DataFrame(
        {
            "Law": compared["law"],
            "Log likelihood before": [formats.decimal(value, digits=1) for value in compared["log_likelihood"]],
            "Forecast": [formats.count(value) for value in compared["forecast"]],
            "95% interval": [
                f"{formats.count(row.lower)} to {formats.count(row.upper)}" for row in compared.itertuples()
            ],
            "Made": [formats.count(value) for value in compared["actual"]],
            "Off by": [_signed(value) for value in compared["error"]],
        }
    )
    return table(frame, name="laws", caption=caption, left=["Law"])


def parameters(forecast: MarketForecast) -> Shown:
    """Return the model's parameters with intervals, of how many customers, and how much is borrowed."""
    caption = f"The model: {LAWS[forecast.law].name}, by maximum likelihood"
    if forecast.market_model is None:
        return _absent(caption, forecast.notes["model"], name="parameters")
    found = forecast.market_model
    rows = found.model.table()
    frame = pd.DataFrame(
        {
            "Parameter": rows["parameter"],
            "Estimate": [formats.decimal(value, digits=3) for value in rows["estimate"]],
            "Standard error": [formats.decimal(value, digits=3) for value in rows["standard_error"]],
            "95% interval": [
                f"{formats.decimal(row.lower, digits=3)} to {formats.decimal(row.upper, digits=3)}"
                for row in rows.itertuples()
            ],
        }
    )
    of = (
        f"n {formats.count(found.model.n_customers)}, of whom {formats.count(found.model.n_repeat_buyers)} ordered "
        f"again; effective n {formats.count(found.effective_n)}, {formats.percent(found.borrowed, digits=0)} of it "
        f"from other markets; {forecast.seasons.note}"
    )
    notes = [of, found.note, forecast.spend.warning if forecast.spend is not None else ""]
    return table(frame, name="parameters", caption=caption, notes=[note for note in notes if note], left=["Parameter"])


def retention_forecast(pooled_retention: pd.DataFrame, outlook: Outlook) -> Figure:
    """Return the share of customers who order in each period after their first: observed, and as the model has it.

    Parameters
    ----------
    pooled_retention : the sheet's table of that name, with the outlook's grain.
    """
    market = outlook.forecast.market
    title = _(_ORDER_IN_EACH[outlook.grain])
    seen = pooled_retention[(pooled_retention["age"] >= 1) & ~pooled_retention["hidden"]]
    ahead = outlook.activity
    if ahead.empty or seen.empty:
        return _nothing(title, market=market)
    figure, axes = panels()
    axes.fill_between(ahead["age"], ahead["lower"], ahead["upper"], alpha=0.25, linewidth=0, color="C1")
    axes.plot(ahead["age"], ahead["activity"], color="C1", linewidth=2, label="model, 95% interval")
    reach = [seen["pooled_retention"] - seen["lower"], seen["upper"] - seen["pooled_retention"]]
    axes.errorbar(seen["age"], seen["pooled_retention"], yerr=reach, fmt="o", markersize=4, capsize=2, label="observed")
    _from_zero(axes, upper=max(seen["upper"].max(), ahead["upper"].max()))
    axes.yaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=_(_AGES_IN[outlook.grain]))
    axes.set_title(title)
    axes.legend(**{**_ABOVE_THE_POINTS, "loc": "upper right"})
    told = "; ".join(
        f"age {row.age} {formats.percent(row.activity)} ({formats.share_interval(row.lower, row.upper)})"
        for row in ahead.itertuples()
    )
    last = seen.iloc[-1]
    observed = (
        f"observed at age {last['age']:.0f} {formats.percent(last['pooled_retention'])}, n {formats.count(last['n'])}"
    )
    return _told(figure, f"Retention of {market.name} as the model has it: {told}; {observed}.")


def payback_curve(outlook: Outlook) -> Figure:
    """Return what a new customer has brought by the end of each month, beside what he cost to win."""
    market, rows = outlook.forecast.market, outlook.payback
    title = f"Discounted margin of a new customer, and the cost to win one, {market.currency}"
    if rows.empty:
        return _nothing(title, market=market)
    figure, axes = panels()
    axes.fill_between(rows["month"], rows["lower"], rows["upper"], alpha=0.25, linewidth=0)
    axes.plot(rows["month"], rows["value"], linewidth=2, label="margin so far, 95% interval")
    axes.axhline(outlook.acquisition_cost, color="C1", linestyle="--", label="acquisition cost")
    _from_zero(axes, upper=max(rows["upper"].max(), outlook.acquisition_cost))
    axes.yaxis.set_major_formatter(_COUNT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="months since the first order")
    axes.set_title(title)
    axes.legend(**{**_ABOVE_THE_POINTS, "loc": "lower right"})
    shown = rows.iloc[[0, len(rows) // 2, -1]]
    told = "; ".join(
        f"month {row.month} {_money(row.value, outlook)} ({_money(row.lower, outlook)} to {_money(row.upper, outlook)})"
        for row in shown.itertuples()
    )
    return _told(figure, f"Margin of a new customer of {market.name}: {told}. {_payback(outlook)}")


def worth_beside(outlook: Outlook, sheet: Sheet) -> Shown:
    """Return the worth of a customer by the simple formula and by the model, and why they differ."""
    caption = "What a customer is worth"
    worth = outlook.worth
    simple = [
        ("clv_simple", "Simple: order value × frequency × lifespan"),
        ("cltv", "Simple, less acquisition cost (CLTV)"),
    ]
    rows = [
        _worth_row(formula, headlines.shown(sheet.headlines[name]), "none", sheet.headlines[name].note)
        for name, formula in simple
        if name in sheet.headlines  # the group has no money of several currencies
    ]
    if worth is None:
        rows.append(_worth_row("Model, a new customer", formats.ABSENT, "", outlook.notes.get("worth", "")))
    else:
        of = (
            "revenue"
            if worth.gross_margin is None
            else f"gross margin of {formats.percent(worth.gross_margin, digits=0)}"
        )
        terms = (
            f"{of}; the next {_horizon(outlook)}, discounted by {_rate(outlook)} a year; "
            f"{formats.decimal(worth.orders, digits=1)} order days of {_money(worth.order_value, outlook)}"
        )
        between = f"{_money(worth.lower, outlook)} to {_money(worth.upper, outlook)}"
        rows.append(_worth_row("Model, a new customer", _money(worth.value, outlook), between, terms))
    why = (
        "The simple formula lets everybody leave at one constant rate and counts no time value; the model lets "
        "customers differ, so that those who stay longest are expected to go on, and stops at its horizon."
    )
    return table(pd.DataFrame(rows), name="worth", caption=caption, notes=[why], left=["Formula", "Of what"])


def markets_ahead(outlooks: Mapping[str, Outlook]) -> Shown:
    """Return what is forecast of the customers of each market, money in its own currency.

    Parameters
    ----------
    outlooks : by market, from `models.kept_outlooks`.
    """
    columns = [
        _("Market"),
        _("Order days expected in the next year"),
        _("95% interval"),
        _("Worth of a new customer"),
        _("95% interval of the worth"),
        _("Back-test, off by"),
    ]
    rows = []
    for one in outlooks.values():
        orders, worth, test = one.orders_ahead, one.worth, one.forecast.tested
        ahead = (formats.ABSENT, "") if orders is None else (formats.count(orders[0]), _between(*orders[1:]))
        bought = (formats.ABSENT, "")
        if worth is not None:
            bought = (_money(worth.value, one), _from_to(_money(worth.lower, one), _money(worth.upper, one)))
        off = formats.ABSENT if test is None else _signed(test.error)
        rows.append((one.forecast.market.name, *ahead, *bought, off))
    withheld = [one.forecast.withheld for one in outlooks.values() if one.forecast.withheld]
    notes = [
        _(
            "Worth: of the next {weeks} weeks, less {rate} a year; gross margin where one is stated, else revenue."
        ).format(weeks=formats.count(one.horizon_weeks), rate=_rate(one))
        for one in list(outlooks.values())[:1]
    ]
    caption = _("What customers will order, and what one is worth")
    frame = pd.DataFrame(rows, columns=columns)
    return table(frame, name="markets-ahead", caption=caption, notes=[*notes, *withheld], left=[_("Market")])


def _between(lower: float, upper: float) -> str:
    return _from_to(formats.count(lower), formats.count(upper))


def _from_to(lower: str, upper: str) -> str:
    return _("{lower} to {upper}").format(lower=lower, upper=upper)


def still_customers(outlook: Outlook, *, min_cell: int) -> Shown:
    """Return how many customers have which chance of still being one, and what they are expected to order."""
    caption = f"Who is still a customer, and orders expected in the next {_horizon(outlook)}"
    rows = outlook.predictions
    if rows.empty:
        return _absent(caption, outlook.notes.get("forecast", ""), name="alive")
    rows = rows.assign(
        class_of=pd.cut(rows["alive"], [*_ALIVE, 1.01], right=False, labels=list(_ALIVE)).astype(float),
        orders=rows["orders"] * rows["n_customers"],
    )
    classes = rows.groupby("class_of", as_index=False)[["n_customers", "orders"]].sum()
    classes = hide_small(classes, n=["n_customers"], keys=["class_of"], min_cell=min_cell)
    each = classes["orders"] / classes["n_customers"]
    frame = pd.DataFrame(
        {
            "Chance of being one": [_ALIVE[least] for least in classes["class_of"]],
            "Customers": _counted(classes, "n_customers"),
            "Orders expected": _counted(classes, "orders"),
            "Of each": [formats.decimal(value, digits=2) for value in each],
        }
    )
    return table(frame, name="alive", caption=caption, left=["Chance of being one"])


def concentrated(worth_counts: pd.DataFrame, outlook: Outlook, *, min_cell: int) -> Shown:
    """Return what share of the expected worth the best customers hold.

    Parameters
    ----------
    worth_counts : of the market, from `counts.worth_counts`.
    """
    caption = f"How few customers hold how much of the worth of the next {_horizon(outlook)}"
    rows = concentration(worth_counts, value="worth_minor", by="worth_bin", min_cell=min_cell)
    if rows.empty:
        return _absent(caption, outlook.notes.get("worth", "nothing is expected of anybody"), name="concentration")
    frame = pd.DataFrame(
        {
            "Best customers": [formats.percent(share, digits=0) for share in rows["top_share"]],
            "Customers": [formats.count(n) for n in rows["n_customers"]],
            "Share of the worth": [formats.percent(share, digits=0) for share in rows["share_of_value"]],
        }
    )
    return table(frame, name="concentration", caption=caption, left=["Best customers"])


def worth_by(worth_counts: pd.DataFrame, outlook: Outlook, *, by: str, min_cell: int, last: int = 8) -> Shown:
    """Return what the customers of each acquisition channel, or cohort, have brought and are expected to bring.

    Parameters
    ----------
    worth_counts : of the market, from `counts.worth_counts`.
    by : 'acquisition_channel' or 'cohort', the quarter of the first order.
    last : rows shown, of cohorts the last.
    """
    title = {"acquisition_channel": "Acquisition channel", "cohort": "First order in"}[by]
    caption = f"Customers by {title.lower()}: worth of the next {_horizon(outlook)}"
    rows = worth_counts.groupby(by, as_index=False)[["n_customers", "worth_minor", "revenue_minor"]].sum().tail(last)
    if rows.empty:
        return _absent(caption, outlook.notes.get("worth", ""), name=f"worth-{by.replace('_', '-')}")
    rows = hide_small(rows, n=["n_customers"], keys=[by], min_cell=min_cell)
    per_unit = outlook.forecast.market.minor_per_unit
    names = [label(value, grain="quarter") if by == "cohort" else str(value) for value in rows[by]]
    frame = pd.DataFrame(
        {
            title: names,
            "Customers": _counted(rows, "n_customers"),
            "Net revenue so far, of each": [
                _money(value / per_unit, outlook) for value in rows["revenue_minor"] / rows["n_customers"]
            ],
            "Expected worth, of each": [
                _money(value / per_unit, outlook) for value in rows["worth_minor"] / rows["n_customers"]
            ],
        }
    )
    return table(frame, name=f"worth-{by.replace('_', '-')}", caption=caption, left=[title])


def rfm_segments(segment_counts: pd.DataFrame, outlook: Outlook, *, min_cell: int) -> Shown:
    """Return the RFM segments: how many customers, what share of the revenue so far.

    Parameters
    ----------
    segment_counts : of the market, from `counts.segment_counts`.
    """
    rows = segments(segment_counts)
    columns = ["segment", "meaning", "n_customers", "share_of_customers", "share_of_revenue", "order_days"]
    rows = hide_small(rows[columns], n=["n_customers"], keys=["segment", "meaning"], min_cell=min_cell)
    frame = pd.DataFrame(
        {
            "Segment": rows["segment"],
            "Who": rows["meaning"],
            "Customers": _counted(rows, "n_customers"),
            "Share of customers": [formats.percent(share, digits=0) for share in rows["share_of_customers"]],
            "Share of revenue": [formats.percent(share, digits=0) for share in rows["share_of_revenue"]],
            "Order days of each": [formats.decimal(value, digits=1) for value in rows["order_days"]],
        }
    )
    name = outlook.forecast.market.name
    return table(
        frame,
        name="segments",
        caption=f"Segments of {name}, by cut points that all markets share",
        left=["Segment", "Who"],
    )


def _orders_ahead(outlook: Outlook) -> str:
    forecast = outlook.forecast
    if outlook.orders_ahead is None:
        return forecast.withheld
    expected, lower, upper = outlook.orders_ahead
    n = forecast.patterns.n_customers
    still = outlook.n_still
    return (
        f"{forecast.market.name}: the {formats.count(n)} customers of today are expected to order on "
        f"{formats.count(expected)} days in the next year (95% interval {formats.count(lower)} to "
        f"{formats.count(upper)}, what the back-test was off included); about {formats.count(still)} of them are still "
        f"customers."
    )


def _worth(outlook: Outlook) -> str:
    worth = outlook.worth
    if worth is None:
        return "" if outlook.forecast.withheld else outlook.notes.get("worth", "")
    of = "revenue" if worth.gross_margin is None else "gross margin"
    return (
        f"A new customer is worth {_money(worth.value, outlook)} of {of} over {_horizon(outlook)} (95% interval "
        f"{_money(worth.lower, outlook)} to {_money(worth.upper, outlook)}; discounted by "
        f"{formats.percent(outlook.yearly_rate, digits=0)} a year), the first order included."
    )


def _payback(outlook: Outlook) -> str:
    rows = outlook.payback
    if rows.empty:
        return "" if outlook.forecast.withheld or outlook.worth is None else outlook.notes.get("payback", "")
    cost = f"The {_money(outlook.acquisition_cost, outlook)} that it costs to win one ({outlook.cost_origin})"
    month = payback_month(rows)
    if month is None:
        return f"{cost} are not paid back within {formats.count(rows['month'].max())} months."
    if month == 0:
        return f"{cost} are paid back by the first order."
    early, late = payback_month(rows, of="upper"), payback_month(rows, of="lower")
    until = "later than shown" if late is None else f"month {late}"
    return f"{cost} are paid back in month {month} (95% interval month {early} to {until})."


def _worth_row(formula: str, value: str, interval: str, of: str) -> dict[str, str]:
    return {"Formula": formula, "Worth": value, "95% interval": interval, "Of what": of}


def _steady(test: BackTest) -> str:
    if test.steady_ratio is None:
        return ""
    ratio = formats.decimal(test.steady_ratio, digits=1)
    return f"; order value × frequency × time of everybody, {ratio} times the revenue made"


def _rate(outlook: Outlook) -> str:
    return formats.percent(outlook.yearly_rate, digits=0)


def _horizon(outlook: Outlook) -> str:
    return f"{outlook.horizon_weeks} weeks"


def _money(value: float, outlook: Outlook) -> str:
    return formats.money(value, currency=outlook.forecast.market.currency)


def _signed(share: float) -> str:
    """Return how far off, with its sign; a true minus."""
    return f"{'+' if share >= 0 else '−'}{formats.percent(abs(share))}"


def _counted(rows: pd.DataFrame, column: str) -> list[str]:
    return [
        _HIDDEN if hidden else formats.count(value) for value, hidden in zip(rows[column], rows["hidden"], strict=True)
    ]


def _absent(caption: str, why: str, *, name: str) -> Shown:
    return table(
        pd.DataFrame({"Nothing to show": [why or "nothing"]}), name=name, caption=caption, left=["Nothing to show"]
    )
