"""The answer in sentences: each tied to the numbers it speaks of, silent where a difference may be chance.

No sentence names a cause: nothing here was randomised.
"""

from markupsafe import escape

from retention_kit.config import GROUP
from retention_kit.metrics import Sheet, difference_of_shares
from retention_kit.metrics.group import SHARES, GroupSheet
from retention_kit.metrics.rows import where
from retention_kit.periods import label
from retention_kit.present import formats
from retention_kit.present.headlines import interval, shown
from retention_kit.present.tables import Shown, reading_told


def in_short(sheet: Sheet) -> Shown:
    """Return the answer to the report's question as a short list of sentences."""
    told = sentences(sheet)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in told))


def sentences(sheet: Sheet) -> list[str]:
    """Return the sentences themselves, most important first."""
    told = [
        *(_retention(sheet), _compared(sheet), _change(sheet), what_changed(sheet)),
        *(_flow(sheet), _second_purchase(sheet), _worth(sheet)),
    ]
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
    base = where(sheet.tables["active_base"], rule="window").tail(a_year + 1)
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


def _compared(sheet: Sheet) -> str:
    """Compare with the other markets; say nothing where chance alone may make the difference, looked at so often."""
    rows = sheet.tables.get("compared")
    if rows is None or rows.empty:
        return ""
    rows = rows[(rows["metric"] == "customer_retention_rate") & (rows["p_holm"] < 0.05)]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    word = "more" if row["difference"] > 0 else "less"
    ends = [formats.decimal(row[name] * 100, digits=1) for name in ("difference_lower", "difference_upper")]
    return (
        f"That is {formats.points(row['difference'])} points {word} than in all other markets together "
        f"({formats.percent(row['others'])}; difference {ends[0]} to {ends[1]} points)."
    )


def what_changed(sheet: Sheet) -> str:
    """Return where in the table of cohorts and ages retention changed against the year before; empty where nowhere."""
    reading = sheet.reading
    if reading.kind == "none":
        return ""
    word = "fell" if reading.ratio < 1 else "rose"
    at = str(reading.at) if reading.kind == "age" else label(reading.at, grain=sheet.grain)
    where = {
        "period": f"among all cohorts in {at}, and not before or after it: look for what happened to everybody then",
        "cohorts": f"among customers new since {at}, and not among older ones: look at who came, and how",
        "age": f"among all cohorts at age {at}, counted in {sheet.grain}s, and at no other: look at what happens then",
    }
    ratio, lower, upper = (formats.decimal(value, digits=2) for value in (reading.ratio, reading.lower, reading.upper))
    return (
        f"Against the year before, retention {word} {where[reading.kind]} "
        f"({ratio} times what was to be expected, {lower} to {upper})."
    )


def _flow(sheet: Sheet) -> str:
    base = where(sheet.tables["active_base"], rule="window").tail(1)
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
    rows = where(sheet.tables["returned"], cut="everybody", hidden=False)
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


def group_in_short(sheet: GroupSheet) -> Shown:
    """Return the answer of the group's report as a short list of sentences."""
    told = group_sentences(sheet)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return Shown(f'<ul class="rk-in-short">{items}</ul>', "\n".join(f"- {sentence}" for sentence in told))


def group_sentences(sheet: GroupSheet) -> list[str]:
    """Return the sentences about all markets, most important first; of no difference that chance may have made."""
    told = [_who_there_is(sheet), *_who_differs(sheet), *_where_changed(sheet), _exchange_rates(sheet)]
    return [sentence for sentence in told if sentence]


def _who_there_is(sheet: GroupSheet) -> str:
    customers = sheet.tables["customers"].set_index("market")["n_customers"]
    n_markets = len(sheet.names)
    hidden = f" Too small to show: {', '.join(sheet.hidden)}." if sheet.hidden else ""
    if GROUP not in customers.index:
        return f"{n_markets} markets are shown.{hidden}"
    more = customers.drop(GROUP).sum() - customers[GROUP]
    moved = f"; {formats.count(more)} are counted in one market more, for they moved" if more >= sheet.min_cell else ""
    return f"{formats.count(customers[GROUP])} customers have ordered in {n_markets} markets{moved}."


def _who_differs(sheet: GroupSheet) -> list[str]:
    compared = sheet.tables["compared"]
    told = []
    for metric in ("customer_retention_rate", "returned_share"):
        rows = compared[compared["metric"] == metric]
        if rows.empty:
            continue
        sure = rows[rows["p_holm"] < 0.05].sort_values("difference")
        asked = SHARES[metric].format(grain=sheet.grain, base_grain=sheet.base_grain)
        if sure.empty:
            told.append(f"No market differs from the others by more than chance in the customers who {asked}.")
            continue
        named = [
            f"{sheet.names[row.market]} {formats.percent(row.share)} ({formats.share_interval(row.lower, row.upper)}, "
            f"n {formats.count(row.n)})"
            for row in sure.itertuples()
        ]
        told.append(f"Customers who {asked} are more or fewer than elsewhere, beyond chance, in {'; '.join(named)}.")
    return told


def _where_changed(sheet: GroupSheet) -> list[str]:
    readings = sheet.tables["readings"].query("kind != 'none'")
    return [
        f"{sheet.names[row.market]}: retention {'fell' if row.ratio < 1 else 'rose'} among "
        f"{reading_told(row, grain=sheet.grain)}."
        for row in readings.itertuples()
    ]


def _exchange_rates(sheet: GroupSheet) -> str:
    rows = sheet.tables.get("revenue")
    if rows is None or GROUP not in set(rows["market"]):
        return ""
    row = rows.set_index("market").loc[GROUP]
    change, constant, effect = (
        formats.whole_money(row[name], currency=sheet.currency) for name in ("change", "change_constant", "fx_effect")
    )
    return (
        f"Net revenue of the last year changed by {change} against the year before: {constant} at constant exchange "
        f"rates, {effect} by the rates themselves."
    )
