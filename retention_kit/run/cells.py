"""What a cell of a table says, read back as its language writes it: one number, an interval, or words."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.numbers import get_decimal_symbol, get_group_symbol

from retention_kit.present import formats

ABSENT = {"", "–", "-", "—", "NaN", "<NA>", "None"}
"""How a cell says that there is nothing."""

_MINUS = "−-"
_MARKS = "\u200e\u200f\u061c"  # what a language written from right to left puts beside a sign
_HUNDREDTHS = {"%", "٪"}
_INTERVAL = re.compile(r"(?P<before>[^#]{0,5})#(?P<after>[^#]{0,5}?)(?:\s[^#]*\s|\s?[–—]\s?)(?P=before)#(?P=after)")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
_LONGEST_PERIOD = 24  # characters
_PARTS = (*(f"Q{n}" for n in range(1, 5)), *(f"{n:02d}" for n in range(1, 13)), *(f"W{n:02d}" for n in range(1, 54)))
_A_DATE = re.compile(r"\d{4}-[\dQW]")


def spreadsheet_safe(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula: one that begins like one is quoted by an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text


@dataclass(frozen=True)
class Said:
    """What a cell says.

    Attributes
    ----------
    text : as it stands there.
    numbers : the numbers in it, in their order.
    frame : the text with each number replaced by `#`, the same for cells that say the same kind of thing.
    """

    text: str
    numbers: tuple[Decimal, ...]
    frame: str

    @property
    def is_absent(self) -> bool:
        """Tell whether the cell is empty, or says that there is nothing."""
        return self.text in ABSENT


@dataclass(frozen=True)
class Reading:
    """How a language writes numbers, to read them again."""

    group: str
    decimal: str
    number: re.Pattern[str]
    units: frozenset[str]
    locale: str

    def said(self, text: str) -> Said:
        """Return what a cell's text says."""
        found = [] if _A_DATE.match(text) else self.number.findall(text)
        return Said(text, tuple(self._value(one) for one in found), self.number.sub("#", text) if found else text)

    def alone(self, cell: Said) -> Decimal | None:
        """Return the number that a cell is, a percentage as a share; None where it is no number, or not only one."""
        if len(cell.numbers) != 1:
            return None
        before, _, after = (re.sub(rf"[\s{_MARKS}]", "", part) for part in cell.frame.partition("#"))
        sign = -1 if before[:1] in tuple(_MINUS) else 1
        unit = before.lstrip(f"+{_MINUS}") + after
        return sign * cell.numbers[0] * self._scale(unit) if self._is_unit(unit) else None

    def ends(self, cells: Sequence[Said]) -> list[tuple[Decimal, Decimal] | None] | None:
        """Return the two ends of each cell of a column of intervals, None where one is absent; else None."""
        frames = {cell.frame for cell in cells if cell.numbers}
        found = _INTERVAL.fullmatch(frames.pop()) if len(frames) == 1 else None
        if found is None or not self._is_unit(unit := (found["before"] + found["after"]).strip()):
            return None
        scale = self._scale(unit)
        return [(cell.numbers[0] * scale, cell.numbers[1] * scale) if cell.numbers else None for cell in cells]

    def periods(self, cells: Sequence[Said]) -> list[str | None] | None:
        """Return the label, such as 2025-Q4, of each cell of a column of periods in words; None for other columns."""
        labels = [_label_of(cell.text, self.locale) if not cell.is_absent else None for cell in cells]
        said = [label for label, cell in zip(labels, cells, strict=True) if not cell.is_absent]
        return labels if said and all(said) else None

    def order(self, cells: Sequence[Said]) -> list[Decimal | None] | None:
        """Return by what number each cell of a column is sorted, None for one without; None for a column of words."""
        labels = self.periods(cells)
        if labels is not None:
            return [Decimal(re.sub(r"\D", "", label)) if label else None for label in labels]
        known = [cell for cell in cells if cell.numbers]
        if not known or 2 * len(known) < sum(not cell.is_absent for cell in cells):
            return None
        if not all(self._begins_with_a_number(cell) for cell in known):
            return None
        return [self._first(cell) if cell.numbers else None for cell in cells]

    def _begins_with_a_number(self, cell: Said) -> bool:
        return self._is_unit(cell.frame.partition("#")[0].strip(f" \u00a0\u202f{_MARKS}+{_MINUS}"))

    def _first(self, cell: Said) -> Decimal:
        return -cell.numbers[0] if cell.frame[:1] in tuple(_MINUS) else cell.numbers[0]

    def _value(self, written: str) -> Decimal:
        plain = re.sub(rf"[\s{_MARKS}]", "", written).replace(self.group.strip() or "\0", "")
        return Decimal(plain.replace(self.decimal, ".").replace("−", "-"))

    def _is_unit(self, text: str) -> bool:
        is_currency = re.fullmatch("[A-Z]{3}", text) or (len(text) == 1 and unicodedata.category(text) == "Sc")
        return text in self.units or bool(is_currency)

    def _scale(self, unit: str) -> Decimal:
        return Decimal("0.01") if unit in _HUNDREDTHS else Decimal(1)


@cache
def reading(locale: Locale) -> Reading:
    """Return how to read the numbers of a locale."""
    group, decimal = get_group_symbol(locale), get_decimal_symbol(locale)
    groups = r"[ \u00a0\u202f]" if group.isspace() else re.escape(group)
    number = rf"[{_MARKS}]*[+{_MINUS}]?(?:\d{{1,3}}(?:{groups}\d{{3}})+(?!\d)|\d+)(?:{re.escape(decimal)}\d+)?"
    money = {re.sub(rf"[\s{_MARKS}]", "", symbol) for symbol in locale.currency_symbols.values()}
    units = {"", "%", "٪", "‰", "×", *money}
    return Reading(group, decimal, re.compile(number), frozenset(units), str(locale))


def _label_of(text: str, locale: str) -> str | None:
    """Return the label of a period that is written in words; None where it is none, or stands as its label."""
    year = _YEAR.search(text) if len(text) <= _LONGEST_PERIOD and not _A_DATE.match(text) else None
    if year is None:
        return None
    return _parts_of(year[0], locale).get(text) or _days_of(year[0], locale).get(text)


@cache
def _parts_of(year: str, locale: str) -> dict[str, str]:
    """Return the label of each month, quarter and week of a year by how a language writes it."""
    labels = [f"{year}-{part}" for part in _PARTS]
    return {formats.period(label, locale=locale): label for label in labels}


@cache
def _days_of(year: str, locale: str) -> dict[str, str]:
    """Return the label of each day of a year by how a language writes it."""
    first, after = (date(int(year) + n, 1, 1).toordinal() for n in (0, 1))
    labels = [date.fromordinal(day).isoformat() for day in range(first, after)]
    return {formats.period(label, locale=locale): label for label in labels}
