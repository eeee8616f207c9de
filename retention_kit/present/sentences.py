"""The answer in sentences: each tied to the numbers it speaks of, silent where a difference may be chance.

No sentence names a cause: nothing here was randomised.
"""

from markupsafe import escape

from retention_kit.metrics import Sheet, difference_of_shares
from retention_kit.present import formats
from retention_kit.present.headlines import interval, shown
from retention_kit.present.tables import Shown


def in_short(sheet: Sheet) -> Shown:
    """Return the answer to the report's question as a short list of sentences."""
    told = sentences(sheet)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in told))


def sentences(sheet: Sheet) -> list[str]:
    """Return the sentences themselves, most important first."""
    told = [_retention(sheet), _change(sheet), _flow(sheet), _second_purchase(sheet), _worth(sheet)]
    return [sentence for sentence in told if sentence]


def _retention(sheet: Sheet) -> str:
    rate = sheet.headlines["customer_retention_rate"]
    name = sheet.market.name
    if rate.value is None:
        return f"{name}: no retention rate ({rate.note})."
    start, end = rate.window.split(" to ")
    return (
        f"{name}: of the {formats.count(rate.n)} customers who were active on {formats.day(start)}, "
        f"{formats.count(rate.numerator)} were still active on {formats.day(end)}: "
        f"a retention rate of {shown(rate)} (95% interval {interval(rate)})."
    )


def _change(sheet: Sheet) -> str:
    """Compare with the same period a year before; say nothing where chance alone may make the difference."""
    a_year = {"quarter": 4, "month": 12, "year": 1, "week": 52, "day": 365}[sheet.base_grain]
    base = sheet.tables["active_base"].query("rule == 'window'").tail(a_year + 1)
    if len(base) < a_year + 1 or sheet.headlines["customer_retention_rate"].value is None:
        return ""
    then, now = base.iloc[0], base.iloc[-1]
    if then["hidden"] or now["hidden"] or then["left_truncated"] or then["n_start"] == 0 or now["n_start"] == 0:
        return ""
    difference, lower, upper = difference_of_shares(
        now["n_retained"], now["n_start"], then["n_retained"], then["n_start"]
    )
    if lower <= 0 <= upper:
        return ""
    word = "more" if difference > 0 else "less"
    return (
        f"That is {formats.points(difference)} points {word} than a year before, in {then['period']} "
        f"({formats.percent(then['customer_retention_rate'])}, "
        f"{formats.share_interval(then['lower'], then['upper'])}, n {formats.count(then['n_start'])}; difference "
        f"{formats.decimal(lower * 100, digits=1)} to {formats.decimal(upper * 100, digits=1)} points)."
    )


def _flow(sheet: Sheet) -> str:
    base = sheet.tables["active_base"].query("rule == 'window'").tail(1)
    if base.empty or base["hidden"].any():
        return ""
    row = base.iloc[0]
    change = row["n_end"] - row["n_start"]
    word = "grew" if change > 0 else "shrank" if change < 0 else "kept its size"
    by = f" by {formats.count(abs(change))} to {formats.count(row['n_end'])}" if change else ""
    return (
        f"In {row['period']} the active base {word}{by}: of those active at its end {formats.count(row['n_new'])} were "
        f"new and {formats.count(row['n_reactivated'])} had come back after a pause; "
        f"{formats.count(row['n_lapsed'])} of those active at its start were no longer."
    )


def _second_purchase(sheet: Sheet) -> str:
    rows = sheet.tables["returned"].query("cut == 'everybody' and not hidden")
    if rows.empty:
        return ""
    row = rows[rows["horizon_days"] == 90].iloc[0] if (rows["horizon_days"] == 90).any() else rows.iloc[-1]
    return (
        f"After their first order, {formats.percent(row['returned_share'])} came back on another day within "
        f"{formats.count(row['horizon_days'])} days ({formats.share_interval(row['lower'], row['upper'])}; "
        f"{formats.count(row['n_observed'])} customers observed that long)."
    )


def _worth(sheet: Sheet) -> str:
    frequency, order_value, so_far = (
        sheet.headlines.get(name)
        for name in ("purchase_frequency_per_year", "average_order_value", "revenue_per_customer")
    )
    if any(h is None or h.value is None for h in (frequency, order_value, so_far)):
        return ""
    sentence = (
        f"Who ordered in the last year did so {shown(frequency)} times on average; an order is worth "
        f"{shown(order_value)}, and a customer has brought {shown(so_far)} in net revenue so far"
    )
    worth = sheet.headlines.get("clv_simple")
    if worth is None or worth.value is None:
        return f"{sentence}."
    kind = "gross margin" if sheet.market.gross_margin is not None else "revenue"
    return f"{sentence}. The simple formula makes a customer worth {shown(worth)} of {kind} over his lifespan."
