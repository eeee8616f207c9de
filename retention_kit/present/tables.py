"""Tables that read well in a report and in a notebook: great_tables for HTML, plain text beside it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from great_tables import GT
from markupsafe import escape

from retention_kit.config import GROUP
from retention_kit.messages import first_of
from retention_kit.metrics import METRICS, Sheet
from retention_kit.metrics.group import GroupSheet
from retention_kit.metrics.revenue import EFFECTS
from retention_kit.metrics.rows import where
from retention_kit.present import formats, headlines
from retention_kit.present.findings import finding
from retention_kit.present.languages import N_, _, ngettext, place, worded
from retention_kit.present.words import asked, beside, left_out_because, units

_CARDS = (
    "customer_retention_rate",
    "repeat_customer_rate_by_days",
    "purchase_frequency_per_year",
    "average_order_value",
    "clv_simple",
    "active_customers",
)


@dataclass(frozen=True)
class Shown:
    """Something to look at: HTML in a page, text elsewhere."""

    html: str = field(repr=False)
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pd.DataFrame,
    *,
    name: str,
    caption: str,
    notes: Sequence[str] = (),
    left: Sequence[str] = (),
    titles: Mapping[str, str] | None = None,
) -> Shown:
    """Return a frame of texts as a table, its numbers to the right.

    Parameters
    ----------
    frame : what to show, each cell already written for the reader; its columns are marked messages, put into the
        reader's language here.
    name : id of the table in the page.
    caption : one line above it.
    notes : lines below it.
    left : columns of words.
    titles : how columns are shown that are no messages, by column.
    """
    shown_as = {column: (titles or {}).get(column) or _(column) for column in frame}
    right = [column for column in frame if column not in left]
    shown = GT(frame.astype(object), id=name).tab_header(title=caption).cols_align("right", columns=right)
    shown = shown.cols_align("left", columns=list(left))
    shown = shown.cols_label(cases=shown_as)
    for note in notes:
        shown = shown.tab_source_note(note)
    html = re.sub(r"<style>.*?</style>", "", shown.as_raw_html(), flags=re.DOTALL)
    html = re.sub(r' style="[^"]*"', "", html)  # the page's own style sheet dresses it
    text = "\n".join([caption, frame.set_axis(list(shown_as.values()), axis=1).to_string(index=False), *notes])
    return Shown(html.replace('class="gt_table"', 'class="gt_table rk-table"'), text)


def rehearse() -> None:
    """Make a table once, for nobody: the first one fills caches."""
    table(pd.DataFrame({"a": ["1", "2"], "b": ["c", "d"]}), name="none", caption="a", notes=["b"], left=["b"])


def cards(sheet: Sheet) -> Shown:
    """Return the first numbers to read, each with its interval and the customers it is about."""
    chosen = [sheet.headlines[name] for name in _CARDS if name in sheet.headlines]
    rows = [
        (
            _(h.label),
            headlines.shown(h),
            headlines.interval(h) or worded(first_of(h.note)),
            _("n {n}").format(n=formats.count(h.n)),
        )
        for h in chosen
    ]
    html = "".join(
        f'<div class="rk-card"><div class="rk-label">{escape(label)}</div><div class="rk-value">{escape(value)}</div>'
        f'<div class="rk-interval">{escape(between)}</div><div class="rk-n">{escape(n)}</div></div>'
        for label, value, between, n in rows
    )
    text = "\n".join(f"{label}: {value} ({between}; {n})" for label, value, between, n in rows)
    return Shown(f'<div class="rk-cards">{html}</div>', text)


def definition_ledger(sheet: Sheet) -> Shown:
    """Return every headline with what it divides, of which window, and what it means."""
    rows = [
        {
            N_("Number"): _(h.label),
            N_("Value"): headlines.shown(h),
            N_("95% interval"): headlines.interval(h),
            N_("n"): formats.count(h.n) if h.n is not None else formats.ABSENT,
            N_("From, until (not included)"): formats.separated(
                map(formats.period, filter(None, h.window.split(" to ")))
            ),
            N_("What it is"): beside(_(h.definition), h.note and _("({note})").format(note=worded(h.note))),
        }
        for h in sheet.headlines.values()
    ]
    return table(
        pd.DataFrame(rows),
        name="definitions",
        caption=_("Every number, and what it means"),
        notes=_policies(sheet),
        left=["Number", "From, until (not included)", "What it is"],
    )


def glossary(sheet: Sheet | GroupSheet) -> Shown:
    """Return each metric that the sheet's tables have as a column: its name in the files, its unit, its definition."""
    columns = {column for rows in sheet.tables.values() for column in rows} | set(sheet.headlines)
    rows = [
        {N_("In the files"): name, N_("Unit"): _(metric.unit), N_("What it is"): _(metric.definition)}
        for name, metric in METRICS.items()
        if name in columns
    ]
    return table(
        pd.DataFrame(rows, columns=[N_("In the files"), N_("Unit"), N_("What it is")]),
        name="glossary",
        caption=_("Glossary: what the columns of the files beside this page hold"),
        left=["In the files", "Unit", "What it is"],
    )


_BASE_CAPTIONS = {
    "window": N_("The active base: who stayed, who left, who came"),
    "period": N_("Customers who ordered in a period: who stayed, who left, who came"),
    "contract": N_("Subscribers: who stayed, who left, who came"),
}


def active_base(sheet: Sheet, *, rule: str = "window", last: int = 6) -> Shown:
    """Return where the active base came from and where it went, for the last closed periods.

    Parameters
    ----------
    rule : 'window', 'period', or 'contract' for those whose subscription runs.
    """
    base = where(sheet.tables["active_base"], rule=rule).tail(last)
    counts = {
        "n_start": N_("Start"),
        "n_new": N_("New"),
        "n_reactivated": N_("Came back"),
        "n_lapsed": N_("Left"),
        "n_end": N_("End"),
    }
    frame = pd.DataFrame({N_("Period"): _periods(base["period"])})
    for column, title in counts.items():
        frame[title] = _counts(base[column], base["hidden"])
    frame[N_("Retention rate")] = [formats.percent(value) for value in base["customer_retention_rate"]]
    frame[N_("95% interval")] = _intervals(base)
    frame[N_("Textbook rate")] = [formats.percent(value) for value in base["textbook_retention_rate"]]
    notes = _truncation_notes(base)
    if rule == "contract" and base.empty:
        notes = [_("This market has no subscriptions that a period could be told of.")]
    return table(
        frame,
        name="active-base" if rule == "window" else f"active-base-{rule}",
        caption=_(_BASE_CAPTIONS[rule]),
        notes=notes,
        left=["Period"],
    )


def second_order(sheet: Sheet) -> Shown:
    """Return the share of customers with a second order day within each horizon, of those observed that long."""
    rows = where(sheet.tables["returned"], cut="everybody")
    frame = pd.DataFrame(
        {
            N_("Within"): [_days(days) for days in rows["horizon_days"]],
            N_("Customers observed that long"): _counts(rows["n_observed"], rows["hidden"]),
            N_("Came back"): [formats.percent(share) for share in rows["returned_share"]],
            N_("95% interval"): _intervals(rows),
        }
    )
    return table(frame, name="second-order", caption=_("A second order on another day than the first"), left=["Within"])


def compared(sheets: Sequence[Sheet], *, headline: str) -> Shown:
    """Return one headline of several markets, with interval and n."""
    found = [sheet.headlines[headline] for sheet in sheets]
    frame = pd.DataFrame(
        {
            N_("Market"): [place(sheet.market.name) for sheet in sheets],
            found[0].label: [headlines.shown(h) for h in found],
            N_("95% interval"): [headlines.interval(h) for h in found],
            N_("n"): [formats.count(h.n) for h in found],
        }
    )
    return table(frame, name=f"compared-{headline.replace('_', '-')}", caption=_(found[0].definition), left=["Market"])


def folded(shown: Shown, *, summary: str) -> Shown:
    """Return something to look at behind a line that opens it; in text it stands open."""
    return Shown(f"<details><summary>{escape(_(summary))}</summary>{shown.html}</details>", shown.text)


def brackets(sheet: Sheet) -> Shown:
    """Return the share of customers with an order in each stretch of days after the first one."""
    rows = sheet.tables["brackets"]
    frame = pd.DataFrame(
        {
            N_("Days after the first order"): [
                formats.between(formats.count(a), formats.count(b))
                for a, b in zip(rows.first_day, rows.last_day, strict=True)
            ],
            N_("Customers observed that long"): _counts(rows["n_observed"], rows["hidden"]),
            N_("Ordered"): [formats.percent(share) for share in rows["bracket_retention"]],
            N_("95% interval"): _intervals(rows),
        }
    )
    caption = _("An order in each stretch of days, of 24 hours each")
    return table(frame, name="brackets", caption=caption, left=["Days after the first order"])


def next_order(sheet: Sheet) -> Shown:
    """Return the share of customers with n order days who have a next one within a year."""
    rows = sheet.tables["next_order"]
    frame = pd.DataFrame(
        {
            N_("After order day"): [formats.count(nth) for nth in rows["nth"]],
            N_("Customers"): _counts(rows["n"], rows["hidden"]),
            N_("Order again within a year"): [formats.percent(share) for share in rows["next_order_share"]],
            N_("95% interval"): _intervals(rows),
        }
    )
    return table(frame, name="next-order", caption=_("From order to order, recent customers as far as seen"), left=[])


def sensitivity(sheet: Sheet) -> Shown:
    """Return the headlines under the other definitions of them: how much of a number is its definition."""
    rows = sheet.tables["sensitivity"]
    again = rows["question"].duplicated()
    frame = pd.DataFrame(
        {
            N_("Question"): [
                "" if again else worded(question) for question, again in zip(rows["question"], again, strict=True)
            ],
            N_("Definition"): [worded(definition) for definition in rows["definition"]],
            N_("Answer"): [formats.percent(value) for value in rows["value"]],
            N_("95% interval"): _intervals(rows),
            N_("n"): _counts(rows["n"], rows["hidden"]),
        }
    )
    return table(
        frame, name="sensitivity", caption=_("The same question, asked otherwise"), left=["Question", "Definition"]
    )


def compared_with_others(sheet: Sheet) -> Shown:
    """Return how this market differs from all others together, corrected for looking at many markets."""
    rows = sheet.tables["compared"]
    if rows.empty:
        told = pd.DataFrame({"": [_("There is no other market to compare with, or this one is too small.")]})
        return table(told, name="compared-with-others", caption=_("Compared with the other markets"), left=[""])
    frame = pd.DataFrame(
        {
            N_("Customers who …"): [asked(metric, sheet) for metric in rows["metric"]],
            N_("Here"): [formats.percent(share) for share in rows["share"]],
            N_("n"): [formats.count(n) for n in rows["n"]],
            N_("Other markets"): [formats.percent(share) for share in rows["others"]],
            N_("Difference, points"): [_signed(value) for value in rows["difference"]],
            N_("95% interval"): [
                formats.between(_signed(a), _signed(b))
                for a, b in zip(rows["difference_lower"], rows["difference_upper"], strict=True)
            ],
            N_("Rank"): [
                # Translators: a range of ranks: 2 to 5 of 8 markets
                _("{first} to {last} of {n}").format(
                    first=formats.count(row.rank_lower),
                    last=formats.count(row.rank_upper),
                    n=formats.count(row.n_markets),
                )
                for row in rows.itertuples()
            ],
            N_("More than chance"): [_("yes") if p < 0.05 else _("no") for p in rows["p_holm"]],
        }
    )
    return table(
        frame,
        name="compared-with-others",
        caption=_("Compared with all other markets together"),
        notes=[_("Rank: 1 is the highest share; between these in 95% of draws. More than chance: p below 0.05, "
                 "corrected for all markets (Holm).")],
        left=["Customers who …"],
    )  # fmt: skip


def revenue_bridge(sheet: Sheet, *, last: int = 6) -> Shown:
    """Return where the revenue of each closed period came from, and net and gross revenue retention."""
    if "revenue_bridge" not in sheet.tables:
        return _no_money("revenue-bridge")
    rows = sheet.tables["revenue_bridge"].tail(last)
    titles = {
        "opening": N_("Before"),
        "expansion": N_("More by the retained"),
        "contraction": N_("Less by the retained"),
        "lapsed": N_("Left"),
        "reactivated": N_("Came back"),
        "new": N_("New"),
        "closing": N_("Now"),
    }
    frame = _amounts(rows, titles)
    for rate, title in (("net_revenue_retention", N_("NRR")), ("gross_revenue_retention", N_("GRR"))):
        frame[title] = [formats.percent(value) for value in rows[rate]]
    caption = _("Net revenue, {currency}: where it came from and where it went").format(currency=sheet.market.currency)
    return table(frame, name="revenue-bridge", caption=caption, left=["Period"])


def revenue_change(sheet: Sheet, *, last: int = 4) -> Shown:
    """Return what moved revenue against the same period a year before: customers, frequency or order value."""
    if "revenue_change" not in sheet.tables:
        return _no_money("revenue-change")
    rows = sheet.tables["revenue_change"].tail(last)
    titles = {
        "then": N_("A year before"),
        "now": N_("Now"),
        "revenue_change": N_("Change"),
        "of_customers": N_("by more or fewer customers"),
        "of_frequency": N_("by orders per customer"),
        "of_order_value": N_("by order value"),
    }
    caption = _("What moved net revenue, {currency}").format(currency=sheet.market.currency)
    told = table(_amounts(rows, titles), name="revenue-change", caption=caption, left=["Period"])
    ends = {titles[name]: _amount_intervals(rows, name) for name in EFFECTS}
    frame = pd.DataFrame({N_("Period"): _periods(rows["period"])}).assign(**ends)
    sure = table(frame, name="revenue-change-intervals", caption=_("95% interval"), left=["Period"])
    return Shown(told.html + sure.html, f"{told.text}\n\n{sure.text}")


def _amount_intervals(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the intervals of amounts in units of currency."""
    ends = zip(rows[f"{name}_lower"], rows[f"{name}_upper"], strict=True)
    return [
        formats.between(formats.count(low), formats.count(high)) if pd.notna(low) else formats.ABSENT
        for low, high in ends
    ]


def _amounts(rows: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the amounts of each period as they are shown, by title."""
    shown = {title: _counts(rows[column], rows["hidden"]) for column, title in titles.items()}
    return pd.DataFrame({N_("Period"): _periods(rows["period"])}).assign(**shown)


def _no_money(name: str) -> Shown:
    told = pd.DataFrame({"": [_("Its markets have several currencies, which are not added up.")]})
    return table(told, name=name, caption=_("Net revenue"), left=[""])


def markets_compared(sheet: GroupSheet, *, metric: str) -> Shown:
    """Return a share of each market against all others, with corrected tests, the pooled share and the rank."""
    rows = sheet.tables["compared"]
    rows = rows[rows["metric"] == metric].sort_values("rank", ignore_index=True)
    frame = pd.DataFrame(
        {
            N_("Market"): [place(sheet.names[code]) for code in rows["market"]],
            N_("Share"): [formats.percent(share) for share in rows["share"]],
            N_("95% interval"): _intervals(rows),
            N_("n"): [formats.count(n) for n in rows["n"]],
            N_("Difference, points"): [_signed(value) for value in rows["difference"]],
            N_("its interval"): [
                formats.between(_signed(a), _signed(b))
                for a, b in zip(rows["difference_lower"], rows["difference_upper"], strict=True)
            ],
            N_("p, Holm"): [_p(p) for p in rows["p_holm"]],
            N_("p, BH"): [_p(p) for p in rows["p_bh"]],
            N_("Drawn to all"): [formats.percent(share) for share in rows["pooled"]],
            N_("Rank"): [
                formats.between(formats.count(a), formats.count(b))
                for a, b in zip(rows["rank_lower"], rows["rank_upper"], strict=True)
            ],
        }
    )
    return table(
        frame,
        name=f"markets-{metric.replace('_', '-')}",
        caption=_("Customers who {did}").format(did=asked(metric, sheet)),
        notes=[_("Difference: from all other markets together. Drawn to all: small markets are pulled to the mean of "
                 "all, as far as their size asks for it. Rank: of that share, between these in 95% of draws.")],
        left=["Market"],
    )  # fmt: skip


def what_changed(sheet: GroupSheet) -> Shown:
    """Return for each market where retention changed against the year before, and the rate of the last period."""
    changes = sheet.tables["changes"].set_index("market")
    rows = []
    for reading in sheet.tables["readings"].itertuples():
        change = changes.loc[reading.market] if reading.market in changes.index else None
        rows.append(
            {
                N_("Market"): place(sheet.names[reading.market]),
                N_("In the table of cohorts and ages"): reading_told(reading, grain=sheet.grain),
                **_beside_year_before(change, share=N_("Retention rate")),
            }
        )
    return table(
        pd.DataFrame(rows),
        name="what-changed",
        caption=_("Against the year before"),
        notes=[_("Alarm: more than chance, corrected for all markets (Benjamini–Hochberg), and enough customers.")],
        left=["Market", "In the table of cohorts and ages"],
    )


def _beside_year_before(change: pd.Series | None, *, share: str) -> dict[str, str]:
    """Return a share beside that of the year before, by title; absent where there is none."""
    told = dict.fromkeys([share, N_("n"), N_("A year before"), N_("Difference, points")], formats.ABSENT)
    if change is not None:
        told |= {
            share: formats.percent(change["share"]),
            "n": formats.count(change["n"]),
            "A year before": formats.percent(change["share_then"]),
            "Difference, points": formats.between(_signed(change["lower"]), _signed(change["upper"])),
        }
    return told | {N_("Alarm"): _("yes") if change is not None and change["alarm"] else _("no")}


SHARES_WATCHED = {
    "customer_retention_rate": N_("stayed active in the period"),
    "repeat_customer_rate": N_("ordered more than once in the period"),
    "classic_retention": N_("ordered again in the period after their first"),
}
"""The shares that are watched for anomalies, and what their customers did."""


def anomalies(sheet: GroupSheet) -> Shown:
    """Return every share of every market beside the year before, with the alarms that are left after correction."""
    rows = sheet.tables["anomalies"]
    columns = [N_("Market"), N_("Customers who …"), N_("Period"), N_("Share"), "n"]
    columns += ["A year before", "Difference, points", "Alarm"]
    told = [
        {
            "Market": place(sheet.names[change["market"]]),
            "Customers who …": _(SHARES_WATCHED[change["metric"]]),
            "Period": formats.period(change["period"]),
            **_beside_year_before(change, share="Share"),
        }
        for _nth, change in rows.iterrows()
    ]
    return table(
        pd.DataFrame(told, columns=columns),
        name="anomalies",
        caption=_("Every share against the year before"),
        notes=[_("Alarms are corrected for all markets and shares of this table together (Benjamini–Hochberg).")],
        left=["Market", "Customers who …", "Period"],
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


def mix_and_rate(sheet: GroupSheet) -> Shown:
    """Return how much of each market's difference from the others is another mix of customers, by each cut."""
    rows = sheet.tables["mix"]
    mixes = rows.pivot(index="market", columns="cut", values="mix")
    of_market = rows.drop_duplicates("market").set_index("market")
    codes = [code for code in sheet.names if code in of_market.index]
    frame = pd.DataFrame(
        {
            N_("Market"): [place(sheet.names[code]) for code in codes],
            N_("n"): [formats.count(of_market.loc[code, "n"]) for code in codes],
            N_("Difference, points"): [_signed(of_market.loc[code, "difference"]) for code in codes],
        }
    )
    for cut in mixes:
        of_cut = where(rows, cut=cut).set_index("market").reindex(codes)
        frame[_MIX_OF.get(cut, cut)] = [_mix_told(row) for row in of_cut.itertuples()]
    caption = _("Second order within 90 days: is the difference who comes, or how they behave?")
    notes = [
        _("What is not mix is rates: the same customers behave otherwise. Each cut by itself."),
        _("In brackets the 95% interval of the mix, of customers drawn again."),
    ]
    return table(frame, name="mix-and-rate", caption=caption, notes=notes, left=["Market"])


def _mix_told(row) -> str:
    if pd.isna(row.mix):
        return formats.ABSENT
    interval = formats.between(_signed(row.mix_lower), _signed(row.mix_upper))
    return _("{value} ({interval})").format(value=_signed(row.mix), interval=interval)


_MIX_OF = {
    "acquisition_channel": N_("of it, mix of acquisition channels"),
    "coupon": N_("of it, mix of coupons"),
    "season": N_("of it, mix of seasons"),
}


def movers(sheet: GroupSheet) -> Shown:
    """Return customers of each market, and from where to where they moved."""
    rows = sheet.tables["movers"]
    names = {**sheet.names, "other": _("other pairs together")}
    frame = pd.DataFrame(
        {
            N_("First order in"): [place(names[code]) for code in rows["market"]],
            N_("Last order in"): [place(names[code]) for code in rows["to_market"]],
            N_("Customers"): [formats.count(n) for n in rows["n_customers"]],
        }
    )
    if frame.empty:
        frame = pd.DataFrame(
            [{"First order in": _("nobody, or too few to show"), "Last order in": "", "Customers": ""}]
        )
    caption = _("Customers who moved: in two markets each, once in the group")
    return table(frame, name="movers", caption=caption, left=["First order in", "Last order in"])


def group_revenue(sheet: GroupSheet) -> Shown:
    """Return revenue of the last year in the group's currency, at the rates of the days and at constant rates."""
    if "revenue" not in sheet.tables or sheet.tables["revenue"].empty:
        why = _("No currency of the group, no exchange rates, or less than two years of closed periods.")
        told = pd.DataFrame({"": [why]})
        return table(told, name="group-revenue", caption=_("Net revenue of all markets"), left=[""])
    rows = sheet.tables["revenue"]
    names = {**sheet.names, GROUP: _("All markets shown")}
    titles = {
        "then": N_("Year before"),
        "now": N_("Last year"),
        "change": N_("Change"),
        "change_constant": N_("of it, at constant rates"),
        "fx_effect": N_("of it, exchange rates"),
    }
    frame = pd.DataFrame({N_("Market"): [place(names[code]) for code in rows["market"]]})
    for column, title in titles.items():
        frame[title] = [formats.whole_money(value, currency=sheet.currency) for value in rows[column]]
    return table(
        frame,
        name="group-revenue",
        caption=_("Net revenue of the last year's closed periods"),
        notes=[_("At the rate of each order's day; constant rates are those of the last day before as_of.")],
        left=["Market"],
    )


def _signed(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    sign = "" if round(abs(difference) * 100, 1) == 0 else "+" if difference > 0 else "−"
    return f"{sign}{formats.points(difference)}"


def _p(p: float) -> str:
    return f"< {formats.decimal(0.001, digits=3)}" if p < 0.001 else formats.decimal(p, digits=3)


def data_quality(rows: Sequence[dict], left_out_counts: pd.DataFrame) -> Shown:
    """Return what was refused or noticed in the data, and which orders of the market count as nothing.

    Parameters
    ----------
    rows : findings of reading, as dictionaries.
    left_out_counts : (n_reasons, 3), the market's, from `counts.left_out_counts`.
    """
    found = [{N_("Table"): row["table"], N_("Finding"): finding(row)} for row in rows]
    found += [
        {
            "Table": "orders",
            "Finding": ngettext(
                "{n} order of this market counts as nothing: {why}",
                "{n} orders of this market count as nothing: {why}",
                row.n_orders,
            ).format(n=formats.count(row.n_orders), why=left_out_because(row.reason)),
        }
        for row in left_out_counts.itertuples()
    ]
    nothing = {"Table": _("all"), "Finding": _("nothing was refused, and every order counts")}
    frame = pd.DataFrame(found or [nothing])
    return table(frame, name="findings", caption=_("What was found in the data"), left=["Table", "Finding"])


def metric_table() -> str:
    """Return every metric of the kit as a Markdown table: the README's, generated."""
    lines = ["| metric | unit | definition |", "|---|---|---|"]
    lines += [f"| `{m.name}` | {m.unit} | {m.definition} |" for m in METRICS.values()]
    return "\n".join(lines)


def _counts(counts: pd.Series, hidden: pd.Series) -> list[str]:
    """Return counts as they are shown; of a row in which something is hidden, one that is missing is."""
    return [_("hidden") if small and pd.isna(n) else formats.count(n) for n, small in zip(counts, hidden, strict=True)]


def _intervals(rows: pd.DataFrame) -> list[str]:
    return [formats.share_interval(lower, upper) for lower, upper in zip(rows["lower"], rows["upper"], strict=True)]


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
    return [beside(refunds.get(sheet.refund_policy, ""), active.format(days=formats.count(days)))]


def _truncation_notes(base: pd.DataFrame) -> list[str]:
    cut = base[base["left_truncated"] == 1]["period"]
    reaches = _("{periods}: the base at the start reaches back before the data begin.")
    return [reaches.format(periods=formats.separated(map(formats.period, cut)))] if len(cut) else []


def _periods(labels: Iterable[str]) -> list[str]:
    return [formats.period(label) for label in labels]


def _days(days: int) -> str:
    return ngettext("{n} day", "{n} days", days).format(n=formats.count(days))
