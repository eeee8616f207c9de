"""The reader's language: messages by gettext from the catalogs in `locale/`, English where there is none.

A process speaks one language at a time. A message is looked up when it is shown, never at import:
`_("{n} customers left.").format(n=…)`, whole sentences with named places.
"""

import gettext as _gettext
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.numbers import format_decimal

from retention_kit.config import GROUP_NAME
from retention_kit.errors import UsageError
from retention_kit.messages import N_, Listed, Message, Name, Number, Period, Verbatim, english
from retention_kit.writing import write_whole

__all__ = [
    "N_",
    "Language",
    "_",
    "available",
    "current",
    "language_of",
    "locale_of",
    "ngettext",
    "pgettext",
    "speak",
    "speaking",
    "untranslated",
    "worded",
]

ENGLISH = "en"
CATALOGS = Path(__file__).parent / "locale"
DOMAIN = "retention_kit"


class _Counting(_gettext.NullTranslations):
    """English, for what a catalog lacks; counted."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: Counter[str] = Counter()

    def gettext(self, message: str) -> str:
        self.missing[message] += 1
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self.missing[msgid1] += 1
        return msgid1 if n == 1 else msgid2

    def pgettext(self, context: str, message: str) -> str:
        self.missing[message] += 1
        return message


@dataclass(frozen=True)
class Language:
    """A language a report can be in: its catalog and how it writes numbers and dates.

    Attributes
    ----------
    asked : the BCP 47 language asked for, such as `nl-NL`.
    catalog : name of the catalog, `en` for English, spoken also where there is no catalog for what was asked.
    locale : Babel's, of what is spoken.
    """

    asked: str
    catalog: str
    locale: Locale
    _translations: _gettext.NullTranslations = field(repr=False, compare=False)
    _missing: Counter[str] = field(repr=False, compare=False)

    @property
    def code(self) -> str:
        """Return the BCP 47 code of what is spoken, for the `lang` of a page."""
        return str(self.locale).replace("_", "-")

    @property
    def direction(self) -> str:
        """Return 'rtl' for a language written from right to left, else 'ltr'."""
        return "rtl" if self.locale.character_order == "right-to-left" else "ltr"

    @property
    def is_known(self) -> bool:
        """Tell whether what was asked for is what is spoken."""
        return self.locale.language == locale_of(self.asked).language

    @property
    def name(self) -> str:
        """Return the name of the language in itself, such as `Nederlands`."""
        return str(self.locale.get_language_name())


def locale_of(language: str) -> Locale:
    """Return the locale of a BCP 47 language, such as `da-DK` or `zh-Hans-CN`.

    Raises
    ------
    UsageError : no such language.
    """
    try:
        return Locale.parse(language, sep="-")
    except (ValueError, TypeError, UnknownLocaleError) as why:
        raise UsageError(
            f"'{language}' is not a language.", to_try="one such as 'en', 'nl-NL' or 'zh-Hans-CN'"
        ) from why


@cache
def language_of(language: str) -> Language:
    """Return the language that is spoken where this one is asked for: itself, or English if it has no catalog.

    Raises
    ------
    UsageError : no such language.
    """
    locale = locale_of(language)
    name = _catalog_of(locale)
    counting = _Counting()
    translations = None if name == ENGLISH else _translations(name)
    if translations is None:
        spoken = locale if locale.language == ENGLISH else Locale(ENGLISH)
        return Language(language, ENGLISH, spoken, _gettext.NullTranslations(), counting.missing)
    translations.add_fallback(counting)
    return Language(language, name, locale, translations, counting.missing)


@cache
def available() -> tuple[str, ...]:
    """Return the names of the languages a report can be in, English first."""
    found = sorted(path.parent.parent.name for path in CATALOGS.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    return (ENGLISH, *found)


def speak(language: str) -> Language:
    """Speak a language from now on, and count anew what it lacks.

    Raises
    ------
    UsageError : no such language.
    """
    global _spoken
    _spoken = language_of(language)
    _spoken._missing.clear()
    return _spoken


@contextmanager
def speaking(language: str) -> Iterator[Language]:
    """Speak a language for a while, then again the one before."""
    global _spoken
    before = current()
    try:
        yield speak(language)
    finally:
        _spoken = before


def current() -> Language:
    """Return the language that is spoken; English until another one is."""
    return _spoken or language_of(ENGLISH)


def _(message: str) -> str:
    """Return a message in the current language; the empty one as it is."""
    return current()._translations.gettext(message) if message else message


def ngettext(one: str, many: str, n: int) -> str:
    """Return the form of a message that the current language uses for n."""
    return current()._translations.ngettext(one, many, int(n))


def pgettext(context: str, message: str) -> str:
    """Return a message whose English stands for several things, of which the context names one."""
    return current()._translations.pgettext(context, message)


def worded(message: str) -> str:
    """Return a message made elsewhere (`Message`, or a marked constant) in the current language.

    Whole numbers among its facts are written as the language writes them, messages among them are told likewise.
    """
    if isinstance(message, Verbatim):
        return str(message)
    if not isinstance(message, Message):
        return str(_fact(message)) if isinstance(message, Period | Listed) else _(message)
    one, many, facts = message.template, message.plural, message.facts
    template = ngettext(one, many, facts["n"]) if many else _(one)
    told = {
        name: place(fact) if name == "market" and type(fact) is str else _fact(fact) for name, fact in facts.items()
    }
    return template.format(**told)


def place(name: str) -> str:
    """Return a market's name in the current language: a country's where it was declared by its English name.

    Any other name stays as it was declared; so does that of a segment, which stands after a comma.
    """
    if current().locale.language == ENGLISH:
        return name
    country, comma, segment = name.partition(", ")
    if comma and (country in _english_names() or country == GROUP_NAME):
        return f"{place(country)}{comma}{segment}"
    code = _english_names().get(name)
    return current().locale.territories.get(code, name) if code else _(name) if name == GROUP_NAME else name


@cache
def _english_names() -> dict[str, str]:
    """Return the codes of countries by their names in English."""
    territories = Locale(ENGLISH).territories
    return {name: code for code, name in territories.items() if len(code) == 2}


def untranslated() -> Counter[str]:
    """Return the messages that the current language lacked since it is spoken, and how often each was shown."""
    return current()._missing.copy()


def _fact(fact: object) -> object:
    if isinstance(fact, Period):
        from retention_kit.present.formats import period  # which speaks by this module

        return period(fact)
    if isinstance(fact, Listed):
        return _(", ").join(map(worded, fact.parts))
    if isinstance(fact, Name) and current().catalog == ENGLISH:
        return english(fact)
    if isinstance(fact, str):
        return worded(fact) if isinstance(fact, Message) else fact
    if isinstance(fact, Number):
        pattern = copy(
            current().locale.percent_formats[None] if fact.is_share else current().locale.decimal_formats[None]
        )
        pattern.frac_prec = (fact.digits, fact.digits)
        sign = "+" if fact.is_signed and fact.value >= 0 else ""
        return sign + with_minus(pattern.apply(fact.value, current().locale))
    is_count = isinstance(fact, int) and not isinstance(fact, bool)
    return format_decimal(fact, format="#,##0", locale=current().locale) if is_count else fact


def with_minus(written: str) -> str:
    """Return a number with a minus where the locale writes the hyphen of a keyboard, so that a page has one sign."""
    return written.replace("-", "−")


def _catalog_of(locale: Locale) -> str:
    """Return the name of the catalog of a locale, the closest first; English where there is none."""
    likely = str(get_global("likely_subtags").get(str(locale), "")).split("_")
    script = locale.script or next((part for part in likely if len(part) == 4), None)
    territory = locale.territory or next((part for part in likely[1:] if len(part) == 2), None)
    parts = [(script, territory), (script,), (territory,), ()]
    names = ["_".join(filter(None, (locale.language, *more))) for more in parts]
    return next((name for name in names if name in available()), ENGLISH)


def _translations(name: str) -> _gettext.GNUTranslations | None:
    """Return the messages of a catalog; None where it was begun, and nothing is translated yet."""
    found = _gettext.GNUTranslations(BytesIO(_compiled(CATALOGS / name / "LC_MESSAGES" / f"{DOMAIN}.po")))
    return found if len(found._catalog) > 1 else None


def _compiled(po: Path) -> bytes:
    """Return a catalog compiled: as it lies beside its source, or compiled now where the source is newer.

    Reading the source takes 50 ms, the compiled one 2.
    """
    mo = po.with_suffix(".mo")
    try:
        if mo.stat().st_mtime_ns >= po.stat().st_mtime_ns:
            return mo.read_bytes()
    except OSError:
        pass
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with po.open("rb") as file:
        write_mo(compiled, read_po(file, locale=po.parent.parent.name))
    if os.access(po.parent, os.W_OK):
        write_whole({mo: compiled.getvalue()})
    return compiled.getvalue()


_spoken: Language | None = None
