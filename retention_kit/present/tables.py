"""Tables that read well in a report and in a notebook: great_tables for HTML, plain text beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from great_tables import GT
from markupsafe import escape

from retention_kit.config import GROUP
from retention_kit.metrics import METRICS, Sheet
from retention_kit.metrics.group import SHARES, GroupSheet
from retention_kit.metrics.rows import where
from retention_kit.present import formats, headlines

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
    frame: pd.DataFrame, *, name: str, caption: str, notes: Sequence[str] = (), left: Sequence[str] = ()
) -> Shown:
    """Return a frame of texts as a table, its numbers to the right.

    Parameters
    ----------
    frame : what to show, each cell already written for the reader.
    name : id of the table in the page.
    caption : one line above it.
    notes : lines below it.
    left : columns of words.
    """
    right = [column for column in frame if column not in left]
    shown = GT(frame, id=name).tab_header(title=caption).cols_align("right", columns=right)
    shown = shown.cols_align("left", columns=list(left))
    for note in notes:
        shown = shown.tab_source_note(note)
    html = re.sub(r"<style>.*?</style>", "", shown.as_raw_html(), flags=re.DOTALL)
    html = re.sub(r' style="[^"]*"', "", html)  # the page's own style sheet dresses it
    text = "\n".join([caption, frame.to_string(index=False), *notes])
    return Shown(html.replace('class="gt_table"', 'class="gt_table rk-table"'), text)


def cards(sheet: Sheet) -> Shown:
    """Return the first numbers to read, each with its interval and the customers it is about."""
    chosen = [sheet.headlines[name] for name in _CARDS if name in sheet.headlines]
    rows = [
        (
            h.label,
            headlines.shown(h),
            headlines.interval(h) or h.note.split(";")[0],
            f"n {formats.count(h.n)}",
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
            "Number": h.label,
            "Value": headlines.shown(h),
            "95% interval": headlines.interval(h),
            "n": formats.count(h.n) if h.n is not None else formats.ABSENT,
            "From, until (not included)": h.window.replace(" to ", ", "),
            "What it is": " ".join(filter(None, [h.definition, h.note and f"({h.note})"])),
        }
        for h in sheet.headlines.values()
    ]
    return table(
        pd.DataFrame(rows),
        name="definitions",
        caption="Every number, and what it means",
        notes=_policies(sheet),
        left=["Number", "From, until (not included)", "What it is"],
    )


def active_base(sheet: Sheet, *, rule: str = "window", last: int = 6) -> Shown:
    """Return where the active base came from and where it went, for the last closed periods."""
    base = where(sheet.tables["active_base"], rule=rule).tail(last)
    counts = {
        "n_start": "Start",
        "n_new": "New",
        "n_reactivated": "Came back",
        "n_lapsed": "Left",
        "n_end": "End",
    }
    frame = pd.DataFrame({"Period": base["period"]})
    for column, title in counts.items():
        frame[title] = _counts(base[column], base["hidden"])
    frame["Retention rate"] = [formats.percent(value) for value in base["customer_retention_rate"]]
    frame["95% interval"] = _intervals(base)
    frame["Textbook rate"] = [formats.percent(value) for value in base["textbook_retention_rate"]]
    return table(
        frame,
        name="active-base",
        caption="The active base: who stayed, who left, who came",
        notes=_truncation_notes(base),
        left=["Period"],
    )


def second_order(sheet: Sheet) -> Shown:
    """Return the share of customers with a second order day within each horizon, of those observed that long."""
    rows = where(sheet.tables["returned"], cut="everybody")
    frame = pd.DataFrame(
        {
            "Within": [f"{days} days" for days in rows["horizon_days"]],
            "Customers observed that long": _counts(rows["n_observed"], rows["hidden"]),
            "Came back": [formats.percent(share) for share in rows["returned_share"]],
            "95% interval": _intervals(rows),
        }
    )
    return table(frame, name="second-order", caption="A second order on another day than the first", left=["Within"])


def compared(sheets: Sequence[Sheet], *, headline: str) -> Shown:
    """Return one headline of several markets, with interval and n."""
    found = [sheet.headlines[headline] for sheet in sheets]
    frame = pd.DataFrame(
        {
            "Market": [sheet.market.name for sheet in sheets],
            found[0].label: [headlines.shown(h) for h in found],
            "95% interval": [headlines.interval(h) for h in found],
            "n": [formats.count(h.n) for h in found],
        }
    )
    return table(frame, name=f"compared-{headline.replace('_', '-')}", caption=found[0].definition, left=["Market"])


def folded(shown: Shown, *, summary: str) -> Shown:
    """Return something to look at behind a line that opens it; in text it stands open."""
    return Shown(f"<details><summary>{escape(summary)}</summary>{shown.html}</details>", shown.text)


def brackets(sheet: Sheet) -> Shown:
    """Return the share of customers with an order in each stretch of days after the first one."""
    rows = sheet.tables["brackets"]
    frame = pd.DataFrame(
        {
            "Days after the first order": [f"{a} to {b}" for a, b in zip(rows.first_day, rows.last_day, strict=True)],
            "Customers observed that long": _counts(rows["n_observed"], rows["hidden"]),
            "Ordered": [formats.percent(share) for share in rows["bracket_retention"]],
            "95% interval": _intervals(rows),
        }
    )
    caption = "An order in each stretch of days, of 24 hours each"
    return table(frame, name="brackets", caption=caption, left=["Days after the first order"])


def next_order(sheet: Sheet) -> Shown:
    """Return the share of customers with n order days who have a next one within a year."""
    rows = sheet.tables["next_order"]
    frame = pd.DataFrame(
        {
            "After order day": [str(nth) for nth in rows["nth"]],
            "Customers": _counts(rows["n"], rows["hidden"]),
            "Order again within a year": [formats.percent(share) for share in rows["next_order_share"]],
            "95% interval": _intervals(rows),
        }
    )
    return table(frame, name="next-order", caption="From order to order, recent customers as far as seen", left=[])


def sensitivity(sheet: Sheet) -> Shown:
    """Return the headlines under the other definitions of them: how much of a number is its definition."""
    rows = sheet.tables["sensitivity"]
    frame = pd.DataFrame(
        {
            "Question": rows["question"].where(~rows["question"].duplicated(), ""),
            "Definition": rows["definition"],
            "Answer": [formats.percent(value) for value in rows["value"]],
            "95% interval": _intervals(rows),
            "n": _counts(rows["n"], rows["hidden"]),
        }
    )
    return table(
        frame, name="sensitivity", caption="The same question, asked otherwise", left=["Question", "Definition"]
    )


def compared_with_others(sheet: Sheet) -> Shown:
    """Return how this market differs from all others together, corrected for looking at many markets."""
    rows = sheet.tables["compared"]
    if rows.empty:
        told = pd.DataFrame({"": ["There is no other market to compare with, or this one is too small."]})
        return table(told, name="compared-with-others", caption="Compared with the other markets", left=[""])
    frame = pd.DataFrame(
        {
            "Customers who …": [_asked(metric, sheet) for metric in rows["metric"]],
            "Here": [formats.percent(share) for share in rows["share"]],
            "n": [formats.count(n) for n in rows["n"]],
            "Other markets": [formats.percent(share) for share in rows["others"]],
            "Difference, points": [_signed(value) for value in rows["difference"]],
            "95% interval": [
                f"{_signed(a)} to {_signed(b)}"
                for a, b in zip(rows["difference_lower"], rows["difference_upper"], strict=True)
            ],
            "Rank": [f"{row.rank_lower} to {row.rank_upper} of {row.n_markets}" for row in rows.itertuples()],
            "More than chance": ["yes" if p < 0.05 else "no" for p in rows["p_holm"]],
        }
    )
    return table(
        frame,
        name="compared-with-others",
        caption="Compared with all other markets together",
        notes=["Rank: 1 is the highest share; between these in 95% of draws. More than chance: p below 0.05, "
               "corrected for all markets (Holm)."],
        left=["Customers who …"],
    )  # fmt: skip


def revenue_bridge(sheet: Sheet, *, last: int = 6) -> Shown:
    """Return where the revenue of each closed period came from, and net and gross revenue retention."""
    if "revenue_bridge" not in sheet.tables:
        return _no_money("revenue-bridge")
    rows = sheet.tables["revenue_bridge"].tail(last)
    titles = {
        "opening": "Before",
        "expansion": "More by the retained",
        "contraction": "Less by the retained",
        "lapsed": "Left",
        "reactivated": "Came back",
        "new": "New",
        "closing": "Now",
    }
    frame = _amounts(rows, titles)
    for rate, title in (("net_revenue_retention", "NRR"), ("gross_revenue_retention", "GRR")):
        frame[title] = [formats.percent(value) for value in rows[rate]]
    caption = f"Net revenue, {sheet.market.currency}: where it came from and where it went"
    return table(frame, name="revenue-bridge", caption=caption, left=["Period"])


def revenue_change(sheet: Sheet, *, last: int = 4) -> Shown:
    """Return what moved revenue against the same period a year before: customers, frequency or order value."""
    if "revenue_change" not in sheet.tables:
        return _no_money("revenue-change")
    rows = sheet.tables["revenue_change"].tail(last)
    titles = {
        "then": "A year before",
        "now": "Now",
        "revenue_change": "Change",
        "of_customers": "by more or fewer customers",
        "of_frequency": "by orders per customer",
        "of_order_value": "by order value",
    }
    frame = _amounts(rows, titles)
    caption = f"What moved net revenue, {sheet.market.currency}"
    return table(frame, name="revenue-change", caption=caption, left=["Period"])


def _amounts(rows: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the amounts of each period as they are shown, by title."""
    shown = {title: _counts(rows[column], rows["hidden"]) for column, title in titles.items()}
    return pd.DataFrame({"Period": rows["period"]}).assign(**shown)


def _no_money(name: str) -> Shown:
    told = pd.DataFrame({"": ["Its markets have several currencies, which are not added up."]})
    return table(told, name=name, caption="Net revenue", left=[""])


def markets_compared(sheet: GroupSheet, *, metric: str) -> Shown:
    """Return a share of each market against all others, with corrected tests, the pooled share and the rank."""
    rows = sheet.tables["compared"]
    rows = rows[rows["metric"] == metric].sort_values("rank", ignore_index=True)
    frame = pd.DataFrame(
        {
            "Market": [sheet.names[code] for code in rows["market"]],
            "Share": [formats.percent(share) for share in rows["share"]],
            "95% interval": _intervals(rows),
            "n": [formats.count(n) for n in rows["n"]],
            "Difference, points": [_signed(value) for value in rows["difference"]],
            "its interval": [
                f"{_signed(a)} to {_signed(b)}"
                for a, b in zip(rows["difference_lower"], rows["difference_upper"], strict=True)
            ],
            "p, Holm": [_p(p) for p in rows["p_holm"]],
            "p, BH": [_p(p) for p in rows["p_bh"]],
            "Drawn to all": [formats.percent(share) for share in rows["pooled"]],
            "Rank": [f"{a} to {b}" for a, b in zip(rows["rank_lower"], rows["rank_upper"], strict=True)],
        }
    )
    return table(
        frame,
        name=f"markets-{metric.replace('_', '-')}",
        caption=f"Customers who {_asked(metric, sheet)}",
        notes=["Difference: from all other markets together. Drawn to all: small markets are pulled to the mean of "
               "all, as far as their size asks for it. Rank: of that share, between these in 95% of draws."],
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
                "Market": sheet.names[reading.market],
                "In the table of cohorts and ages": reading_told(reading, grain=sheet.grain),
                "Retention rate": formats.ABSENT if change is None else formats.percent(change["share"]),
                "n": formats.ABSENT if change is None else formats.count(change["n"]),
                "A year before": formats.ABSENT if change is None else formats.percent(change["share_then"]),
                "Difference, points": formats.ABSENT
                if change is None
                else f"{_signed(change['lower'])} to {_signed(change['upper'])}",
                "Alarm": "yes" if change is not None and change["alarm"] else "no",
            }
        )
    return table(
        pd.DataFrame(rows),
        name="what-changed",
        caption="Against the year before",
        notes=["Alarm: more than chance, corrected for all markets (Benjamini–Hochberg), and enough customers."],
        left=["Market", "In the table of cohorts and ages"],
    )


def reading_told(reading, *, grain: str) -> str:
    """Return in words where retention changed: `reading` has kind, at (written), ratio, lower, upper."""
    if reading.kind == "none":
        return "no one place stands out"
    places = {
        "period": f"all cohorts in {reading.at}",
        "cohorts": f"customers new since {reading.at}",
        "age": f"all cohorts at age {reading.at}, in {grain}s",
    }
    ratio, lower, upper = (formats.decimal(value, digits=2) for value in (reading.ratio, reading.lower, reading.upper))
    return f"{places[reading.kind]}: {ratio} times what was to be expected ({lower} to {upper})"


def mix_and_rate(sheet: GroupSheet) -> Shown:
    """Return how much of each market's difference from the others is another mix of customers, by each cut."""
    rows = sheet.tables["mix"]
    mixes = rows.pivot(index="market", columns="cut", values="mix")
    of_market = rows.drop_duplicates("market").set_index("market")
    codes = [code for code in sheet.names if code in of_market.index]
    frame = pd.DataFrame(
        {
            "Market": [sheet.names[code] for code in codes],
            "n": [formats.count(of_market.loc[code, "n"]) for code in codes],
            "Difference, points": [_signed(of_market.loc[code, "difference"]) for code in codes],
        }
    )
    for cut in mixes:
        frame[f"of it, mix of {cut.replace('_', ' ')}s"] = [
            formats.ABSENT if pd.isna(mixes.loc[code, cut]) else _signed(mixes.loc[code, cut]) for code in codes
        ]
    caption = "Second order within 90 days: is the difference who comes, or how they behave?"
    notes = ["What is not mix is rates: the same customers behave otherwise. Each cut by itself."]
    return table(frame, name="mix-and-rate", caption=caption, notes=notes, left=["Market"])


def movers(sheet: GroupSheet) -> Shown:
    """Return customers of each market, and from where to where they moved."""
    rows = sheet.tables["movers"]
    names = {**sheet.names, "other": "other pairs together"}
    frame = pd.DataFrame(
        {
            "First order in": [names[code] for code in rows["market"]],
            "Last order in": [names[code] for code in rows["to_market"]],
            "Customers": [formats.count(n) for n in rows["n_customers"]],
        }
    )
    if frame.empty:
        frame = pd.DataFrame([{"First order in": "nobody, or too few to show", "Last order in": "", "Customers": ""}])
    caption = "Customers who moved: in two markets each, once in the group"
    return table(frame, name="movers", caption=caption, left=["First order in", "Last order in"])


def group_revenue(sheet: GroupSheet) -> Shown:
    """Return revenue of the last year in the group's currency, at the rates of the days and at constant rates."""
    if "revenue" not in sheet.tables or sheet.tables["revenue"].empty:
        why = "No currency of the group, no exchange rates, or less than two years of closed periods."
        told = pd.DataFrame({"": [why]})
        return table(told, name="group-revenue", caption="Net revenue of all markets", left=[""])
    rows = sheet.tables["revenue"]
    names = {**sheet.names, GROUP: "All markets shown"}
    titles = {
        "then": "Year before",
        "now": "Last year",
        "change": "Change",
        "change_constant": "of it, at constant rates",
        "fx_effect": "of it, exchange rates",
    }
    frame = pd.DataFrame({"Market": [names[code] for code in rows["market"]]})
    for column, title in titles.items():
        frame[title] = [formats.whole_money(value, currency=sheet.currency) for value in rows[column]]
    return table(
        frame,
        name="group-revenue",
        caption="Net revenue of the last year's closed periods",
        notes=["At the rate of each order's day; constant rates are those of the last day before as_of."],
        left=["Market"],
    )


def _asked(metric: str, sheet: Sheet | GroupSheet) -> str:
    return SHARES[metric].format(grain=sheet.grain, base_grain=sheet.base_grain)


def _signed(difference: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    points = formats.points(difference)
    sign = "" if float(points.replace(",", "")) == 0 else "+" if difference > 0 else "−"
    return f"{sign}{points}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else formats.decimal(p, digits=3)


def data_quality(rows: Sequence[dict], left_out_counts: pd.DataFrame) -> Shown:
    """Return what was refused or noticed in the data, and which orders of the market count as nothing.

    Parameters
    ----------
    rows : findings of reading, as dictionaries.
    left_out_counts : (n_reasons, 3), the market's, from `counts.left_out_counts`.
    """
    told = [{"Table": row["table"], "Finding": row["text"]} for row in rows]
    told += [
        {
            "Table": "orders",
            "Finding": f"{formats.count(row.n_orders)} orders of this market count as nothing: {row.reason}",
        }
        for row in left_out_counts.itertuples()
    ]
    frame = pd.DataFrame(told or [{"Table": "all", "Finding": "nothing was refused, and every order counts"}])
    return table(frame, name="findings", caption="What was found in the data", left=["Table", "Finding"])


def metric_table() -> str:
    """Return every metric of the kit as a Markdown table: the README's, generated."""
    lines = ["| metric | unit | definition |", "|---|---|---|"]
    lines += [f"| `{m.name}` | {m.unit} | {m.definition} |" for m in METRICS.values()]
    return "\n".join(lines)


def _counts(counts: pd.Series, hidden: pd.Series) -> list[str]:
    return ["hidden" if small else formats.count(n) for n, small in zip(counts, hidden, strict=True)]


def _intervals(rows: pd.DataFrame) -> list[str]:
    return [formats.share_interval(lower, upper) for lower, upper in zip(rows["lower"], rows["upper"], strict=True)]


def _policies(sheet: Sheet) -> list[str]:
    """Return what holds of all numbers: when a refund counts, and who is active."""
    refunds = {
        "order": "A refund lowers the order it belongs to.",
        "processed": "A refund counts on the day it is processed.",
    }
    told = [refunds.get(sheet.refund_policy, "")]
    told.append(f"Active: a kept order in the {sheet.market.activity_window_days} days before.")
    return [" ".join(filter(None, told))]


def _truncation_notes(base: pd.DataFrame) -> list[str]:
    cut = base[base["left_truncated"] == 1]["period"]
    return [f"{', '.join(cut)}: the base at the start reaches back before the data begin."] if len(cut) else []
