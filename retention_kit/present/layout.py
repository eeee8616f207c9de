"""Margins of a figure from the text it bears, without drawing that text to see how long it is.

Measuring text takes most of the time of a drawing, and in vain: the reader's own fonts write it, not those of the
machine that makes the report, which may have none for Chinese or Arabic.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine

_PAD = 0.12
"""Inches kept free at each edge."""

_TICK = 7 / 72
"""Inches from an axis to the labels of its ticks."""

_PROSE = 0.98
"""Width of a bold letter of a sentence, with its narrow ones and blanks, in widths of a digit."""

_LINE = 1.3
"""Height of a line of text, in sizes of its letters."""


class Margins(LayoutEngine):
    """Leave room at the left for labels of rows, below for those of columns and the axis, above for the title.

    For axes above each other in one column, their legends inside them. Titles begin at the figure's left edge; one
    that is too long for a line goes on in a second one.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def execute(self, figure: Figure) -> None:
        """Set the margins of a figure, and where the labels of its axes stand."""
        panels = [axes for axes in figure.axes if axes.get_subplotspec() is not None]
        if not panels:
            return
        width, height = figure.get_size_inches()
        left = max(_across(axes.yaxis) for axes in panels) + _PAD
        for axes in panels:
            _wrap_title(axes, width=width - 2 * _PAD)
        below = {axes: _TICK * _has_labels(axes.xaxis) + _lines(axes.xaxis) for axes in panels}
        bottom = below[panels[-1]] + _height_of_label(panels[-1].xaxis) + _PAD
        top = max(_title(axes) for axes in panels) + _PAD
        right = max(_PAD, *(_beyond(axes, width=width - left - _PAD) for axes in panels))
        gap = 0.0 if len(panels) == 1 else max(_title(axes) for axes in panels[1:]) + 0.15
        panel = (height - top - bottom - gap * (len(panels) - 1)) / len(panels)
        if panel <= 0 or width - left - right <= 0:  # too small a figure for its words: leave it as it is
            return
        figure.subplots_adjust(
            left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height, hspace=gap / panel
        )
        for axes in panels:
            axes.set_title(axes.get_title(loc="left"), loc="left", x=-(left - _PAD) / (width - left - right))
            axes.xaxis.set_label_coords(0.5, -below[axes] / panel)
            axes.yaxis.set_label_coords(-(left - _PAD - _height_of_label(axes.yaxis)) / (width - left - right), 0.5)


def text_width(text: str) -> float:
    """Return about how wide a line of text is, in sizes of its letters.

    >>> text_width("2025 Q4") < text_width("二〇二五年四季") < 8
    True
    """
    wide = {"W": 1.0, "F": 1.0}
    return sum(0 if unicodedata.combining(one) else wide.get(unicodedata.east_asian_width(one), 0.62) for one in text)


def in_lines(text: str, *, room: float) -> str:
    r"""Return a label in as many lines as its room asks for, broken at its blanks and after the year of 2025年4月.

    Parameters
    ----------
    room : width of a line, in sizes of its letters.

    >>> in_lines("okt\u00a02025", room=9), in_lines("okt\u00a02025", room=4), in_lines("2025年第4四半期", room=6)
    ('okt\xa02025', 'okt\n2025', '2025年\n第4四半期')
    """
    lines: list[str] = []
    for part in re.split(r"(?<=年)(?=.)|[ \u00a0]", text):
        together = f"{lines[-1]}{'' if lines[-1].endswith('年') else chr(0xA0)}{part}" if lines else part
        if lines and text_width(together) <= room:
            lines[-1] = together
        else:
            lines.append(part)
    return "\n".join(lines)


def _labels(axis: Axis) -> list[str]:
    return [label.get_text() for label in axis.get_majorticklabels() if label.get_visible() and label.get_text()]


def _has_labels(axis: Axis) -> bool:
    return bool(_labels(axis))


def _size(axis: Axis) -> float:
    """Return the size of an axis' tick labels, in inches."""
    labels = axis.get_majorticklabels()
    return labels[0].get_fontsize() / 72 if labels else 0.0


def _widest(lines: Iterable[str]) -> float:
    return max((text_width(line) for text in lines for line in text.split("\n")), default=0.0)


def _across(axis: Axis) -> float:
    """Return how far the labels of an upright axis reach to its left, in inches."""
    labels = _labels(axis)
    return _height_of_label(axis) + (_TICK + _widest(labels) * _size(axis) if labels else 0.0)


def _lines(axis: Axis) -> float:
    return max((text.count("\n") + 1 for text in _labels(axis)), default=0) * _LINE * _size(axis)


def _height_of_label(axis: Axis) -> float:
    text = axis.label.get_text()
    return (text.count("\n") + 1) * _LINE * axis.label.get_fontsize() / 72 + 0.03 if text else 0.0


def _wrap_title(axes: Axes, *, width: float) -> None:
    """Break a title that is longer than a line, in inches."""
    text = axes.get_title(loc="left").replace("\n", " ")
    line = width / (axes.title.get_fontsize() / 72 * _PROSE)
    if text_width(text) <= line:
        return
    wide = text_width(text) / len(text)  # a line of Chinese holds fewer characters
    axes.set_title("\n".join(textwrap.wrap(text, width=max(int(line / wide), 10))), loc="left")


def _title(axes: Axes) -> float:
    text = axes.get_title(loc="left")
    return (text.count("\n") + 1) * _LINE * axes.title.get_fontsize() / 72 + 0.08 if text else 0.05


def _beyond(axes: Axes, *, width: float) -> float:
    """Return how far the last label of a level axis reaches beyond its right end, in inches, with room at the edge."""
    axis = axes.xaxis
    low, high = axes.get_xlim()
    reach = [
        _widest([label.get_text()]) * _size(axis) / 2 - (high - at) / (high - low) * width
        for at, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
        if low <= at <= high and label.get_text()
    ]
    return max(reach, default=0.0) + 0.04
