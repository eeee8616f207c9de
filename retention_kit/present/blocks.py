"""What is no table: sentences, cards, something folded; HTML in a page, text elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from markupsafe import Markup

from retention_kit.present.languages import _
from retention_kit.present.markup import STYLE, html_of, text, with_file
from retention_kit.table import Table


@dataclass(frozen=True)
class Block:
    """Something to look at, made of tables and of HTML around them; text elsewhere.

    Attributes
    ----------
    parts : tables and HTML, in order.
    text : the same without HTML.
    """

    parts: tuple[Table | Markup, ...] = field(repr=False)
    text: str

    @property
    def html(self) -> str:
        """Return it as a page shows it, each table with its file."""
        return "".join(with_file(part) if isinstance(part, Table) else part for part in self.parts)

    def _repr_html_(self) -> str:
        tables = any(isinstance(part, Table) for part in self.parts)
        html = "".join(html_of(part) if isinstance(part, Table) else part for part in self.parts)
        return STYLE + html if tables else html

    def __repr__(self) -> str:
        return self.text


def listed(sentences: Iterable[str]) -> Block:
    """Return sentences as a short list, most important first."""
    sentences = list(sentences)
    items = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    html = Markup('<ul class="rk-in-short">{}</ul>').format(items)
    return Block((html,), "\n".join(f"- {sentence}" for sentence in sentences))


def stacked(*parts: Table | Block) -> Block:
    """Return parts one below the other."""
    return Block(tuple(piece for part in parts for piece in _pieces(part)), "\n\n".join(map(_text, parts)))


def folded(part: Table | Block, *, summary: str) -> Block:
    """Return something to look at behind a line that opens it; in text it stands open."""
    opening = Markup("<details><summary>{}</summary>").format(_(summary))
    return Block((opening, *_pieces(part), Markup("</details>")), _text(part))


def _pieces(part: Table | Block) -> tuple[Table | Markup, ...]:
    return (part,) if isinstance(part, Table) else part.parts


def _text(part: Table | Block) -> str:
    return text(part) if isinstance(part, Table) else part.text
