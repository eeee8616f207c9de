"""The tables of a report: which columns of a sheet a reader sees, under which titles."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from markupsafe import Markup

from retention_kit.config import GROUP
from retention_kit.messages import Verbatim, first_of
from retention_kit.metrics import METRICS, Headline, Sheet
from retention_kit.metrics.group import GroupSheet
from retention_kit.metrics.revenue import EFFECTS
from retention_kit.metrics.rows import where
from retention_kit.present import formats, headlines
from retention_kit.present.blocks import Block, stacked
from retention_kit.present.languages import N_, _, ngettext, place, worded
from retention_kit.present.markup import number
from retention_kit.present.words import asked, beside, left_out_because, units
from retention_kit.table import Column, Role, Table, interval, words

_CARDS = (
    "customer_retention_rate",
    "repeat_customer_rate_by_days",
    "purchase_frequency_per_year",
    "average_order_value",
    "clv_simple",
    "active_customers",
)
_PERIOD = Column("period", N_("Period"), Role.PERIOD)
_MARKET = Column("name", N_("Market"), Role.MARKET)
_INTERVAL = interval(N_("95% interval"), Role.SHARE)


def cards(sheet: Sheet) -> Block:
    """Return the first numbers to read, each with its interval and the customers it is about."""
    at = {h.id: nth for nth, h in enumerate(sheet.headlines.values())}
    chosen = [sheet.headlines[name] for name in _CARDS if name in at]
    html = Markup("").join(_card(h, twin=f"headlines.{at[h.id]}") for h in chosen)
    lines = [f"{_(h.label)}: {headlines.shown(h)} ({_sure(h)}; {_of(h)})" for h in chosen]
    return Block((Markup('<div class="rk-cards">{}</div>').format(html),), "\n".join(lines))


def _card(headline: Headline, *, twin: str) -> Markup:
    value = Markup("{}").format(headlines.shown(headline))
    if headline.value is not None:
        value = Markup('<data value="{}" data-id="{}">{}</data>').format(number(headline.value), f"{twin}.value", value)
    return Markup(
        '<div class="rk-card"><div class="rk-label">{}</div><div class="rk-value">{}</div>'
        '<div class="rk-interval">{}</div><div class="rk-n">{}</div></div>'
    ).format(_(headline.label), value, _sure(headline), _of(headline))


def _sure(headline: Headline) -> str:
    """Return the interval of a headline, else why it has none."""
    return headlines.interval(headline) or worded(first_of(headline.note))


def _of(headline: Headline) -> str:
    return _("n {n}").format(n=formats.count(headline.n))


def definition_ledger(sheet: Sheet) -> Table:
    """Return every headline with what it divides, of which window, and what it means."""
    known = list(sheet.headlines.values())
    frame = pd.DataFrame([h.to_dict() for h in known])
    return Table(
        frame.assign(
            label=words(h.label for h in known),
            window=words(Verbatim(_ends(h.window)) for h in known),
            meaning=words(Verbatim(_meaning(h)) for h in known),
        ),
        [
            Column("label", N_("Number"), Role.WORDS),
            Column("value", N_("Value"), Role.QUANTITY, unit="unit"),
            interval(N_("95% interval"), Role.QUANTITY, unit="unit"),
            Column("n", N_("n"), Role.N),
            Column("window", N_("From, until (not included)"), Role.WORDS),
            Column("meaning", N_("What it is"), Role.WORDS),
        ],
        name="definitions",
        title=N_("Every number, and what it means"),
        notes=_policies(sheet),
        twin="headlines",
    )


def _meaning(headline: Headline) -> str:
    return beside(_(headline.definition), headline.note and _("({note})").format(note=worded(headline.note)))


def _ends(window: str) -> str:
    return formats.separated(map(formats.period, filter(None, window.split(" to "))))


def glossary(sheet: Sheet | GroupSheet) -> Table:
    """Return each metric that the sheet's tables have as a column: its name in the files, its unit, its definition."""
    columns = {column for rows in sheet.tables.values() for column in rows} | set(sheet.headlines)
    rows = [(name, m.unit, m.definition) for name, m in METRICS.items() if name in columns]
    return Table(
        pd.DataFrame(rows, columns=["name", "unit", "definition"]),
        [
            Column("name", N_("In the files"), Role.KEY),
            Column("unit", N_("Unit"), Role.WORDS),
            Column("definition", N_("What it is"), Role.WORDS),
        ],
        name="glossary",
        title=N_("Glossary: what the columns of the files beside this page hold"),
    )


_BASE_CAPTIONS = {
    "window": N_("The active base: who stayed, who left, who came"),
    "period": N_("Customers who ordered in a period: who stayed, who left, who came"),
    "contract": N_("Subscribers: who stayed, who left, who came"),
}


def active_base(sheet: Sheet, *, rule: str = "window", last: int = 6) -> Table:
    """Return where the active base came from and where it went, for the last closed periods.

    Parameters
    ----------
    rule : 'window', 'period', or 'contract' for those whose subscription runs.
    """
    base = where(sheet.tables["active_base"], rule=rule).tail(last)
    return _of_sheet(
        sheet,
        "active_base",
        base,
        [
            _PERIOD,
            Column("n_start", N_("Start"), Role.COUNT),
            Column("n_new", N_("New"), Role.COUNT),
            Column("n_reactivated", N_("Came back"), Role.COUNT),
            Column("n_lapsed", N_("Left"), Role.COUNT),
            Column("n_end", N_("End"), Role.COUNT),
            Column("customer_retention_rate", N_("Retention rate"), Role.SHARE),
            _INTERVAL,
            Column("textbook_retention_rate", N_("Textbook rate"), Role.RATIO),
        ],
        name="active-base" if rule == "window" else f"active-base-{rule}",
        title=_BASE_CAPTIONS[rule],
        notes=_truncation_notes(base),
        nothing=N_("This market has no subscriptions that a period could be told of.") if rule == "contract" else "",
    )


def second_order(sheet: Sheet) -> Table:
    """Return the share of customers with a second order day within each horizon, of those observed that long."""
    return _of_sheet(
        sheet,
        "returned",
        where(sheet.tables["returned"], cut="everybody"),
        [
            Column("horizon_days", N_("Within"), Role.DAYS),
            Column("n_observed", N_("Customers observed that long"), Role.N),
            Column("returned_share", N_("Came back"), Role.SHARE),
            _INTERVAL,
        ],
        name="second-order",
        title=N_("A second order on another day than the first"),
    )


def compared(sheets: Sequence[Sheet], *, headline: str) -> Table:
    """Return one headline of several markets, with interval and n."""
    found = [sheet.headlines[headline] for sheet in sheets]
    frame = pd.DataFrame([h.to_dict() for h in found]).assign(name=[sheet.market.name for sheet in sheets])
    return Table(
        frame,
        [
            _MARKET,
            Column("value", found[0].label, Role.QUANTITY, unit="unit"),
            interval(N_("95% interval"), Role.QUANTITY, unit="unit"),
            Column("n", N_("n"), Role.N),
        ],
        name=f"compared-{headline.replace('_', '-')}",
        title=found[0].definition,
    )


def brackets(sheet: Sheet) -> Table:
    """Return the share of customers with an order in each stretch of days after the first one."""
    return _of_sheet(
        sheet,
        "brackets",
        sheet.tables["brackets"],
        [
            Column("", N_("Days after the first order"), Role.COUNT, lower="first_day", upper="last_day"),
            Column("n_observed", N_("Customers observed that long"), Role.N),
            Column("bracket_retention", N_("Ordered"), Role.SHARE),
            _INTERVAL,
        ],
        name="brackets",
        title=N_("An order in each stretch of days, of 24 hours each"),
    )


def next_order(sheet: Sheet) -> Table:
    """Return the share of customers with n order days who have a next one within a year."""
    return _of_sheet(
        sheet,
        "next_order",
        sheet.tables["next_order"],
        [
            Column("nth", N_("After order day"), Role.COUNT),
            Column("n", N_("Customers"), Role.N),
            Column("next_order_share", N_("Order again within a year"), Role.SHARE),
            _INTERVAL,
        ],
        name="next-order",
        title=N_("From order to order, recent customers as far as seen"),
    )


def sensitivity(sheet: Sheet) -> Table:
    """Return the headlines under the other definitions of them: how much of a number is its definition."""
    rows = sheet.tables["sensitivity"]
    return _of_sheet(
        sheet,
        "sensitivity",
        rows.assign(question=rows["question"].where(~rows["question"].duplicated(), "")),
        [
            Column("question", N_("Question"), Role.WORDS),
            Column("definition", N_("Definition"), Role.WORDS),
            Column("value", N_("Answer"), Role.RATIO),
            _INTERVAL,
            Column("n", N_("n"), Role.N),
        ],
        name="sensitivity",
        title=N_("The same question, asked otherwise"),
    )


def compared_with_others(sheet: Sheet) -> Table:
    """Return how this market differs from all others together, corrected for looking at many markets."""
    rows = sheet.tables["compared"]
    return Table(
        rows.assign(
            did=words((Verbatim(asked(metric, sheet)) for metric in rows["metric"]), index=rows.index),
            ranks=words((Verbatim(_ranks(row)) for row in rows.itertuples()), index=rows.index),
            is_sure=rows["p_holm"] < 0.05 if len(rows) else [],
        ),
        [
            Column("did", N_("Customers who …"), Role.WORDS),
            Column("share", N_("Here"), Role.SHARE),
            Column("n", N_("n"), Role.N),
            Column("others", N_("Other markets"), Role.SHARE),
            Column("difference", N_("Difference, points"), Role.POINTS),
            interval(N_("95% interval"), Role.POINTS, of="difference"),
            Column("ranks", N_("Rank"), Role.WORDS),
            Column("is_sure", N_("More than chance"), Role.FLAG),
        ],
        name="compared-with-others",
        title=N_("Compared with all other markets together") if len(rows) else N_("Compared with the other markets"),
        notes=[*([N_("Other markets: the same customers of theirs.")] if sheet.segment else []),
               N_("Rank: 1 is the highest share; between these in 95% of draws. More than chance: p below 0.05, "
                  "corrected for all markets (Holm).")] if len(rows) else (),
        nothing=N_("There is no other market to compare with, or this one is too small."),
        twin="tables.compared",
    )  # fmt: skip


def _ranks(row) -> str:
    # Translators: a range of ranks: 2 to 5 of 8 markets
    return _("{first} to {last} of {n}").format(
        first=formats.count(row.rank_lower), last=formats.count(row.rank_upper), n=formats.count(row.n_markets)
    )


_NO_MONEY = N_("Its markets have several currencies, which are not added up.")


def revenue_bridge(sheet: Sheet, *, last: int = 6) -> Table:
    """Return where the revenue of each closed period came from, and net and gross revenue retention."""
    titles = {
        "opening": N_("Before"),
        "expansion": N_("More by the retained"),
        "contraction": N_("Less by the retained"),
        "lapsed": N_("Left"),
        "reactivated": N_("Came back"),
        "new": N_("New"),
        "closing": N_("Now"),
    }
    caption = _("Net revenue, {currency}: where it came from and where it went").format(currency=sheet.market.currency)
    return _of_money(
        sheet,
        "revenue_bridge",
        [
            *_amounts(titles),
            Column("net_revenue_retention", N_("NRR"), Role.RATIO),
            Column("gross_revenue_retention", N_("GRR"), Role.RATIO),
        ],
        name="revenue-bridge",
        title=caption,
        last=last,
    )


def revenue_change(sheet: Sheet, *, last: int = 4) -> Block:
    """Return what moved revenue against the same period a year before: customers, frequency or order value."""
    titles = {
        "then": N_("A year before"),
        "now": N_("Now"),
        "revenue_change": N_("Change"),
        "of_customers": N_("by more or fewer customers"),
        "of_frequency": N_("by orders per customer"),
        "of_order_value": N_("by order value"),
    }
    caption = _("What moved net revenue, {currency}").format(currency=sheet.market.currency)
    told = _of_money(sheet, "revenue_change", _amounts(titles), name="revenue-change", title=caption, last=last)
    ends = [interval(titles[name], Role.NUMBER, of=name, digits=0) for name in EFFECTS]
    sure = _of_money(sheet, "revenue_change", ends, name="revenue-change-intervals", title=_("95% interval"), last=last)
    return stacked(told, *([sure] if len(told) else []))


def _amounts(titles: Mapping[str, str]) -> list[Column]:
    """Return columns of amounts in whole units of the market's currency, which the table's title names."""
    return [Column(column, title, Role.NUMBER, digits=0) for column, title in titles.items()]


def _of_money(sheet: Sheet, table: str, columns: Sequence[Column], *, name: str, title: str, last: int) -> Table:
    """Return the last rows of a table of revenue; the sentence that there is none where currencies are several."""
    if table not in sheet.tables:
        return Table(pd.DataFrame(), (), name=name, title=N_("Net revenue"), nothing=_NO_MONEY)
    rows = sheet.tables[table].tail(last)
    return _of_sheet(sheet, table, rows, [_PERIOD, *columns], name=name, title=Verbatim(title))


def _of_sheet(
    sheet: Sheet, table: str, rows: pd.DataFrame, columns: Sequence[Column], *, name: str, title: str, **facts
) -> Table:
    """Return rows of a sheet's table, each cell that protects a small group told as hidden."""
    hidden = sheet.hidden[table].loc[rows.index]
    return Table(
        rows, columns, name=name, title=title, hidden=hidden, twin=f"tables.{table}", as_of=sheet.as_of, **facts
    )


def markets_compared(sheet: GroupSheet, *, metric: str) -> Table:
    """Return a share of each market against all others, with corrected tests, the pooled share and the rank."""
    rows = sheet.tables["compared"]
    rows = rows[rows["metric"] == metric].sort_values("rank")
    return Table(
        rows.assign(name=rows["market"].map(sheet.names)),
        [
            _MARKET,
            Column("share", N_("Share"), Role.SHARE),
            _INTERVAL,
            Column("n", N_("n"), Role.N),
            Column("difference", N_("Difference, points"), Role.POINTS),
            interval(N_("its interval"), Role.POINTS, of="difference"),
            Column("p_holm", N_("p, Holm"), Role.P),
            Column("p_bh", N_("p, BH"), Role.P),
            Column("pooled", N_("Drawn to all"), Role.SHARE),
            interval(N_("Rank"), Role.COUNT, of="rank"),
        ],
        name=f"markets-{metric.replace('_', '-')}",
        title=Verbatim(_("Customers who {did}").format(did=asked(metric, sheet))),
        notes=[N_("Difference: from all other markets together. Drawn to all: small markets are pulled to the mean of "
                  "all, as far as their size asks for it. Rank: of that share, between these in 95% of draws.")],
        twin="tables.compared",
    )  # fmt: skip


_THEN = Column("share_then", N_("A year before"), Role.SHARE)
_DIFFERENCE = interval(N_("Difference, points"), Role.POINTS)
_ALARM = Column("alarm", N_("Alarm"), Role.FLAG)


def what_changed(sheet: GroupSheet) -> Table:
    """Return for each market where retention changed against the year before, and the rate of the last period."""
    readings = sheet.tables["readings"]
    told = readings[["market"]].assign(
        name=readings["market"].map(sheet.names),
        reading=words(
            (Verbatim(reading_told(row, grain=sheet.grain)) for row in readings.itertuples()), index=readings.index
        ),
    )
    rows = told.merge(sheet.tables["changes"], on="market", how="left")
    return Table(
        rows.assign(alarm=rows["alarm"].eq(True)),
        [
            _MARKET,
            Column("reading", N_("In the table of cohorts and ages"), Role.WORDS),
            Column("share", N_("Retention rate"), Role.SHARE),
            Column("n", N_("n"), Role.N),
            _THEN,
            _DIFFERENCE,
            _ALARM,
        ],
        name="what-changed",
        title=N_("Against the year before"),
        notes=[N_("Alarm: more than chance, corrected for all markets (Benjamini–Hochberg), and enough customers.")],
    )


SHARES_WATCHED = {
    "customer_retention_rate": N_("stayed active in the period"),
    "repeat_customer_rate": N_("ordered more than once in the period"),
    "classic_retention": N_("ordered again in the period after their first"),
}
"""The shares that are watched for anomalies, and what their customers did."""


def anomalies(sheet: GroupSheet) -> Table:
    """Return every share of every market beside the year before, with the alarms that are left after correction."""
    rows = sheet.tables["anomalies"]
    return Table(
        rows.assign(name=rows["market"].map(sheet.names), did=rows["metric"].map(SHARES_WATCHED)),
        [
            _MARKET,
            Column("did", N_("Customers who …"), Role.WORDS),
            _PERIOD,
            Column("share", N_("Share"), Role.SHARE),
            Column("n", N_("n"), Role.N),
            _THEN,
            _DIFFERENCE,
            _ALARM,
        ],
        name="anomalies",
        title=N_("Every share against the year before"),
        notes=[N_("Alarms are corrected for all markets and shares of this table together (Benjamini–Hochberg).")],
        twin="tables.anomalies",
    )


def reading_told(reading, *, grain: str) -> str:
    """Return in words where retention changed: `reading` has kind, at (written), ratio, lower, upper."""
    if reading.kind == "none":
        return _("no one place stands out")
    sentences = {
        "period": _("all cohorts in {at}: {ratio} times what was to be expected ({interval})"),
        "cohorts": _("customers new since {at}: {ratio} times what was to be expected ({interval})"),
        "age": _("all cohorts at age {at}, in {units}: {ratio} times what was to be expected ({interval})"),
    }
    ratio, lower, upper = (formats.decimal(value, digits=2) for value in (reading.ratio, reading.lower, reading.upper))
    at = formats.count(int(reading.at)) if reading.kind == "age" else formats.period(reading.at)
    interval = formats.between(lower, upper)
    return sentences[reading.kind].format(at=at, units=units(grain), ratio=ratio, interval=interval)


def mix_and_rate(sheet: GroupSheet) -> Table:
    """Return how much of each market's difference from the others is another mix of customers, by each cut."""
    rows = sheet.tables["mix"]
    of_market = rows.drop_duplicates("market").set_index("market")
    codes = [code for code in sheet.names if code in of_market.index]
    frame = of_market.loc[codes, ["n", "difference"]].assign(name=[sheet.names[code] for code in codes])
    cuts = sorted(rows["cut"].unique())
    for cut in cuts:
        of_cut = where(rows, cut=cut).set_index("market").reindex(codes)
        frame = frame.join(of_cut[["mix", "mix_lower", "mix_upper"]].add_prefix(f"{cut}_"))
    return Table(
        frame.reset_index(),
        [
            _MARKET,
            Column("n", N_("n"), Role.N),
            Column("difference", N_("Difference, points"), Role.POINTS),
            *(
                Column(
                    f"{cut}_mix", _MIX_OF.get(cut, Verbatim(cut)), Role.POINTS,
                    lower=f"{cut}_mix_lower", upper=f"{cut}_mix_upper",
                )
                for cut in cuts
            ),
        ],
        name="mix-and-rate",
        title=N_("Second order within 90 days: is the difference who comes, or how they behave?"),
        notes=[
            N_("What is not mix is rates: the same customers behave otherwise. Each cut by itself."),
            N_("In brackets the 95% interval of the mix, of customers drawn again."),
        ],
    )  # fmt: skip


_MIX_OF = {
    "acquisition_channel": N_("of it, mix of acquisition channels"),
    "coupon": N_("of it, mix of coupons"),
    "season": N_("of it, mix of seasons"),
}


def movers(sheet: GroupSheet) -> Table:
    """Return customers of each market, and from where to where they moved."""
    rows = sheet.tables["movers"]
    names = {**sheet.names, "other": N_("other pairs together")}
    return Table(
        rows.assign(
            first=words((Verbatim(place(worded(names[code]))) for code in rows["market"]), index=rows.index),
            last=words((Verbatim(place(worded(names[code]))) for code in rows["to_market"]), index=rows.index),
        ),
        [
            Column("first", N_("First order in"), Role.WORDS),
            Column("last", N_("Last order in"), Role.WORDS),
            Column("n_customers", N_("Customers"), Role.COUNT),
        ],
        name="movers",
        title=N_("Customers who moved: in two markets each, once in the group"),
        nothing=N_("nobody, or too few to show"),
        twin="tables.movers",
    )


def group_revenue(sheet: GroupSheet) -> Table:
    """Return revenue of the last year in the group's currency, at the rates of the days and at constant rates."""
    facts = {"name": "group-revenue", "nothing": _NO_GROUP_MONEY}
    rows = sheet.tables.get("revenue", pd.DataFrame())
    if rows.empty:
        return Table(pd.DataFrame(), (), title=N_("Net revenue of all markets"), **facts)
    titles = {
        "then": N_("Year before"),
        "now": N_("Last year"),
        "change": N_("Change"),
        "change_constant": N_("of it, at constant rates"),
        "fx_effect": N_("of it, exchange rates"),
    }
    names = {**sheet.names, GROUP: _("All markets shown")}
    money = [Column(name, title, Role.MONEY, currency=sheet.currency, digits=0) for name, title in titles.items()]
    return Table(
        rows.assign(name=rows["market"].map(names)),
        [_MARKET, *money],
        title=N_("Net revenue of the last year's closed periods"),
        notes=[N_("At the rate of each order's day; constant rates are those of the last day before as_of.")],
        twin="tables.revenue",
        **facts,
    )


_NO_GROUP_MONEY = N_("No currency of the group, no exchange rates, or less than two years of closed periods.")


def data_quality(rows: Sequence[dict], left_out_counts: pd.DataFrame) -> Table:
    """Return what was refused or noticed in the data, and which orders of the market count as nothing.

    Parameters
    ----------
    rows : findings of reading, as dictionaries.
    left_out_counts : (n_reasons, 3), the market's, from `counts.left_out_counts`.
    """
    told = [(row["table"], row["text"]) for row in rows]
    told += [("orders", Verbatim(sentence)) for sentence in _left_out(left_out_counts)]
    nothing = (_("all"), N_("nothing was refused, and every order counts"))
    return Table(
        pd.DataFrame(told or [nothing], columns=["table", "finding"], dtype=object),
        [Column("table", N_("Table"), Role.KEY), Column("finding", N_("Finding"), Role.WORDS)],
        name="findings",
        title=N_("What was found in the data"),
    )


def _left_out(left_out_counts: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for each reason for which orders of the market count as nothing."""
    for row in left_out_counts.itertuples():
        yield ngettext(
            "{n} order of this market counts as nothing: {why}",
            "{n} orders of this market count as nothing: {why}",
            row.n_orders,
        ).format(n=formats.count(row.n_orders), why=left_out_because(row.reason))


def _policies(sheet: Sheet) -> list[str]:
    """Return what holds of all numbers: when a refund counts, and who is active."""
    refunds = {
        "order": _("A refund lowers the order it belongs to."),
        "processed": _("A refund counts on the day it is processed."),
    }
    days = sheet.market.activity_window_days
    active = ngettext(
        "Active: a kept order in the {days} day before.", "Active: a kept order in the {days} days before.", days
    )
    return [Verbatim(beside(refunds.get(sheet.refund_policy, ""), active.format(days=formats.count(days))))]


def _truncation_notes(base: pd.DataFrame) -> list[str]:
    cut = base[base["left_truncated"] == 1]["period"]
    reaches = _("{periods}: the base at the start reaches back before the data begin.")
    return [Verbatim(reaches.format(periods=formats.separated(map(formats.period, cut))))] if len(cut) else []
