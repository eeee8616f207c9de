"""Messages on their way to a reader: marked where they are written, worded where they are shown, in any language."""

from collections.abc import Iterable
from dataclasses import dataclass
from string import Formatter
from typing import Any, Self


def N_(message: str) -> str:  # noqa: N802 - the name that every extractor knows
    """Return a message as it is: the mark by which the catalogs find it; `present` translates it where it is shown."""
    return message


class Message(str):
    """A sentence with facts in it: in English wherever a text is read, and still taken apart for other languages.

    Attributes
    ----------
    template : the English sentence with named places, such as `"only {n} customers"`; the catalogs' key.
    facts : what stands in the places: texts, numbers, and messages themselves.
    plural : the sentence for more than one, chosen by the fact `n`; empty where there is one form.
    """

    template: str
    plural: str
    facts: dict[str, Any]

    def __new__(cls, template: str, plural: str = "", /, **facts: Any) -> Self:
        """Return the message, its text written in English, whole numbers with thousands."""
        chosen = plural if plural and facts["n"] != 1 else template
        made = super().__new__(cls, chosen.format(**{name: english(fact) for name, fact in facts.items()}))
        made.template, made.plural, made.facts = template, plural, facts
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, Any]]:
        """Let a copy and a pickle keep the parts."""
        return (self.template, self.plural), self.facts


@dataclass(frozen=True)
class Number:
    """A number among the facts of a message, with so many decimals; a share as percent, a signed one with its sign."""

    value: float
    digits: int = 0
    is_share: bool = False
    is_signed: bool = False

    def __str__(self) -> str:
        """Return it as English writes it."""
        sign, kind = "+" if self.is_signed else "", "%" if self.is_share else "f"
        return f"{self.value:{sign},.{self.digits}{kind}}"


class Period(str):
    """A period, such as 2024-Q1, as a fact of a message or by itself: written as the language writes it."""


class Verbatim(str):
    """A text of the data, or one that is in the reader's language already: shown as it is."""


class Name(str):
    """A name that is no word of any language, such as that of a column; English puts an article before it."""


class Listed(str):
    """Messages one after another, as a fact of a message: A, B, C."""

    parts: tuple[str, ...]

    def __new__(cls, parts: Iterable[str]) -> Self:
        """Return the list, its text in English."""
        parts = tuple(parts)
        made = super().__new__(cls, ", ".join(parts))
        made.parts = parts
        return made

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:
        """Let a copy and a pickle keep the parts."""
        return (self.parts,)


def both(first: str, *others: str) -> str:
    """Return notes one after another as one message, of which `first_of` returns the first."""
    if not others:
        return first
    one, other = (note if isinstance(note, Message) else Message(note) for note in (first, others[0]))
    return both(Message(_PAIR, first=one, other=other), *others[1:])


_PAIR = N_("{first}; {other}")


def first_of(note: str) -> str:
    """Return the first of the notes that `both` has put together; a single one as it is."""
    is_pair = isinstance(note, Message) and note.template == _PAIR
    return first_of(note.facts["first"]) if is_pair else note


def places(message: str) -> set[str]:
    """Return the names of the places in a message, such as `{n}`."""
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


def english(fact: Any) -> Any:
    """Return a fact as English writes it."""
    if isinstance(fact, Name):
        return f"an {fact}" if fact[:1] in tuple("aeio") else f"a {fact}"
    is_count = isinstance(fact, int) and not isinstance(fact, bool)
    return f"{fact:,}" if is_count else fact
