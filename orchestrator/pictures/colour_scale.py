"""The colour scale of a metric: viridis, which keeps its order in grey and for colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.colors import ListedColormap, LogNorm, Normalize

from orchestrator.pictures.axis_labels import label_short_scale
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

    from orchestrator.pictures.style import Appearance

_SHADES: Final = 256
_AROUND: Final = 0.05  # of a single value, to both sides
_DARK: Final = 0.179  # luminance, at which black and white contrast equally
_LINEAR: Final = 0.04045  # where sRGB stops to be linear
_ON_LIGHT: Final = (0.0, 0.92)  # its yellow end is hard to see as a line on white
_ON_DARK: Final = (0.35, 1.0)  # and its violet end on black


def norm_of(values: Sequence[float], look: Appearance) -> Normalize:
    """Return the scale from the least to the greatest of some finite values; around a single one."""
    if not values:
        return Normalize(0, 1)
    least, most = min(values), max(values)
    if least == most:
        room = abs(least) * _AROUND or 1
        least, most = least - room, most + room
    return LogNorm(least, most) if look.log_y else Normalize(least, most)


def colours_of_lines(look: Appearance) -> ListedColormap:
    """Return viridis without the end that cannot be seen on the page."""
    least, most = _ON_DARK if look.dark else _ON_LIGHT
    steps = [least + (most - least) * place / (_SHADES - 1) for place in range(_SHADES)]
    return ListedColormap(mpl.colormaps["viridis"](steps))


def ink_on(colour: tuple[float, ...]) -> str:
    """Return black or white, whichever is easier to read on a colour (WCAG's relative luminance)."""
    linear = [c / 12.92 if c <= _LINEAR else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > _DARK else "#FFFFFF"


def add_colour_bar(panel: Axes, scale: ScalarMappable, described: str) -> None:
    """Add the scale right of a panel, with the metric as its label."""
    bar = panel.figure.colorbar(scale, ax=panel, pad=0.02)
    bar.set_label(printable(described), parse_math=False)
    bar.outline.set_visible(False)
    if isinstance(scale.norm, LogNorm):
        label_short_scale(bar.ax.yaxis)
