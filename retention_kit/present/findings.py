"""What was found in the data, in words: each reason a sentence of its own."""

from collections.abc import Mapping
from typing import Any

from retention_kit.present import formats
from retention_kit.present.languages import ENGLISH, N_, _, current

_ROWS = {
    # Translators: rows of a table, after a number: "1,204 of 3,310,442 orders have no customer_id"
    "order lines": N_("order lines"),
    "orders": N_("orders"),
    "customers": N_("customers"),
    "engagement": N_("engagement"),
    "tickets": N_("tickets"),
    "surveys": N_("surveys"),
    "assignments": N_("assignments"),
    "subscriptions": N_("subscriptions"),
    "exchange rates": N_("exchange rates"),
}
_REASONS = {
    "unreadable_row": N_("{n} of {of} {rows} have more or fewer columns than the header, or a broken quote"),
    "left_out": N_("{n} of {of} {rows} are left out by 'where'"),
    "unknown_market": N_("{n} of {of} {rows} have a market that is not declared"),
    "unknown_currency": N_("{n} of {of} {rows} have a currency that is not in ISO 4217"),
    "no_exchange_rate": N_("{n} of {of} {rows} have a currency that is not the market's own and has no exchange rate"),
    "mixed_order": N_("{n} of {of} {rows} have lines of different customers, markets or currencies"),
    "incomplete_order": N_("{n} of {of} {rows} have lines that were refused"),
    "repeated_order_id": N_("{n} of {of} {rows} repeat an order_id of their market"),
    "repeated_customer_id": N_("{n} of {of} {rows} repeat a customer_id of their market; the first one counts"),
    "repeated_rate": N_("{n} of {of} {rows} repeat the date and currency of another rate"),
    "unusable_rate": N_("{n} of {of} {rows} have a rate that is not above zero"),
    "negative_refund": N_("{n} of {of} {rows} have a refunded_amount below zero"),
    "refunded_more_than_paid": N_("{n} of {of} {rows} have more refunded than was paid"),
    "refunded_before_ordered": N_("{n} of {of} {rows} have a refunded_at before ordered_at"),
    "undated_refund": N_("{n} of {of} {rows} have a refund without refunded_at; it counts on the day of the order"),
    "zero_amount": N_("{n} of {of} {rows} have an amount of zero"),
    "negative_amount": N_("{n} of {of} {rows} have an amount below zero"),
}
_OF_A_COLUMN = {
    # Translators: {a_column} is the bare name of a column, such as customer_id
    "no": (N_("{n} of {of} {rows} have no {column}"),),
    "unparsable": (
        N_("{n} of {of} {rows} have {a_column} that is not a date as declared"),
        N_("{n} of {of} {rows} have {a_column} that is not a number as declared"),
        N_("{n} of {of} {rows} have {a_column} that is neither true nor false"),
        N_("{n} of {of} {rows} have {a_column} that cannot be read"),
    ),
    "far": (N_("{n} of {of} {rows} have {a_column} out of range, before 1900 or after 2199"),),
    "zoneless": (N_("{n} of {of} {rows} have {a_column} without an offset, and no time_zone is declared"),),
    "large": (N_("{n} of {of} {rows} have {a_column} too large to count"),),
    "rounded": (N_("{n} of {of} {rows} have {a_column} that a decimal column has rounded"),),
    "decimal": (N_("{n} of {of} {rows} have {a_column} written as 17850.0, taken as 17850"),),
    "finer": (N_("{n} of {of} {rows} have {a_column} with more decimals than is counted; rounded half to even"),),
}


def finding(row: Mapping[str, Any]) -> str:
    """Return the sentence of a finding in the reader's language; of one that is not known here, its own text.

    Parameters
    ----------
    row : `table`, `reason`, `n`, `of` and `text`, the sentence in English.
    """
    reason = row.get("reason", "")
    about, _sep, column = reason.partition("_")
    templates = (_REASONS[reason],) if reason in _REASONS else _OF_A_COLUMN.get(about, ())
    if not templates:
        return _(row["text"])
    a_column = f"an {column}" if column[:1] in tuple("aeio") else f"a {column}"
    for unit in ("order lines", row["table"].replace("_", " ")):
        english = {"n": f"{row['n']:,}", "of": f"{row['of']:,}", "rows": unit, "column": column, "a_column": a_column}
        for template in templates:
            said = template.format(**english)
            if row["text"].startswith(said):
                told = _(template).format(
                    n=formats.count(row["n"]),
                    of=formats.count(row["of"]),
                    rows=_(_ROWS.get(unit, unit)),
                    column=column,
                    a_column=a_column if current().catalog == ENGLISH else column,
                )
                return told + row["text"].removeprefix(said)
    return row["text"]
