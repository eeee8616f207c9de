"""What moved since the last report: a closed period gives the same number again, or the report says which did not.

Late orders, late refunds and changed settings change numbers that somebody has already read. The last report's twin is
compared with this one, period by period; only numbers that both show are told.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retention_kit.present import formats
from retention_kit.present.tables import Shown, table

_NUMBERS = {
    "orders": (("period",), ("n_customers", "n_orders", "revenue")),
    "active_base": (("rule", "period"), ("n_start", "n_end", "n_retained")),
    "cohort_retention": (("cohort", "age"), ("n", "n_active")),
}
"""Of each table the columns that name a row, and the numbers that are compared."""

_WORDS = {
    "n_customers": "customers",
    "n_orders": "orders",
    "revenue": "net revenue",
    "n_start": "active at the start",
    "n_end": "active at the end",
    "n_retained": "retained",
    "n": "customers of the cohort",
    "n_active": "of the cohort, active",
}
_SETTINGS = ("grain", "base_grain", "min_cell", "currency", "settings")
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
    if any(then.get(key) != now.get(key) for key in ("market", "data", "format")):
        return pd.DataFrame(columns=_LAST)
    everywhere = _changed_settings(then, now)
    if any(then.get(key) != now.get(key) for key in ("grain", "base_grain", "currency")):
        return pd.DataFrame([("all", "all", None, None, everywhere)], columns=_LAST)
    rows, reasons = [], _reasons(then, now)
    for name, (keys, numbers) in _NUMBERS.items():
        before = {_key(row, keys): row for row in then["tables"].get(name, ()) if row.get("complete", 1) == 1}
        for row in now["tables"].get(name, ()):
            known = before.get(_key(row, keys), {})
            for number in numbers:
                pair = known.get(number), row.get(number)
                if None not in pair and pair[0] != pair[1]:
                    why = everywhere or reasons.get(str(row.get("period", "")), "orders or refunds of earlier periods")
                    rows.append((_named(row, keys), _WORDS[number], *pair, why))
    return pd.DataFrame(rows, columns=_LAST)


def restatement_log(rows: pd.DataFrame, *, most: int = 12) -> Shown:
    """Return the numbers of closed periods that moved since the last report, the first of them."""
    told = pd.DataFrame(
        {
            "Period": rows["period"],
            "Number": rows["number"],
            "Last report": [formats.count(value) for value in rows["then"]],
            "Now": [formats.count(value) for value in rows["now"]],
            "Why": rows["why"],
        }
    ).head(most)
    notes = [f"{len(rows) - most} more are in the file beside this page."] if len(rows) > most else []
    if told.empty:
        told = pd.DataFrame({"": ["No number of a closed period moved, or there is no earlier report."]})
    left = [column for column in ("Period", "Number", "Why", "") if column in told]
    return table(told, name="restated", caption="Moved since the last report", notes=notes, left=left)


def _read(file: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("tables"), dict) else {}


def _key(row: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in keys)


def _named(row: Mapping[str, Any], keys: Sequence[str]) -> str:
    if "age" in keys:
        return f"{row['cohort']}, age {row['age']}"
    return f"{row['period']}, by {row['rule']}" if "rule" in keys else str(row["period"])


def _changed_settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what is set otherwise than for the earlier report; empty where nothing is."""
    changed = [key.replace("_", " ") for key in _SETTINGS if then.get(key) != now.get(key)]
    if then.get("kit_version") != now.get("kit_version"):
        changed.append("version of the kit")
    return f"changed: {', '.join(changed)}" if changed else ""


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
            reasons[row["period"]] = "late orders" if orders > 0 else "orders cancelled or refunded wholly"
        elif money:
            reasons[row["period"]] = "late refunds" if money < 0 else "amounts that were corrected"
    return reasons
