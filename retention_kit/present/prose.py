"""The prose of a notebook in the reader's language: headings, paragraphs and items, each a message of its catalog."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6}\s+)(.*)")
_ITEM = re.compile(r"(\s*(?:[-*+]|\d+[.)])\s+)(.*)")
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True)
class Piece:
    """A part of a Markdown text: what marks it (`## `, `- `), and its words on one line; or lines that stay as written.

    `text` is empty for what is no prose: blank lines, code, tables, HTML.
    """

    mark: str
    text: str
    written: str


def pieces(markdown: str) -> Iterator[Piece]:
    r"""Yield the parts of a Markdown text in their order: each heading, paragraph and item of a list by itself.

    >>> [(piece.mark, piece.text) for piece in pieces("## A title\n\nTwo\nlines.\n- one\n- two") if piece.text]
    [('## ', 'A title'), ('', 'Two lines.'), ('- ', 'one'), ('- ', 'two')]
    """
    mark, lines, in_code = "", [], False
    for line in [*markdown.split("\n"), ""]:
        fence = bool(_FENCE.match(line))
        heading, item = _HEADING.match(line), _ITEM.match(line)
        is_prose = line.strip() and not (in_code or fence or line.lstrip().startswith(("|", "<")))
        if lines and (heading or item or not is_prose):
            yield _piece(mark, lines)
            mark, lines = "", []
        if not is_prose:
            yield Piece("", "", line)
        elif heading:
            yield Piece(heading[1], " ".join(heading[2].split()), line)
        elif item:
            mark, lines = item[1], [item[2]]
        else:
            lines.append(line)
        in_code ^= fence


def translated(markdown: str, translate: Callable[[str], str]) -> str:
    r"""Return a Markdown text with each part of its prose translated, its marks, code and tables as they are.

    >>> translated("# Hello\n\nTo the\nworld.", {"Hello": "Hallo", "To the world.": "Aan de wereld."}.get)
    '# Hallo\n\nAan de wereld.'
    """
    told = [f"{piece.mark}{translate(piece.text)}" if piece.text else piece.written for piece in pieces(markdown)]
    return "\n".join(told[:-1])


def _piece(mark: str, lines: list[str]) -> Piece:
    return Piece(mark, " ".join(" ".join(lines).split()), "\n".join(lines))
