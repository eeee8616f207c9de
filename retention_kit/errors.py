"""Every error a user can meet: what was wrong, what was found, what to try.

An error never carries a customer's data: names of tables, columns, markets, files and counts only.
"""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class KitError(Exception):
    """A mistake that the user can mend: what was wrong, what was found, what to try.

    Parameters
    ----------
    what : one sentence, what was wrong.
    found : what was there instead.
    to_try : what mends it.
    """

    exit_code = 1

    def __init__(self, what: str, *, found: str = "", to_try: str = "") -> None:
        self.what, self.found, self.to_try = what, found, to_try
        lines = [what]
        lines += [f"  found: {_indented(found)}"] if found else []
        lines += [f"  try:   {_indented(to_try)}"] if to_try else []
        super().__init__("\n".join(lines))


class UsageError(KitError):
    """The call itself cannot be carried out: a name, an option or a file that is not there."""

    exit_code = 2


class ConfigError(UsageError):
    """`markets.toml` or a profile of `data/sources` says something that cannot be."""


class DataError(KitError):
    """The data cannot be counted as they are."""


class MetricError(KitError, ValueError):
    """Counts that no customers can have made, or units that do not fit each other."""


def _indented(text: str) -> str:
    return text.replace("\n", "\n         ")


def shown(name: object, *, most: int = 40) -> str:
    """Return a name that a file gives as it may be printed: one line, nothing hidden or reordered, not too long.

    Control characters, those that turn the direction of writing and unassigned ones become U+FFFD.
    """
    text = str(name)
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join("\ufffd" if unicodedata.category(letter) in _UNPRINTABLE else letter for letter in text)


def listed(names: Iterable[object], *, most: int = 12) -> str:
    """Return names in quotes, separated by commas, at the most `most` of them."""
    names = list(names)
    text = ", ".join(f"'{shown(name)}'" for name in names[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text or "nothing"


def near_miss(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    by_folded = {str(candidate).casefold(): str(candidate) for candidate in known}
    found = get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def unknown_name(kind: str, name: str, known: Iterable[str], *, error: type[KitError] = UsageError) -> KitError:
    """Return the error for a name that is not one of the known ones; names the near miss."""
    known = list(known)
    near = near_miss(name, known)
    return error(
        f"There is no {kind} '{shown(name)}'.",
        found=listed(known),
        to_try=f"'{near}'" if near else f"one of the {len(known)} above" if known else "",
    )


def unopened(name: str, why: OSError, *, error: type[KitError] = DataError) -> KitError:
    """Return the error for a file that is there and cannot be opened."""
    return error(
        f"'{shown(name)}' cannot be opened.",
        found=why.strerror or type(why).__name__,
        to_try="a file that you may read",
    )


def missing_column(table: str, column: str, found: Iterable[str], *, where: str) -> KitError:
    """Return the error for a table without a column it needs; names the near miss."""
    found = list(found)
    near = near_miss(column, found)
    rename = f"rename '{shown(near)}' to '{column}', or map it in {where}" if near else f"map it in {where}"
    return DataError(f"{table} lacks '{column}'.", found=listed(found), to_try=rename)
