"""Tables that read well in a report and in a notebook: great_tables for HTML, plain text beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from great_tables import GT
from markupsafe import escape

from retention_kit.metrics import METRICS, Sheet
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
        left=["Number", "From, until (not included)", "What it is"],
    )


def active_base(sheet: Sheet, *, rule: str = "window", last: int = 6) -> Shown:
    """Return where the active base came from and where it went, for the last closed periods."""
    base = sheet.tables["active_base"].query("rule == @rule").tail(last)
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
    rows = sheet.tables["returned"].query("cut == 'everybody'")
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


def _truncation_notes(base: pd.DataFrame) -> list[str]:
    cut = base[base["left_truncated"] == 1]["period"]
    return [f"{', '.join(cut)}: the base at the start reaches back before the data begin."] if len(cut) else []
