"""What a notebook shows in a run of reports: frames as tables of their numbers, in the language of the page.

An extension of IPython, loaded by the kernels of reports alone: `load_ipython_extension`.
"""

import os
from typing import Any

LANGUAGE_VARIABLE = "RETENTION_KIT_LANGUAGE"
"""The environment variable with the language of the page that a notebook's output becomes."""

_FRAMES = (
    ("pandas", "DataFrame"),
    ("pandas", "Series"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.series", "Series"),
    ("pandas.io.formats.style", "Styler"),
)
"""Frames by module and name, as pandas gives them to IPython: none is imported here."""

REFUSED = "rk-refused"
"""Class of what stands in place of raw counts, which no page shows."""


def load_ipython_extension(shell: Any) -> None:
    """Show frames as tables of their numbers, and speak the language of the page."""
    from retention_kit.present.languages import speak

    if language := os.environ.get(LANGUAGE_VARIABLE):
        speak(language)
    shown = shell.display_formatter.formatters["text/html"]
    for module, name in _FRAMES:
        shown.for_type_by_name(module, name, _frame)
    shown.for_type_by_name("retention_kit.table", "Table", _table)
    shown.for_type_by_name("retention_kit.present.blocks", "Block", lambda block: block.html)


def _table(table: Any) -> str:
    from retention_kit.present.markup import with_file

    return with_file(table)


def _frame(shown: Any) -> str:
    """Return a frame as a table of a page; raw counts as a mark by which the page is refused."""
    from markupsafe import Markup

    from retention_kit.present.frames import table_of
    from retention_kit.table import raw_name

    raw = raw_name(shown)
    return Markup('<p class="{}">{}</p>').format(REFUSED, raw) if raw else _table(table_of(shown))
