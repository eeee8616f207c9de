"""What models of purchase say, as a reader sees it: the forecast with its back-test, worth, payback, segments.

Each function takes what `models` returned; where a forecast is withheld it says so, and shows nothing of it.
"""

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from retention_kit.messages import Message, Period, Verbatim
from retention_kit.metrics import Sheet
from retention_kit.models import (
    LAWS,
    CustomerValue,
    HoldoutResult,
    MarketForecast,
    concentration,
    payback_month,
    segments,
)
from retention_kit.periods import date_of, label
from retention_kit.present import formats
from retention_kit.present.blocks import Block, listed
from retention_kit.present.figures import (
    _ABOVE_THE_POINTS,
    _COUNT,
    _SHARE,
    _from_zero,
    _nothing,
    _told,
    age_told,
    panels,
    point_told,
)
from retention_kit.present.languages import N_, _, ngettext, place, worded
from retention_kit.present.words import age_axis, beside, segment_named
from retention_kit.protection import small_rows
from retention_kit.table import Column, Role, Table, hidden_rows, interval, words

_MOST_TOLD = 7
"""Repeat orders before a back-test from which on customers are told together."""
_ALIVE = (0.0, 0.2, 0.4, 0.6, 0.8)
_ORDER_IN_EACH = {
    "day": N_("Customers who order on each day after their first"),
    "week": N_("Customers who order in each week after their first"),
    "month": N_("Customers who order in each month after their first"),
    "quarter": N_("Customers who order in each quarter after their first"),
    "year": N_("Customers who order in each year after their first"),
}


def in_short(customer_value: CustomerValue) -> Block:
    """Return the answer in sentences: what customers will order, how well that was foretold, what one is worth."""
    return listed(sentences(customer_value))


def sentences(customer_value: CustomerValue) -> list[str]:
    """Return the sentences themselves, most important first."""
    told = [
        _orders_ahead(customer_value),
        badge_text(customer_value.forecast),
        _worth(customer_value),
        _payback(customer_value),
    ]
    if customer_value.forecast.market_model is not None:
        told.append(worded(customer_value.forecast.market_model.note))
    return [sentence for sentence in told if sentence]


def badge(forecast: MarketForecast) -> Block:
    """Return the back-test badge: what the forecast would have said, what happened, what two naive ones would have."""
    text = badge_text(forecast)
    good = forecast.tested is not None and forecast.tested.holds
    html = Markup('<p class="rk-badge" data-holds="{}">{}</p>').format(str(good).lower(), text)
    return Block((html,), text)


def badge_text(forecast: MarketForecast) -> str:
    """Return the badge's text."""
    test = forecast.tested
    if test is None:
        return beside(_("Not back-tested."), worded(forecast.notes.get("test", "")))
    inside = _(
        "Back-test: fitted to what was known on {day}, the forecast was {forecast} orders of {n} customers in the "
        "{weeks} weeks after; {actual} were made ({error}; inside the 95% interval, {interval})."
    )
    outside = _(
        "Back-test: fitted to what was known on {day}, the forecast was {forecast} orders of {n} customers in the "
        "{weeks} weeks after; {actual} were made ({error}; outside the 95% interval, {interval})."
    )
    told = (inside if test.covered else outside).format(
        day=formats.day(date_of(test.split_day)),
        forecast=formats.count(test.forecast),
        n=formats.count(test.n_customers),
        weeks=formats.count(test.weeks),
        actual=formats.count(test.actual),
        error=formats.change(test.error),
        interval=_counts_between(test.lower, test.upper),
    )
    tracked = _("All repeat orders since the first one: {error}.").format(error=formats.change(test.tracked_error))
    last = formats.change(test.off(test.last_period))
    if test.steady_ratio is None:
        naive = _("Naive forecasts: as many as in the period before, {error}.").format(error=last)
    else:
        naive = _(
            "Naive forecasts: as many as in the period before, {error}; order value × frequency × time of everybody, "
            "{ratio} times the revenue made."
        ).format(error=last, ratio=formats.decimal(test.steady_ratio, digits=1))
    return beside(told, tracked, _in_money(forecast), naive, _verdict(test, money=test.money))


def _verdict(test: HoldoutResult, *, money: HoldoutResult | None = None) -> str:
    """Return whether the forecast may be believed, beside naive ones, in orders and where tried in money."""
    if not test.holds:
        return _("The forecast is withheld: a naive one was nearer.")
    if abs(test.error) > abs(test.naive_error):
        return _("A naive one was nearer, by no more than chance.")
    if money is not None and abs(money.error) > abs(money.naive_error):
        return _("In orders the naive ones were farther off; in money a naive one was nearer.")
    return _("The naive ones were farther off.")


def _in_money(forecast: MarketForecast) -> str:
    """Return how the forecast did in money; nothing where it was not tried."""
    money, market = forecast.tested.money, forecast.market
    if money is None:
        return worded(forecast.notes.get("money", ""))
    inside = _(
        "In money, {forecast} were expected and {actual} made ({error}; inside the 95% interval, {interval}); as much "
        "as in the period before is {last}."
    )
    outside = _(
        "In money, {forecast} were expected and {actual} made ({error}; outside the 95% interval, {interval}); as much "
        "as in the period before is {last}."
    )

    def amount(minor: float) -> str:
        return formats.whole_money(minor / market.minor_per_unit, currency=market.currency)

    return (inside if money.covered else outside).format(
        forecast=amount(money.forecast),
        actual=amount(money.actual),
        error=formats.change(money.error),
        interval=formats.between(amount(money.lower), amount(money.upper)),
        last=formats.change(money.off(money.last_period)),
    )


def buckets(forecast: MarketForecast, *, min_cell: int) -> Table:
    """Return the back-test by how often customers had ordered before it."""
    caption = N_("The back-test, by repeat orders before it")
    if forecast.tested is None:
        return _absent(caption, forecast.notes.get("test", ""), name="back-test")
    rows = small_rows(forecast.tested.buckets, n=["n_customers"], keys=["bucket"], min_cell=min_cell)
    is_last = (rows["bucket"] == rows["bucket"].max()) & (rows["bucket"] == _MOST_TOLD)
    return Table(
        rows.assign(
            from_orders=rows["bucket"],
            to_orders=rows["bucket"].where(~is_last),
        ),
        [
            Column("", N_("Repeat orders before"), Role.COUNT, lower="from_orders", upper="to_orders"),
            Column("n_customers", N_("Customers"), Role.N),
            Column("expected", N_("Forecast"), Role.COUNT),
            interval(N_("95% interval"), Role.COUNT),
            Column("actual", N_("Made"), Role.COUNT),
        ],
        name="back-test",
        title=caption,
        hidden=hidden_rows(rows, rows["hidden"], keys=["bucket"]),
    )


def laws(compared: pd.DataFrame) -> Table:
    """Return how the laws of purchase compare on the hold-out.

    Parameters
    ----------
    compared : from `models.laws_compared`.
    """
    return Table(
        compared,
        [
            Column("law", N_("Law"), Role.KEY),
            Column("log_likelihood", N_("Log likelihood before"), Role.NUMBER, digits=1),
            Column("forecast", N_("Forecast"), Role.COUNT),
            interval(N_("95% interval"), Role.COUNT),
            Column("actual", N_("Made"), Role.COUNT),
            Column("error", N_("Off by"), Role.CHANGE),
        ],
        name="laws",
        title=N_("Each law on the weeks held out, fitted to this market alone"),
        nothing=N_("no law could be fitted to this market alone"),
    )


def parameters(forecast: MarketForecast) -> Table:
    """Return the model's parameters with intervals, of how many customers, and how much is borrowed."""
    caption = Message("The model: {law}, by maximum likelihood", law=LAWS[forecast.law].name)
    if forecast.market_model is None:
        return _absent(caption, forecast.notes["model"], name="parameters")
    found = forecast.market_model
    of = _(
        "n {n}, of whom {repeat} ordered again; effective n {effective}, {borrowed} of it from other markets; {seasons}"
    ).format(
        n=formats.count(found.model.n_customers),
        repeat=formats.count(found.model.n_repeat_buyers),
        effective=formats.count(found.effective_n),
        borrowed=formats.percent(found.borrowed, digits=0),
        seasons=worded(forecast.seasons.note),
    )
    return Table(
        found.model.table(),
        [
            Column("parameter", N_("Parameter"), Role.KEY),
            Column("estimate", N_("Estimate"), Role.NUMBER, digits=3),
            Column("standard_error", N_("Standard error"), Role.NUMBER, digits=3),
            interval(N_("95% interval"), Role.NUMBER, digits=3),
        ],
        name="parameters",
        title=caption,
        notes=[Verbatim(of), found.note, forecast.spend.warning if forecast.spend is not None else ""],
    )


def retention_forecast(pooled_retention: pd.DataFrame, customer_value: CustomerValue) -> Figure:
    """Return the share of customers who order in each period after their first: observed, and as the model has it.

    Parameters
    ----------
    pooled_retention : the sheet's table of that name, with the same grain.
    """
    market = customer_value.forecast.market
    title = _(_ORDER_IN_EACH[customer_value.grain])
    seen = pooled_retention[(pooled_retention["age"] >= 1) & ~pooled_retention["hidden"]]
    ahead = customer_value.activity
    if ahead.empty or seen.empty:
        return _nothing(title, market=market)
    figure, axes = panels()
    axes.fill_between(ahead["age"], ahead["lower"], ahead["upper"], alpha=0.25, linewidth=0, color="C1")
    axes.plot(ahead["age"], ahead["activity"], color="C1", linewidth=2, label=_("model, 95% interval"))
    reach = [seen["pooled_retention"] - seen["lower"], seen["upper"] - seen["pooled_retention"]]
    axes.errorbar(
        seen["age"], seen["pooled_retention"], yerr=reach, fmt="o", markersize=4, capsize=2, label=_("observed")
    )
    _from_zero(axes, upper=max(seen["upper"].max(), ahead["upper"].max()))
    axes.yaxis.set_major_formatter(_SHARE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=age_axis(customer_value.grain))
    axes.set_title(title)
    axes.legend(**{**_ABOVE_THE_POINTS, "loc": "upper right"})
    told = formats.enumerated(point_told(age_told(row.age), row.activity, row) for row in ahead.itertuples())
    last = seen.iloc[-1]
    sentence = _("Retention of {market} as the model has it: {told}; observed at age {age} {share}, n {n}.")
    return _told(
        figure,
        sentence.format(
            market=place(market.name),
            told=told,
            age=formats.count(last["age"]),
            share=formats.percent(last["pooled_retention"]),
            n=formats.count(last["n"]),
        ),
    )


def payback_curve(customer_value: CustomerValue) -> Figure:
    """Return what a new customer has brought by the end of each month, beside what he cost to win."""
    market, rows = customer_value.forecast.market, customer_value.payback
    title = _("Discounted margin of a new customer, and the cost to win one, {currency}")
    title = title.format(currency=market.currency)
    if rows.empty:
        return _nothing(title, market=market)
    figure, axes = panels()
    axes.fill_between(rows["month"], rows["lower"], rows["upper"], alpha=0.25, linewidth=0)
    axes.plot(rows["month"], rows["value"], linewidth=2, label=_("margin so far, 95% interval"))
    axes.axhline(customer_value.acquisition_cost, color="C1", linestyle="--", label=_("acquisition cost"))
    _from_zero(axes, upper=max(rows["upper"].max(), customer_value.acquisition_cost))
    axes.yaxis.set_major_formatter(_COUNT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=_("months since the first order"))
    axes.set_title(title)
    axes.legend(**_ABOVE_THE_POINTS)
    shown = rows.iloc[[0, len(rows) // 2, -1]]
    told = formats.enumerated(
        _("month {month} {amount} ({interval})").format(
            month=formats.count(row.month),
            amount=_money(row.value, customer_value),
            interval=_money_between(row, customer_value),
        )
        for row in shown.itertuples()
    )
    sentence = _("Margin of a new customer of {market}: {told}.").format(market=place(market.name), told=told)
    return _told(figure, beside(sentence, _payback(customer_value)))


def worth_beside(customer_value: CustomerValue, sheet: Sheet) -> Table:
    """Return the worth of a customer by the simple formula and by the model, and why they differ."""
    worth = customer_value.clv
    simple = {
        "clv_simple": N_("Simple: order value × frequency × lifespan"),
        "cltv": N_("Simple, less acquisition cost (CLTV)"),
    }
    rows = [
        (formula, sheet.headlines[name].value, None, None, sheet.headlines[name].note)
        for name, formula in simple.items()
        if name in sheet.headlines  # the group has no money of several currencies
    ]
    model = N_("Model, a new customer")
    if worth is None:
        rows.append((model, None, None, None, customer_value.notes.get("clv", "")))
    else:
        rows.append((model, worth.value, worth.lower, worth.upper, Verbatim(_terms(customer_value))))
    columns = ["formula", "value", "lower", "upper", "terms"]
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    currency = customer_value.forecast.market.currency
    return Table(
        frame.astype(dict.fromkeys(columns[1:4], "float64")),
        [
            Column("formula", N_("Formula"), Role.WORDS),
            Column("value", N_("Worth"), Role.MONEY, currency=currency),
            interval(N_("95% interval"), Role.MONEY, currency=currency),
            Column("terms", N_("Of what"), Role.WORDS),
        ],
        name="worth",
        title=N_("What a customer is worth"),
        notes=[
            N_("The simple formula lets everybody leave at one constant rate and counts no time value; the model lets "
               "customers differ, so that those who stay longest are expected to go on, and stops at its horizon.")
        ],
    )  # fmt: skip


def _terms(customer_value: CustomerValue) -> str:
    """Return what the worth of the model is made of."""
    worth, of = customer_value.clv, _("revenue")
    if worth.gross_margin is not None:
        of = _("gross margin of {share}").format(share=formats.percent(worth.gross_margin, digits=0))
    return _("{of}; the next {horizon}, discounted by {rate} a year; {days} order days of {amount}").format(
        of=of,
        horizon=_horizon(customer_value),
        rate=_rate(customer_value),
        days=formats.decimal(worth.orders, digits=1),
        amount=_money(worth.order_value, customer_value),
    )


def markets_ahead(customer_values: Mapping[str, CustomerValue]) -> Table:
    """Return what is forecast of the customers of each market, money in its own currency.

    Parameters
    ----------
    customer_values : by market, from `models.customer_values`.
    """
    rows = [
        {
            "name": one.forecast.market.name,
            **dict(zip(("orders", "orders_lower", "orders_upper"), one.orders_ahead or (None,) * 3, strict=True)),
            **{end: None if one.clv is None else getattr(one.clv, end) for end in ("value", "lower", "upper")},
            "unit": "currency",
            "currency": one.forecast.market.currency,
            "error": None if one.forecast.tested is None else one.forecast.tested.error,
        }
        for one in customer_values.values()
    ]
    terms = [
        Verbatim(
            _(
                "Worth: of the next {weeks} weeks, less {rate} a year; gross margin where one is stated, else revenue."
            ).format(weeks=formats.count(one.horizon_weeks), rate=_rate(one))
        )
        for one in list(customer_values.values())[:1]
    ]
    return Table(
        pd.DataFrame(rows),
        [
            Column("name", N_("Market"), Role.MARKET),
            Column("orders", N_("Order days expected in the next year"), Role.COUNT),
            interval(N_("95% interval"), Role.COUNT, of="orders"),
            Column("value", N_("Worth of a new customer"), Role.QUANTITY, unit="unit"),
            interval(N_("95% interval of the worth"), Role.QUANTITY, unit="unit"),
            Column("error", N_("Back-test, off by"), Role.CHANGE),
        ],
        name="markets-ahead",
        title=N_("What customers will order, and what one is worth"),
        notes=[*terms, *(one.notes.get("clv", "") for one in customer_values.values() if one.clv is None)],
    )


def still_customers(customer_value: CustomerValue, *, min_cell: int) -> Table:
    """Return how many customers have which chance of still being one, and what they are expected to order."""
    caption = _("Who is still a customer, and orders expected in the next {horizon}").format(
        horizon=_horizon(customer_value)
    )
    rows = customer_value.predictions
    if rows.empty:
        return _absent(Verbatim(caption), customer_value.notes.get("forecast", ""), name="alive")
    rows = rows.assign(
        class_of=pd.cut(rows["alive"], [*_ALIVE, 1.01], right=False, labels=list(_ALIVE)).astype(float),
        orders=rows["orders"] * rows["n_customers"],
    )
    classes = rows.groupby("class_of", as_index=False)[["n_customers", "orders"]].sum()
    classes = small_rows(classes, n=["n_customers"], keys=["class_of"], min_cell=min_cell)
    return Table(
        classes.assign(
            chance=words(Verbatim(_class_of(least)) for least in classes["class_of"]),
            each=classes["orders"] / classes["n_customers"],
        ),
        [
            Column("chance", N_("Chance of being one"), Role.WORDS),
            Column("n_customers", N_("Customers"), Role.N),
            Column("orders", N_("Orders expected"), Role.COUNT),
            Column("each", N_("Of each"), Role.NUMBER, digits=2),
        ],
        name="alive",
        title=Verbatim(caption),
        hidden=hidden_rows(classes, classes["hidden"], keys=["class_of"]),
    )


def concentrated(worth_counts: pd.DataFrame, customer_value: CustomerValue, *, min_cell: int) -> Table:
    """Return what share of the expected worth the best customers hold.

    Parameters
    ----------
    worth_counts : of the market, from `counts.worth_counts`.
    """
    caption = _("How few customers hold how much of the worth of the next {horizon}").format(
        horizon=_horizon(customer_value)
    )
    return Table(
        concentration(worth_counts, value="worth_minor", by="worth_bin", min_cell=min_cell),
        [
            Column("top_share", N_("Best customers"), Role.SHARE, digits=0),
            Column("n_customers", N_("Customers"), Role.N),
            Column("share_of_value", N_("Share of the worth"), Role.SHARE, digits=0),
        ],
        name="concentration",
        title=Verbatim(caption),
        nothing=customer_value.notes.get("clv", N_("nothing is expected of anybody")),
    )


def worth_by(
    worth_counts: pd.DataFrame, customer_value: CustomerValue, *, by: str, min_cell: int, last: int = 8
) -> Table:
    """Return what the customers of each acquisition channel, or cohort, have brought and are expected to bring.

    Parameters
    ----------
    worth_counts : of the market, from `counts.worth_counts`.
    by : 'acquisition_channel' or 'cohort', the quarter of the first order.
    last : rows shown, of cohorts the last.
    """
    title, caption = {
        "acquisition_channel": (
            N_("Acquisition channel"),
            _("Customers by acquisition channel: worth of the next {horizon}"),
        ),
        "cohort": (N_("First order in"), _("Customers by first order in: worth of the next {horizon}")),
    }[by]
    caption = caption.format(horizon=_horizon(customer_value))
    rows = worth_counts.groupby(by, as_index=False)[["n_customers", "worth_minor", "revenue_minor"]].sum().tail(last)
    name = f"worth-{by.replace('_', '-')}"
    if rows.empty:
        return _absent(Verbatim(caption), customer_value.notes.get("clv", ""), name=name)
    rows = small_rows(rows, n=["n_customers"], keys=[by], min_cell=min_cell)
    market = customer_value.forecast.market
    # Translators: acquisition channel of customers of whom the data tell none
    unknown = {"unknown": N_("unknown")}
    names = (
        Period(label(value, grain="quarter")) if by == "cohort" else unknown.get(value, Verbatim(value))
        for value in rows[by]
    )
    return Table(
        rows.assign(
            group=words(names),
            revenue=rows["revenue_minor"] / rows["n_customers"] / market.minor_per_unit,
            worth=rows["worth_minor"] / rows["n_customers"] / market.minor_per_unit,
        ),
        [
            Column("group", title, Role.WORDS),
            Column("n_customers", N_("Customers"), Role.N),
            Column("revenue", N_("Net revenue so far, of each"), Role.MONEY, currency=market.currency),
            Column("worth", N_("Expected worth, of each"), Role.MONEY, currency=market.currency),
        ],
        name=name,
        title=Verbatim(caption),
        hidden=hidden_rows(rows, rows["hidden"], keys=[by]),
    )


def rfm_segments(segment_counts: pd.DataFrame, customer_value: CustomerValue, *, min_cell: int) -> Table:
    """Return the RFM segments: how many customers, what share of the revenue so far.

    Parameters
    ----------
    segment_counts : of the market, from `counts.segment_counts`.
    """
    rows = segments(segment_counts)
    columns = ["segment", "meaning", "n_customers", "share_of_customers", "share_of_revenue", "order_days"]
    rows = small_rows(rows[columns], n=["n_customers"], keys=["segment", "meaning"], min_cell=min_cell)
    return Table(
        rows.assign(called=words(Verbatim(segment_named(segment)) for segment in rows["segment"])),
        [
            Column("called", N_("Segment"), Role.WORDS),
            Column("meaning", N_("Who"), Role.WORDS),
            Column("n_customers", N_("Customers"), Role.N),
            Column("share_of_customers", N_("Share of customers"), Role.SHARE, digits=0),
            Column("share_of_revenue", N_("Share of revenue"), Role.SHARE, digits=0),
            Column("order_days", N_("Order days of each"), Role.NUMBER, digits=1),
        ],
        name="segments",
        title=Message(
            "Segments of {market}, by cut points that all markets share", market=customer_value.forecast.market.name
        ),
        hidden=hidden_rows(rows, rows["hidden"], keys=["segment", "meaning"]),
    )


def _orders_ahead(customer_value: CustomerValue) -> str:
    forecast = customer_value.forecast
    if customer_value.orders_ahead is None:
        return worded(forecast.withheld)
    expected, lower, upper = customer_value.orders_ahead
    return _(
        "{market}: the {n} customers of today are expected to order on {days} days in the next year (95% interval "
        "{interval}, what the back-test was off included); about {still} of them are still customers."
    ).format(
        market=place(forecast.market.name),
        n=formats.count(forecast.patterns.n_customers),
        days=formats.count(expected),
        interval=_counts_between(lower, upper),
        still=formats.count(customer_value.n_still),
    )


def _worth(customer_value: CustomerValue) -> str:
    worth = customer_value.clv
    if worth is None:
        return "" if customer_value.forecast.withheld else worded(customer_value.notes.get("clv", ""))
    revenue = _(
        "A new customer is worth {amount} of revenue over {horizon} (95% interval {interval}; discounted by {rate} a "
        "year), the first order included."
    )
    margin = _(
        "A new customer is worth {amount} of gross margin over {horizon} (95% interval {interval}; discounted by "
        "{rate} a year), the first order included."
    )
    return (revenue if worth.gross_margin is None else margin).format(
        amount=_money(worth.value, customer_value),
        horizon=_horizon(customer_value),
        interval=_money_between(worth, customer_value),
        rate=_rate(customer_value),
    )


def _payback(customer_value: CustomerValue) -> str:
    rows = customer_value.payback
    if rows.empty:
        return (
            ""
            if customer_value.forecast.withheld or customer_value.clv is None
            else worded(customer_value.notes.get("payback", ""))
        )
    facts = {
        "amount": _money(customer_value.acquisition_cost, customer_value),
        "origin": worded(customer_value.cost_origin),
    }
    month = payback_month(rows)
    if month is None:
        never = _("The {amount} that it costs to win one ({origin}) are not paid back within {months} months.")
        return never.format(**facts, months=formats.count(rows["month"].max()))
    if month == 0:
        return _("The {amount} that it costs to win one ({origin}) are paid back by the first order.").format(**facts)
    early, late = payback_month(rows, of="upper"), payback_month(rows, of="lower")
    if late is None:
        told = _(
            "The {amount} that it costs to win one ({origin}) are paid back in month {month} (95% interval month "
            "{early} to later than shown)."
        )
        return told.format(**facts, month=formats.count(month), early=formats.count(early))
    told = _(
        "The {amount} that it costs to win one ({origin}) are paid back in month {month} (95% interval month {early} "
        "to month {late})."
    )
    return told.format(**facts, month=formats.count(month), early=formats.count(early), late=formats.count(late))


def _counts_between(lower: float, upper: float) -> str:
    return formats.between(formats.count(lower), formats.count(upper))


def _money_between(row, customer_value: CustomerValue) -> str:
    return formats.between(_money(row.lower, customer_value), _money(row.upper, customer_value))


def _class_of(least: float) -> str:
    """Return a class of chances: from its least to that of the next one."""
    from_, to = (formats.percent(share, digits=0) for share in (least, least + 0.2))
    if least == _ALIVE[0]:
        return _("under {share}").format(share=to)
    return _("{share} and more").format(share=from_) if least == _ALIVE[-1] else formats.between(from_, to)


def _rate(customer_value: CustomerValue) -> str:
    return formats.percent(customer_value.yearly_rate, digits=0)


def _horizon(customer_value: CustomerValue) -> str:
    return ngettext("{n} week", "{n} weeks", customer_value.horizon_weeks).format(
        n=formats.count(customer_value.horizon_weeks)
    )


def _money(value: float, customer_value: CustomerValue) -> str:
    return formats.money(value, currency=customer_value.forecast.market.currency)


def _absent(caption: str, why: str, *, name: str) -> Table:
    return Table(pd.DataFrame(), (), name=name, title=caption, nothing=why)
