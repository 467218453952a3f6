"""Draws rows as lines through all their values, coloured by a metric: parallel coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection

from orchestrator.grid.short_keys import short_keys
from orchestrator.pictures.colour_scale import add_colour_bar, colours_of_lines, norm_of
from orchestrator.pictures.figure import COLUMNS, add_notes, drawing, new_panels
from orchestrator.pictures.row_labels import shorten, texts_of
from orchestrator.planning.results_by_axis import cell_in, identity_of, places_of
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from orchestrator.pictures.figure import Caption
    from orchestrator.pictures.style import Appearance
    from orchestrator.planning.results_table import Row

_MOST_TICKS: Final = 14
_LONGEST: Final = 14
_PER_AXIS: Final = 1.35  # inches
_WIDEST: Final = 24.0  # inches, of a panel with many axes
_HEIGHT: Final = 3.6
_TURNED_HEIGHT: Final = 1.4  # more, for turned names
_FEW: Final = 40  # rows


def draw_parallel_axes(
    rows: Sequence[Row],
    axes: Sequence[str],
    metrics: Mapping[str, str],
    caption: Caption,
    look: Appearance,
) -> Figure:
    """Return a figure with a panel per metric, one above the other.

    The values of an axis stand at equal distances, in order; the metric has a scale of its own at the
    right.

    Args:
        rows: The rows; those without the metric are not drawn.
        axes: The axes in which they differ.
        metrics: The metrics, with their descriptions.
        caption: What is told beside it.
        look: The look.
    """
    with drawing(look):
        figure, panels = new_panels(len(metrics), look)
        columns = min(len(metrics), COLUMNS)
        width = max(5.0, min(_PER_AXIS * (len(axes) + 1) + 1.2, _WIDEST))
        if look.size is None:
            height = _HEIGHT + (_TURNED_HEIGHT if _are_names_turned(axes) else 0)
            figure.set_size_inches(columns * width, height * -(-len(metrics) // columns))
        for panel, (metric, described) in zip(panels, metrics.items(), strict=True):
            _draw(panel, rows, axes, (metric, described), look)
        add_notes(figure, caption.notes, look)
    return figure


def _draw(
    panel: Axes, rows: Sequence[Row], axes: Sequence[str], named: tuple[str, str], look: Appearance
) -> None:
    metric, described = named
    panel.grid(visible=False)
    shown = [row for row in rows if _value(row, metric, look) is not None]
    values = [row.cells[metric].mean for row in shown]
    norm = norm_of(values, look)
    shades = colours_of_lines(look)
    places = {axis: places_of(rows, axis) for axis in axes}
    lines = [
        [
            *(
                (at, _height(places[axis][identity_of(row, axis)][0], len(places[axis])))
                for at, axis in enumerate(axes)
            ),
            (len(axes), float(norm(row.cells[metric].mean))),
        ]
        for row in shown
    ]
    is_few = len(shown) <= _FEW
    collection = LineCollection(
        # The best row is drawn last, above the others.
        list(reversed(lines)),
        colors=[shades(float(norm(value))) for value in reversed(values)],
        linewidths=[1.2] * (len(lines) - 1) + [2.6] if lines else [],
        alpha=0.9 if is_few else 0.55,
    )
    panel.add_collection(collection)
    collection.set_clip_on(False)
    names = short_keys(axes)
    for at, axis in enumerate(axes):
        _draw_axis(panel, at, texts_of([value for _, value in places[axis].values()]), look)
    panel.axvline(len(axes), color=look.faint, linewidth=0.8)
    panel.set_xlim(-0.1, len(axes) + 0.05)
    panel.set_ylim(0, 1)
    panel.set_yticks([])
    panel.set_xticks(
        list(range(len(axes) + 1)),
        [
            *(shorten(printable(names[axis]), _LONGEST) for axis in axes),
            shorten(printable(metric), 24),
        ],
        parse_math=False,
        rotation=60 if _are_names_turned(axes) else 0,
        ha="right" if _are_names_turned(axes) else "center",
    )
    for spine in panel.spines.values():
        spine.set_visible(False)
    add_colour_bar(panel, ScalarMappable(norm, shades), described)


def _are_names_turned(axes: Sequence[str]) -> bool:
    """Return whether the names of that many axes would overlap side by side."""
    return _PER_AXIS * (len(axes) + 1) > _WIDEST


def _draw_axis(panel: Axes, at: int, labels: Sequence[str], look: Appearance) -> None:
    """Draw an axis with its values, or with some of them if there are many."""
    panel.axvline(at, color=look.faint, linewidth=0.8)
    for place in range(0, len(labels), -(-len(labels) // _MOST_TICKS)):
        panel.text(
            at + 0.03,
            _height(place, len(labels)),
            shorten(labels[place], _LONGEST),
            fontsize=7.5 * look.scale,
            va="center",
            parse_math=False,
            bbox={"facecolor": look.paper, "alpha": 0.9, "pad": 0.6, "linewidth": 0},
        )


def _value(row: Row, metric: str, look: Appearance) -> float | None:
    cell = cell_in(row, metric)
    return cell.mean if cell and (cell.mean > 0 or not look.log_y) else None


def _height(place: int, count: int) -> float:
    return 0.5 if count == 1 else place / (count - 1)
