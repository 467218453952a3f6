"""Draws learning curves: a line per row of results, and a band for the spread over its runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from orchestrator.pictures.axis_labels import name_axes
from orchestrator.pictures.figure import (
    add_legend,
    add_notes,
    drawing,
    new_panels,
    scale_as_asked,
)
from orchestrator.pictures.row_labels import count_label, labels_of, words_of
from orchestrator.pictures.style import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from orchestrator.grid.config_values import Value
    from orchestrator.pictures.figure import Caption
    from orchestrator.pictures.style import Appearance, LineStyle
    from orchestrator.planning.curve_scale import CurveScale
    from orchestrator.planning.learning_curves import CurvePoint, Line

_MOST_MARKERS: Final = 10  # per line
_BAND: Final = 0.16  # opacity
_THIN: Final = 0.8
_MARGIN: Final = 0.05  # of the height, as matplotlib has it


def draw_curves(
    lines: Mapping[str, Sequence[Line]],
    scales: Mapping[str, CurveScale],
    caption: Caption,
    look: Appearance,
) -> Figure:
    """Return a figure with a panel per metric.

    Args:
        lines: The lines of each metric, the same rows in each.
        scales: The scales of the panels that some curves leave.
        caption: What is told beside it.
        look: The look.
    """
    with drawing(look):
        figure, panels = new_panels(len(lines), look)
        for panel, (metric, drawn) in zip(panels, lines.items(), strict=True):
            for place, line in enumerate(drawn):
                _draw(panel, line, style_of(place, look), look)
            name_axes(panel, "iteration", metric)
            if not look.log_x:
                panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
            scale_as_asked(panel, look)
            if scale := scales.get(metric):
                margin = _MARGIN * (scale.greatest - scale.least)
                panel.set_ylim(scale.least - margin, scale.greatest + margin)
        add_legend(figure, _entries(list(lines.values()), caption.others, look), caption.more, look)
        add_notes(figure, caption.notes, look)
    return figure


def _entries(
    panels: Sequence[Sequence[Line]], others: Sequence[Mapping[str, Value]], look: Appearance
) -> list[tuple[Line2D, str]]:
    """Return what the legend shows for each row: its style, label and number of runs."""
    rows = [line.row for line in panels[0]]
    labels = labels_of([*(row.overrides for row in rows), *others])[: len(rows)]
    are_single = all(row.runs == 1 for row in rows)
    entries = []
    for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
        drawn = max(lines[place].runs for lines in panels)
        is_thin = not drawn
        style = style_of(place, look)
        handle = Line2D(
            [],
            [],
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            linewidth=_THIN if is_thin else None,
            markerfacecolor="none" if is_thin else style.colour,
        )
        counted = words_of(row) if are_single else count_label(row, drawn)
        entries.append((handle, f"{label}  ({counted})" if counted else label))
    return entries


def _draw(panel: Axes, line: Line, style: LineStyle, look: Appearance) -> None:
    """Draw a row: its line while all its runs last, a thin one beyond, and the unfinished runs."""
    whole = [point for point in line.points if point.runs == line.runs]
    if line.points:
        _plot(panel, line.points, line.runs, style, look)
    _draw_band(panel, whole, style)
    for each in line.unfinished:
        values = [_shown(value, look) for value in each.curve.values()]
        panel.plot(
            list(each.curve),
            values,
            color=style.colour,
            linestyle=style.dashes,
            linewidth=_THIN,
            marker=style.marker,
            markerfacecolor=look.paper,
            markevery=sorted({*_between_gaps(values), len(values) - 1}),
            label=each.run_id,
        )


def _draw_band(panel: Axes, points: Sequence[CurvePoint], style: LineStyle) -> None:
    if not any(point.low is not None for point in points):
        return
    steps = [point.step for point in points]
    low = [math.nan if point.low is None else point.low for point in points]
    high = [math.nan if point.high is None else point.high for point in points]
    if len(points) == 1:  # a band would have no width
        panel.vlines(steps, low, high, color=style.colour, alpha=2 * _BAND, linewidth=5)
        return
    panel.fill_between(steps, low, high, color=style.colour, alpha=_BAND, linewidth=0)


def _plot(
    panel: Axes, points: Sequence[CurvePoint], runs: int, style: LineStyle, look: Appearance
) -> None:
    steps = [point.step for point in points]
    means = [_shown(point.mean, look) for point in points]
    is_whole = [point.runs == runs for point in points]
    every = max(1, math.ceil(len(steps) / _MOST_MARKERS))
    values = [mean if whole else math.nan for mean, whole in zip(means, is_whole, strict=True)]
    panel.plot(
        steps,
        values,
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markevery=sorted({*range(0, len(steps), every), *_between_gaps(values)}),
        label="mean",
    )
    if not all(is_whole):
        # From the last point of the whole line on, so that there is no gap.
        near = [
            not whole or not all(is_whole[max(0, place - 1) : place + 2])
            for place, whole in enumerate(is_whole)
        ]
        panel.plot(
            steps,
            [mean if is_near else math.nan for mean, is_near in zip(means, near, strict=True)],
            color=style.colour,
            linestyle=style.dashes,
            linewidth=_THIN,
            label="mean of fewer",
        )


def _between_gaps(values: Sequence[float]) -> Iterator[int]:
    """Yield the places of values with no neighbour, of which a line without a marker shows nothing."""
    padded = [math.nan, *values, math.nan]
    for at, value in enumerate(values):
        is_alone = math.isnan(padded[at]) and math.isnan(padded[at + 2])
        if is_alone and not math.isnan(value):
            yield at


def _shown(value: float, look: Appearance) -> float:
    """Return a value, or NaN for a gap where it cannot be drawn."""
    is_drawn = math.isfinite(value) and (value > 0 or not look.log_y)
    return value if is_drawn else math.nan
