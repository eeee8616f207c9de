"""A time that a text says becomes microseconds by arithmetic alone, so that every engine reads it alike."""

import re
from collections.abc import Mapping, Sequence

from retention_kit.ingest.expressions import literal
from retention_kit.ingest.zones import DAY_US, SECOND_US

_ISO = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
_OFFSET = "[+-][0-9]{2}:?[0-9]{2}$"
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_DAYS_BEFORE_1970 = 719_469  # from the first of March of the year 0, less one: a month's days begin with 1
_DIGITS = dict.fromkeys("ymdHIMS", "[0-9]{1,2}")
_MARKS = _DIGITS | {
    "Y": "[0-9]{1,4}",
    "f": "[0-9]{1,6}",
    "j": "[0-9]{1,3}",
    "z": "[+-][0-9]{2}(?::?[0-9]{2})?",
    "p": "[AaPp][Mm]",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}",
}
"""How each mark of a date format may be written."""


def iso(text: str) -> str:
    """Return SQL of a text in ISO 8601, without blanks around it, as microseconds since 1970-01-01.

    Of UTC where it says an offset, else of its own clock; NULL where it is not written so, or no such time.
    """
    day = {"Y": _number(f"SUBSTRING({text}, 1, 4)"), "m": _number(f"SUBSTRING({text}, 6, 2)")}
    day["d"] = _number(f"SUBSTRING({text}, 9, 2)")
    clock = {"H": _number(f"SUBSTRING({text}, 12, 2)"), "M": _number(f"SUBSTRING({text}, 15, 2)")}
    clock["S"] = f"CASE WHEN SUBSTRING({text}, 17, 1) = ':' THEN {_number(f'SUBSTRING({text}, 18, 2)')} ELSE 0 END"
    digits = f"REGEXP_EXTRACT({text}, '[.,]([0-9]+)', 1)"
    clock["f"] = f"CASE WHEN SUBSTRING({text}, 20, 1) IN ('.', ',') THEN {_micros(digits)} ELSE 0 END"
    end = f"REPLACE(SUBSTRING({text}, 17, LENGTH({text})), ':', '')"
    offset = _offset_us(f"SUBSTRING({end}, LENGTH({end}) - 4, 5)")
    us = f"{_clock_us(clock)} - CASE WHEN {_has_offset(text)} THEN {offset} ELSE 0 END"
    midnight = f"({clock['H']} = 24 AND {clock['M']} = 0 AND {clock['S']} = 0)"  # of the day after
    is_clock = f"(LENGTH({text}) = 10 OR ({_is_clock(clock)}) OR {midnight})"
    whole = f"{_days(day)} * {DAY_US} + CASE WHEN LENGTH({text}) > 10 THEN {us} ELSE 0 END"
    return f"CASE WHEN {is_iso(text)} THEN CASE WHEN {_is_day(day)} AND {is_clock} THEN {whole} END END"


def is_iso(text: str) -> str:
    """Return SQL, whether a text is written as ISO 8601 says, with an offset or without."""
    return f"REGEXP_MATCHES({text}, {literal(f'^{_ISO}$')})"


def is_absolute(text: str) -> str:
    """Return SQL, whether a text in ISO 8601 has an offset."""
    return f"(SUBSTRING({text}, LENGTH({text}), 1) = 'Z' OR {_has_offset(text)})"


def iso_form(text: str) -> str:
    """Return SQL of what a text in ISO 8601 says: a `day`, a `clock` without an offset, or an `absolute` time."""
    return f"CASE WHEN LENGTH({text}) = 10 THEN 'day' WHEN {is_absolute(text)} THEN 'absolute' ELSE 'clock' END"


def written(text: str, formats: Sequence[str]) -> str:
    """Return SQL of a text in one of some date formats, as microseconds like `iso`."""
    return f"COALESCE({', '.join(_in_format(text, one) for one in formats)}, NULL)"


def form_of(formats: Sequence[str]) -> str:
    """Return what texts in these formats say."""
    if any("%z" in text for text in formats):
        return "absolute"
    return "clock" if any(mark in text for text in formats for mark in ("%H", "%I")) else "day"


def _in_format(text: str, one: str) -> str:
    """Return SQL of a text in a date format; NULL where it is not written so, or no such time."""
    pieces = re.split("%-?(.)", one)
    parts = {
        mark: f"NULLIF(REGEXP_EXTRACT({text}, {_pattern(pieces, mark)}, 1), '')" for mark in pieces[1::2] if mark != "%"
    }
    day, clock = _day_of(parts), _clock_of(parts)
    offset = f" - {_offset_us(parts['z'])}" if "z" in parts else ""
    whole = f"{_days(day)} * {DAY_US} + {_clock_us(clock)}{offset}"
    is_time = f"{_is_day(day)} AND {_is_clock(clock)}"
    return f"CASE WHEN REGEXP_MATCHES({text}, {_pattern(pieces)}) THEN CASE WHEN {is_time} THEN {whole} END END"


def _pattern(pieces: Sequence[str], captured: str = "") -> str:
    """Return the regular expression of a format, as SQL, of which one mark is captured.

    Digits that other digits follow at once are all there: 1 January 2025 is 01012025.
    """
    plain = [re.sub(" +", " +", re.sub(r"([][.*+?^${}()|\\])", r"\\\1", piece)) for piece in pieces[::2]]
    whole = plain[0]
    for mark, after, nth in zip(pieces[1::2], plain[1:], range(2, len(pieces) + 1, 2), strict=True):
        digits = _MARKS.get(mark, mark)
        if not after and nth < len(pieces) - 1:
            digits = digits.replace("{1,", "{")
        whole += f"{'(' if mark == captured else '(?:'}{digits}){after}"
    return literal(f"^{whole}$")


def _day_of(parts: Mapping[str, str]) -> dict[str, str]:
    day = {mark: _number(parts[mark]) for mark in ("Y", "m", "d", "j") if mark in parts}
    if "y" in parts:
        year = _number(parts["y"])
        day["Y"] = f"({year} + CASE WHEN {year} < 69 THEN 2000 ELSE 1900 END)"
    for mark, length in (("b", 3), ("B", 9)):
        if mark in parts:
            names = " ".join(f"WHEN '{name[:length]}' THEN {nth}" for nth, name in enumerate(_MONTHS, 1))
            day["m"] = f"CASE LOWER({parts[mark]}) {names} ELSE 0 END"
    return day


def _clock_of(parts: Mapping[str, str]) -> dict[str, str]:
    clock = {mark: _number(parts[mark]) for mark in "HMS" if mark in parts}
    if "f" in parts:
        clock["f"] = _micros(parts["f"])
    if "I" in parts:
        afternoon = f"CASE WHEN LOWER({parts['p']}) = 'pm' THEN 12 ELSE 0 END" if "p" in parts else "0"
        hour = _number(parts["I"])
        clock["H"] = f"CASE WHEN {hour} BETWEEN 1 AND 12 THEN {hour} % 12 + {afternoon} ELSE 99 END"
    return clock


def _number(digits: str) -> str:
    return f"TRY_CAST({digits} AS BIGINT)"


def _micros(digits: str) -> str:
    return _number(f"RPAD(SUBSTRING({digits}, 1, 6), 6, '0')")


def _has_offset(text: str) -> str:
    return f"(LENGTH({text}) > 15 AND REGEXP_MATCHES({text}, '{_OFFSET}'))"


def _offset_us(text: str) -> str:
    """Return SQL of an offset such as +02:00, +0200 or +02 in microseconds."""
    plain = f"RPAD(REPLACE({text}, ':', ''), 5, '0')"
    minutes = f"({_number(f'SUBSTRING({plain}, 2, 2)')} * 60 + {_number(f'SUBSTRING({plain}, 4, 2)')})"
    return f"CASE WHEN SUBSTRING({text}, 1, 1) = '-' THEN -1 ELSE 1 END * {minutes} * {60 * SECOND_US}"


def _days(day: Mapping[str, str]) -> str:
    """Return SQL of a day as days since 1970-01-01, in the Gregorian calendar."""
    month = day.get("m", "1")
    year = f"({day['Y']} - CASE WHEN {month} < 3 THEN 1 ELSE 0 END)"
    before = f"(153 * (({month} + 9) % 12) + 2) // 5"
    days = day.get("j", day.get("d", "1"))
    return f"({year} * 365 + {year} // 4 - {year} // 100 + {year} // 400 + {before} + {days} - {_DAYS_BEFORE_1970})"


def _is_day(day: Mapping[str, str]) -> str:
    year, month = day["Y"], day.get("m", "1")
    leap = f"CASE WHEN {year} % 4 = 0 AND ({year} % 100 <> 0 OR {year} % 400 = 0) THEN 1 ELSE 0 END"
    if "j" in day:
        return f"{day['j']} BETWEEN 1 AND 365 + {leap}"
    last = f"CASE WHEN {month} = 2 THEN 28 + {leap} WHEN {month} IN (4, 6, 9, 11) THEN 30 ELSE 31 END"
    return f"{month} BETWEEN 1 AND 12 AND {day.get('d', '1')} BETWEEN 1 AND {last}"


def _clock_us(clock: Mapping[str, str]) -> str:
    hours, minutes, seconds, micros = (clock.get(mark, "0") for mark in "HMSf")
    return f"((({hours}) * 60 + {minutes}) * 60 + {seconds}) * {SECOND_US} + {micros}"


def _is_clock(clock: Mapping[str, str]) -> str:
    hours, minutes, seconds = (clock.get(mark, "0") for mark in "HMS")
    return f"{hours} < 24 AND {minutes} < 60 AND {seconds} < 60"
