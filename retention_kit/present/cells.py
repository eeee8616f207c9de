"""What a cell of a table says to a reader, by its role, in the current language; and its plain value for files."""

from collections.abc import Callable, Mapping
from typing import Any

from retention_kit.present import formats
from retention_kit.present.languages import N_, _, place, worded
from retention_kit.table import Column, Role, Table

HIDDEN = N_("hidden")

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def spreadsheet_safe(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula: one that begins like one is quoted by an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def written(column: Column, number: Any, row: Mapping[str, Any]) -> str:
    """Return one number or word of a column as the current language writes it; a dash where there is none."""
    if not column.is_number:
        return _named(column, number)
    if formats.is_absent(number):
        return formats.ABSENT
    if column.role is Role.QUANTITY:
        return formats.quantity(number, unit=row[column.unit], currency=row.get("currency") or column.currency)
    return _WRITTEN[column.role](column, number)


def shown(table: Table, column: Column, at: Any, row: Mapping[str, Any]) -> str:
    """Return what a reader sees in a cell: the value, its interval after it, or that it is hidden.

    Parameters
    ----------
    at : the row's label in the frame's index.
    row : its values by column.
    """
    if column.name and is_hidden(table, at, column.name):
        return _(HIDDEN)
    between = _between(table, column, at, row)
    if not column.name:
        return between
    value = str(row[column.told]) if column.told else written(column, row[column.name], row)
    # Translators: a number, and its interval in brackets
    return _("{value} ({interval})").format(value=value, interval=between) if between else value


def is_hidden(table: Table, at: Any, name: str) -> bool:
    """Tell whether a cell of a table protects a small group."""
    return table.hidden is not None and name in table.hidden and bool(table.hidden.at[at, name])


def sort_key(column: Column, row: Mapping[str, Any]) -> float | int | None:
    """Return by which number a cell is sorted: its value, the lower end of an interval, a period's own order."""
    if column.role is Role.PERIOD:
        digits = "".join(filter(str.isdigit, str(row[column.name])))
        return int(digits) if digits else None
    number = row[column.name or column.lower] if column.is_number else None
    return None if formats.is_absent(number) else number


def _between(table: Table, column: Column, at: Any, row: Mapping[str, Any]) -> str:
    if not column.lower or formats.is_absent(row[column.lower]) or is_hidden(table, at, column.lower):
        return ""
    if formats.is_absent(row[column.upper]):
        # Translators: an interval without an upper end: 5 and more
        return _("{n} and more").format(n=written(column, row[column.lower], row))
    lower, upper = (written(column, row[end], row) for end in (column.lower, column.upper))
    return lower if lower == upper and column.role is Role.COUNT else formats.between(lower, upper)


def _named(column: Column, text: Any) -> str:
    if formats.is_absent(text) or text == "":
        return ""
    match column.role:
        case Role.PERIOD:
            return formats.period(str(text))
        case Role.MARKET:
            return place(str(text))
        case Role.WORDS:
            return worded(text)
    return str(text)


def _money(column: Column, value: float) -> str:
    whole = column.digits == 0
    return (formats.whole_money if whole else formats.money)(value, currency=column.currency)


def _decimals(column: Column, *, otherwise: int) -> int:
    return otherwise if column.digits is None else column.digits


_WRITTEN: dict[Role, Callable[[Column, Any], str]] = {
    Role.COUNT: lambda _column, value: formats.count(value),
    Role.N: lambda _column, value: formats.count(value),
    Role.SHARE: lambda column, value: formats.percent(value, digits=_decimals(column, otherwise=1)),
    Role.RATIO: lambda column, value: formats.percent(value, digits=_decimals(column, otherwise=1)),
    Role.POINTS: lambda _column, value: formats.signed_points(value),
    Role.CHANGE: lambda _column, value: formats.change(value),
    Role.MONEY: _money,
    Role.NUMBER: lambda column, value: formats.decimal(value, digits=_decimals(column, otherwise=2)),
    Role.PLAIN: lambda column, value: formats.ungrouped(value, digits=_decimals(column, otherwise=0)),
    Role.P: lambda _column, value: formats.p_value(value),
    Role.DAYS: lambda _column, value: formats.quantity(value, unit="days"),
    Role.HOURS: lambda _column, value: formats.hours(value),
    Role.FLAG: lambda _column, value: _("yes") if value else _("no"),
}
