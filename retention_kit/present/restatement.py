"""What moved since the last report: a closed period gives the same number again, or the report says which did not.

Late orders, late refunds and changed settings change numbers that somebody has already read. The last report's twin is
compared with this one, period by period; only numbers that both show are told.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retention_kit.messages import Listed, Message, Period, Verbatim
from retention_kit.present import formats
from retention_kit.present.languages import N_, ngettext
from retention_kit.present.tables import SHARES_WATCHED
from retention_kit.table import Column, Role, Table

_NUMBERS = {
    "orders": (("period",), ("n_customers", "n_orders", "revenue")),
    "active_base": (("rule", "period"), ("n_start", "n_end", "n_retained")),
    "cohort_retention": (("cohort", "age"), ("n", "n_active")),
    "customers": (("market",), ("n_customers", "n_orders")),
    "anomalies": (("market", "metric", "period"), ("n", "n_then")),
}
"""Of each table the columns that name a row, and the numbers that are compared; the last two are the group's."""
_OF_ALL_HISTORY = ("customers",)
"""Tables of everything before `as_of`: of another one they are other numbers."""

_WORDS = {
    "n_customers": N_("customers"),
    "n_orders": N_("orders"),
    "revenue": N_("net revenue"),
    "n_start": N_("active at the start"),
    "n_end": N_("active at the end"),
    "n_retained": N_("retained"),
    "n": N_("customers of the cohort"),
    "n_then": N_("customers a year before"),
    "n_active": N_("of the cohort, active"),
}
_SETTINGS = {
    # Translators: what is set otherwise than for the last report, in a list after "changed:"
    "grain": N_("grain"),
    "base_grain": N_("base grain"),
    "min_cell": N_("min cell"),
    "currency": N_("currency"),
    "settings": N_("settings"),
    "kit_version": N_("version of the kit"),
}
_BY_RULE = {
    "window": N_("{period}, by the activity window"),
    "period": N_("{period}, by orders in the period"),
    "contract": N_("{period}, by running subscriptions"),
}
_LAST = ["period", "number", "then", "now", "why"]


def restated(now: Mapping[str, Any], *, earlier: str) -> pd.DataFrame:
    """Return every number of a closed period that is another one than in an earlier report.

    Parameters
    ----------
    now : the twin of this report.
    earlier : file of the twin of the earlier one; empty, or no file of this market and these data, compares nothing.

    Returns
    -------
    One row per number that moved: `period` (or cohort and age), `number`, `then`, `now`, `why`: changed settings or
    another version of the kit where these differ, else what the orders of that period say.
    """
    then = _read(earlier)
    if any(then.get(key) != now.get(key) for key in ("market", "data", "schema_version")):
        return pd.DataFrame(columns=_LAST, dtype=object)
    everywhere = _changed_settings(then, now)
    if any(then.get(key) != now.get(key) for key in ("grain", "base_grain", "currency")):
        return pd.DataFrame([("all", "all", None, None, everywhere)], columns=_LAST, dtype=object)
    rows, reasons = [], _reasons(then, now)
    for name, (keys, numbers) in _NUMBERS.items():
        if name in _OF_ALL_HISTORY and then.get("as_of") != now.get("as_of"):
            continue
        before = {_key(row, keys): row for row in then["tables"].get(name, ()) if row.get("complete", 1) == 1}
        for row in now["tables"].get(name, ()):
            known = before.get(_key(row, keys), {})
            for number in numbers:
                pair = known.get(number), row.get(number)
                if None not in pair and pair[0] != pair[1]:
                    why = everywhere or reasons.get(
                        str(row.get("period", "")), N_("orders or refunds of earlier periods")
                    )
                    word = N_("customers counted") if (name, number) == ("anomalies", "n") else _WORDS[number]
                    rows.append((_named(row, keys), word, *pair, why))
    return pd.DataFrame(rows, columns=_LAST, dtype=object)


def restatement_log(rows: pd.DataFrame, *, most: int = 12) -> Table:
    """Return the numbers of closed periods that moved since the last report, the first of them."""
    more = ngettext(
        "{n} more is in the file beside this page.", "{n} more are in the file beside this page.", len(rows) - most
    )
    return Table(
        rows.head(most),
        [
            Column("period", N_("Period"), Role.WORDS),
            Column("number", N_("Number"), Role.WORDS),
            Column("then", N_("Last report"), Role.COUNT),
            Column("now", N_("Now"), Role.COUNT),
            Column("why", N_("Why"), Role.WORDS),
        ],
        name="restated",
        title=N_("Moved since the last report"),
        notes=[Verbatim(more.format(n=formats.count(len(rows) - most)))] if len(rows) > most else [],
        nothing=N_("No number of a closed period moved, or there is no earlier report."),
        twin="restated",
    )


def _read(file: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or not isinstance(found.get("tables"), dict):
        return {}
    return {"schema_version": found.get("format"), **found}  # as earlier reports named it


def _key(row: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in keys)


def _named(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    if "age" in keys:
        return Message("{cohort}, age {age}", cohort=Period(row["cohort"]), age=row["age"])
    if "rule" in keys:
        return Message(_BY_RULE[row["rule"]], period=Period(row["period"]))
    if "metric" in keys:
        what = Message(SHARES_WATCHED[row["metric"]])
        return Message("{market}, who {what}, {period}", market=row["market"], what=what, period=Period(row["period"]))
    if "market" in keys:
        return Message("{market}, all orders", market=row["market"])
    return Period(row["period"])


def _changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what is set otherwise than for the earlier report; empty where nothing is."""
    changed = [told for key, told in _SETTINGS.items() if then.get(key) != now.get(key)]
    return Message("changed: {settings}", settings=Listed(changed)) if changed else ""


def _reasons(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Return for each closed period what its orders and its revenue say of why it moved."""
    before = {row["period"]: row for row in then["tables"].get("orders", ()) if row.get("complete") == 1}
    reasons = {}
    for row in now["tables"].get("orders", ()):
        known = before.get(row["period"], {})
        orders, money = (
            None if None in (row.get(name), known.get(name)) else row[name] - known[name]
            for name in ("n_orders", "revenue")
        )
        if orders:
            reasons[row["period"]] = N_("late orders") if orders > 0 else N_("orders cancelled or refunded wholly")
        elif money:
            reasons[row["period"]] = N_("late refunds") if money < 0 else N_("amounts that were corrected")
    return reasons
