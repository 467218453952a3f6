"""Draws metrics against a numeric axis: a point per row, a line per choice of the other axes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import NullLocator

from orchestrator.pictures.axis_labels import name_axes
from orchestrator.pictures.figure import (
    add_legend,
    add_notes,
    drawing,
    new_panels,
    scale_as_asked,
)
from orchestrator.pictures.row_labels import labels_of
from orchestrator.pictures.style import style_of
from orchestrator.planning.learning_curves import Band
from orchestrator.planning.results_by_axis import cell_in
from orchestrator.planning.sample_statistics import is_drawable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

    from orchestrator.pictures.figure import Caption
    from orchestrator.pictures.style import Appearance, LineStyle
    from orchestrator.planning.results_by_axis import AxisLine
    from orchestrator.planning.results_table import Row

_CHARACTER: Final = 0.03  # of the length of an axis, with the room between two labels


def draw_against_axis(
    lines: Sequence[AxisLine],
    axis: str,
    metrics: Mapping[str, str],
    caption: Caption,
    look: Appearance,
) -> Figure:
    """Return a figure with a panel per metric.

    Args:
        lines: The lines, in the order of the legend.
        axis: The axis.
        metrics: The metrics, with their descriptions for the labels of the panels.
        caption: What is told beside it.
        look: The look.
    """
    with drawing(look):
        figure, panels = new_panels(len(metrics), look)
        labels = labels_of([*(line.overrides for line in lines), *caption.others])[: len(lines)]
        entries: list[tuple[object, str]] = []
        for panel, (metric, described) in zip(panels, metrics.items(), strict=True):
            name_axes(panel, axis, described)
            for place, line in enumerate(lines):
                drawn = _draw(panel, line, metric, style_of(place, look), look)
                if panel is panels[0]:
                    entries.append((drawn, f"{labels[place]}  ({_runs(line, metrics)})"))
            scale_as_asked(panel, look)
            if look.log_x:
                _label_values(panel, {x for line in lines for x, _ in line.points if x > 0})
        add_legend(figure, entries, caption.more, look)
        add_notes(figure, caption.notes, look)
    return figure


def _label_values(panel: Axes, values: Collection[float]) -> None:
    """Label the values of a logarithmic axis, not powers of ten, unless the labels would touch."""
    drawn = sorted(filter(math.isfinite, values))
    labels = [f"{value:g}" for value in drawn]
    length = math.log(drawn[-1] / drawn[0]) if drawn else 0.0
    if all(
        math.log(after / before) >= length * _CHARACTER * max(map(len, beside))
        for (before, after), beside in zip(pairwise(drawn), pairwise(labels), strict=True)
    ):
        panel.set_xticks(drawn, labels)
        panel.xaxis.set_minor_locator(NullLocator())


def _draw(
    panel: Axes, line: AxisLine, metric: str, style: LineStyle, look: Appearance
) -> ErrorbarContainer:
    found = [(x, row) for x, row in line.points if _is_drawn(x, row, metric, look)]
    values = [row.cells[metric].mean for _, row in found]
    spreads = [_spread(row, metric, look.band) for _, row in found]
    return panel.errorbar(
        [x for x, _ in found],
        values,
        yerr=[[low for low, _ in spreads], [high for _, high in spreads]],
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        capsize=2.5,
        elinewidth=1,
    )


def _is_drawn(x: float, row: Row, metric: str, look: Appearance) -> bool:
    cell = cell_in(row, metric)
    if cell is None or not math.isfinite(x):
        return False
    return not (look.log_x and x <= 0) and not (look.log_y and cell.mean <= 0)


def _spread(row: Row, metric: str, band: Band) -> tuple[float, float]:
    """Return how far the bar reaches below and above the mean."""
    cell = row.cells[metric]
    if band is Band.NONE or cell.std is None or not is_drawable(cell.std):
        return 0.0, 0.0
    if band is Band.STD:
        return cell.std, cell.std
    found = [run.metrics for _, run in row.members if run.metrics is not None]
    values = [metrics[metric] for metrics in found if metric in metrics]
    reach = max(0.0, cell.mean - min(values)), max(0.0, max(values) - cell.mean)
    return reach if all(map(is_drawable, reach)) else (0.0, 0.0)


def _runs(line: AxisLine, metrics: Iterable[str]) -> str:
    """Return the number of runs behind each point of the line."""
    counts = {
        row.count_with(metric)
        for metric in metrics
        for _, row in line.points
        if cell_in(row, metric)
    }
    if not counts:
        return "no results"
    least, most = min(counts), max(counts)
    plural = "" if most == 1 else "s"
    return f"{most} run{plural} per point" if least == most else f"{least} to {most} runs per point"
