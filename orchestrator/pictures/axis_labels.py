"""The labels of axes: one that is longer than its axis is broken into lines, and no part is cut off."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from orchestrator.pictures.row_labels import shorten
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_SHORT: Final = 24  # characters, for which there is room unless the figure has a given size
_SHORT_SCALE: Final = 2.0  # decades
SHORTEST: Final = 8  # characters of a line
_ROUNDS: Final = 3
_MOST_LINES: Final = 3
_BREAKS: Final = re.compile(r"(?<=[\s/._-])(?=[^\s/._-])")


def name_axes(panel: Axes, across: str, up: str) -> None:
    """Label the axes of a panel; no character has a special meaning."""
    panel.set_xlabel(printable(across), parse_math=False)
    panel.set_ylabel(printable(up), parse_math=False)


def label_short_scale(axis: Axis) -> None:
    """Label more of a logarithmic axis than the powers of ten, of which a short one has one or none."""
    least, most = axis.get_view_interval()
    if least > 0 and math.log10(most / least) < _SHORT_SCALE:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def fit_labels(figure: Figure, shortest: int = _SHORT) -> None:
    """Break the labels that are longer than their axes; call it when the size of the figure is final.

    Args:
        figure: The figure.
        shortest: Labels with at most this many characters have room.
    """
    labels = [
        (panel, label, place, label.get_text())
        for panel in figure.axes
        for place, label in enumerate((panel.xaxis.label, panel.yaxis.label))
        if len(label.get_text()) > shortest
    ]
    for _ in range(_ROUNDS if labels else 0):  # one that has more lines leaves less room to others
        figure.draw_without_rendering()
        is_fitting = True
        for panel, label, place, text in labels:
            extent = label.get_window_extent()
            length = (extent.width, extent.height)[place]
            room = (panel.bbox.width, panel.bbox.height)[place]
            if length > room:
                characters = max(map(len, label.get_text().split("\n")))
                label.set_text(break_label(text, max(SHORTEST, int(characters * room / length))))
                is_fitting = False
        if is_fitting:
            break


def break_label(text: str, longest: int) -> str:
    """Return a label in at most three lines of at most ``longest`` characters, shortened if need be."""
    text = shorten(text, _MOST_LINES * longest)
    lines = [""]
    for part in _BREAKS.split(text):
        if lines[-1] and len(lines[-1] + part.rstrip()) > longest:
            lines.append("")
        lines[-1] += part
    kept = [*lines[: _MOST_LINES - 1], "".join(lines[_MOST_LINES - 1 :])]
    return "\n".join(shorten(line.strip(), longest) for line in kept if line)
