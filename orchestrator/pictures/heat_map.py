"""Draws a metric over two axes as a heat map; combinations without results stay empty and hatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.patches import Rectangle

from orchestrator.pictures.axis_labels import name_axes
from orchestrator.pictures.colour_scale import add_colour_bar, ink_on, norm_of
from orchestrator.pictures.figure import COLUMNS, add_notes, drawing, new_panels
from orchestrator.pictures.row_labels import shorten, texts_of
from orchestrator.planning.results_by_axis import cell_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from orchestrator.pictures.figure import Caption
    from orchestrator.pictures.style import Appearance
    from orchestrator.planning.results_by_axis import Heat

_MOST_NUMBERS: Final = 120  # cells with their values written into them
_MOST_HATCHED: Final = 2500  # cells
_MOST_TICKS: Final = 40
_LONGEST: Final = 18
_CELL: Final = (0.62, 0.42)  # inches
_LARGEST: Final = (16.0, 12.0)
_FRAME: Final = (2.6, 1.1)
_FILLED: Final = 0.92  # of the width of a cell, at most
_SMALLEST: Final = 4.0  # points


def draw_heat_maps(
    heat: Heat,
    axes: tuple[str, str],
    metrics: Mapping[str, str],
    caption: Caption,
    look: Appearance,
) -> Figure:
    """Return a figure with a heat map per metric.

    Args:
        heat: The rows by their values on the axes.
        axes: The axis down and the axis across.
        metrics: The metrics, with their descriptions for the colour bars.
        caption: What is told beside it.
        look: The look.
    """
    with drawing(look):
        figure, panels = new_panels(len(metrics), look)
        for panel, (metric, described) in zip(panels, metrics.items(), strict=True):
            panel.grid(visible=False)
            _draw(panel, heat, metric, described, look)
            name_axes(panel, axes[1], axes[0])
        if look.size is None:
            _fit(figure, panels, heat)
        add_notes(figure, caption.notes, look)
        if look.size is not None:
            _fit_numbers(figure, panels, len(heat.across))
    return figure


def _fit_numbers(figure: Figure, panels: Sequence[Axes], columns: int) -> None:
    """Make the numbers in the cells as small as these need, or leave them out if nobody could read them."""
    figure.draw_without_rendering()
    for panel in panels:
        width = panel.get_window_extent().width / columns
        widest = max((text.get_window_extent().width for text in panel.texts), default=0.0)
        for text in [*panel.texts] if widest > _FILLED * width else ():
            size = float(text.get_fontsize()) * _FILLED * width / widest
            text.set_fontsize(size)
            if size < _SMALLEST:
                text.remove()


def _fit(figure: Figure, panels: Sequence[Axes], heat: Heat) -> None:
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    width = min(_LARGEST[0], max(2.2, _CELL[0] * len(heat.across)) + _FRAME[0])
    height = min(_LARGEST[1], max(1.6, _CELL[1] * len(heat.down)) + _FRAME[1])
    figure.set_size_inches(columns * width, rows * height)


def _draw(panel: Axes, heat: Heat, metric: str, described: str, look: Appearance) -> None:
    cells = {place: cell_in(row, metric) for place, row in heat.rows.items()}
    values = {place: cell.mean for place, cell in cells.items() if cell}
    if look.log_y:
        values = {place: value for place, value in values.items() if value > 0}
    norm, colours = norm_of(list(values.values()), look), mpl.colormaps["viridis"]
    grid = [
        [values.get((down, across), float("nan")) for across in range(len(heat.across))]
        for down in range(len(heat.down))
    ]
    image = panel.imshow(grid, cmap=colours, norm=norm, aspect="auto", interpolation="none")
    is_large = len(heat.down) * len(heat.across) > _MOST_HATCHED
    for down in range(len(heat.down)):
        for across in range(len(heat.across)):
            if (down, across) not in values and not is_large:
                corner = (across - 0.5, down - 0.5)
                panel.add_patch(
                    Rectangle(
                        corner, 1, 1, fill=False, hatch="///", linewidth=0, edgecolor=look.faint
                    )
                )
    for number, (down, across) in enumerate(values):
        if len(heat.down) * len(heat.across) > _MOST_NUMBERS:
            break
        value = values[down, across]
        row = heat.rows[down, across]
        count = row.count_with(metric)
        told = f"{value:.3g}" if count == row.runs else f"{value:.3g}\n{count} of {row.runs}"
        panel.text(
            across,
            down,
            told,
            ha="center",
            va="center",
            fontsize=7.5 * look.scale,
            color=ink_on(colours(float(norm(value)))),
            gid=f"cell-{number}",
        )
    _ticks(panel, heat)
    add_colour_bar(panel, image, described)


def _ticks(panel: Axes, heat: Heat) -> None:
    across, down = (_shortened(values) for values in (heat.across, heat.down))
    is_long = max(map(len, across), default=0) * len(across) > 60  # noqa: PLR2004 # characters of a panel
    for set_ticks, labels, turn in (
        (panel.set_xticks, across, 45 if is_long else 0),
        (panel.set_yticks, down, 0),
    ):
        every = -(-len(labels) // _MOST_TICKS)
        places = range(0, len(labels), every)
        set_ticks(
            list(places),
            [labels[place] for place in places],
            parse_math=False,
            rotation=turn,
            ha="right" if turn or set_ticks == panel.set_yticks else "center",
        )


def _shortened(values: Sequence[object]) -> list[str]:
    return [shorten(text, _LONGEST) for text in texts_of(values)]  # type: ignore[arg-type] # values of configs
