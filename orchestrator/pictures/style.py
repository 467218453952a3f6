"""The style of pictures: colours, markers and dashes, and what light and dark pages need.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), which readers with any of the
common colour vision deficiencies can tell apart. Lines of one colour differ in dashes, and neighbours
in their markers, so that they can be told apart in grey, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orchestrator.planning.learning_curves import Band

_ON_LIGHT: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_ON_DARK: Final = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#F07A3A", "#FFFFFF")
_DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (5, 2), (5, 1.5, 1, 1.5), (1, 1.2))
_FULL_WIDTH: Final = 5.5  # inches
_SMALLEST: Final = 0.75
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a picture looks; ``size`` in inches, None: as large as its content needs.

    ``band`` is what bands and bars show.
    """

    dark: bool = False
    transparent: bool = False
    size: tuple[float, float] | None = None
    log_x: bool = False
    log_y: bool = False
    with_notes: bool = True
    band: Band = Band.STD

    @property
    def scale(self) -> float:
        """The size of text and lines: smaller in a picture for one column of a paper."""
        return 1.0 if self.size is None else min(1.0, max(_SMALLEST, self.size[0] / _FULL_WIDTH))

    @property
    def ink(self) -> str:
        """The colour of axes and text."""
        return "#E6E6E6" if self.dark else "#1A1A1A"

    @property
    def faint(self) -> str:
        """The colour of grid lines and of text that is less important."""
        return "#9A9A9A" if self.dark else "#666666"

    @property
    def paper(self) -> str:
        """The colour of the background."""
        return "#16181D" if self.dark else "#FFFFFF"


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How a line is drawn."""

    colour: str
    marker: str
    dashes: tuple[float, tuple[float, ...]]


def style_of(place: int, look: Appearance) -> LineStyle:
    """Return the style of the line at a place; it repeats after 49 lines."""
    colours = _ON_DARK if look.dark else _ON_LIGHT
    cycle, place_in_cycle = divmod(place, len(colours))
    return LineStyle(
        colours[place_in_cycle],
        _MARKERS[(place_in_cycle + cycle) % len(_MARKERS)],
        (0.0, _DASHES[cycle % len(_DASHES)]),
    )


def settings_of(look: Appearance) -> dict[str, object]:
    """Return matplotlib's settings for a picture.

    Text stays text in SVG and PDF, fonts come with matplotlib, so that the same data gives the same
    bytes everywhere.
    """
    size = look.scale
    return {
        "axes.edgecolor": look.ink,
        "axes.facecolor": "none",
        "axes.formatter.limits": (-4, 5),
        "axes.formatter.useoffset": False,
        "axes.labelcolor": look.ink,
        "axes.labelsize": 10 * size,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": look.ink,
        "axes.titlesize": 10 * size,
        "axes.unicode_minus": True,
        "figure.facecolor": "none" if look.transparent else look.paper,
        "font.family": "sans-serif",
        # The others stand in for it in SVG, where a browser draws the text.
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
        "font.size": 9 * size,
        "grid.alpha": 0.3,
        "grid.color": look.faint,
        "grid.linewidth": 0.6,
        "hatch.color": look.faint,
        "legend.fontsize": 8.5 * size,
        "legend.frameon": False,
        "legend.labelcolor": look.ink,
        "lines.linewidth": 1.6 * size,
        "lines.markersize": 4.5 * size,
        "path.simplify": True,
        "pdf.fonttype": 42,
        "savefig.dpi": 200,
        "savefig.facecolor": "none" if look.transparent else look.paper,
        "svg.fonttype": "none",
        "svg.hashsalt": "orch",
        "text.color": look.ink,
        "xtick.color": look.ink,
        "xtick.labelsize": 9 * size,
        "ytick.color": look.ink,
        "ytick.labelsize": 9 * size,
    }
