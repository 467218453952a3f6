"""The picture that the options of ``orch plot`` ask for: which rows and metrics, and how they are drawn."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.cli.picture_notes import describe_metric, notes_on_curves, notes_on_results
from orchestrator.cli.results_notes import describe_lack
from orchestrator.cli.tables import count_of
from orchestrator.errors import UsageError
from orchestrator.planning.curve_scale import scales_without_diverged
from orchestrator.planning.curves_loading import read_curves_of
from orchestrator.planning.learning_curves import (
    Band,
    default_curve,
    is_drawn,
    line_of,
    names_of,
)
from orchestrator.planning.missing_metric import describe_choice
from orchestrator.planning.results_by_axis import heat_of, lines_against, varying_axes
from orchestrator.planning.run_results import is_of_test

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from orchestrator.cli.runs_for_results import ComparedRuns
    from orchestrator.pictures.style import Appearance
    from orchestrator.planning.learning_curves import Curve
    from orchestrator.planning.results_table import ResultsTable, Row

TOP: Final = 7  # lines of different colours
_MOST_TOLD_APART: Final = 1000  # rows from which the labels tell those that are drawn


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: what is drawn, of which rows and metrics, and the notes on it."""

    figure: Figure
    kind: str
    metrics: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str]


def draw_picture(
    found: ComparedRuns, compared: ResultsTable, options: argparse.Namespace
) -> Picture:
    """Return the picture; matplotlib is installed.

    Raises:
        UsageError: Nothing can be drawn, or there is no such axis or metric.
    """
    if options.x:
        return _draw_against_axis(found, compared, options)
    if options.heat:
        return _draw_heat_maps(found, compared, options)
    if options.parallel:
        return _draw_parallel_axes(found, compared, options)
    choice = CurveChoice(options.metrics, options.top or TOP)
    return draw_learning_curves(found, compared, choice, look_of(options))


@dataclass(frozen=True, slots=True)
class CurveChoice:
    """Which curves are drawn: of the metrics with these names or patterns, for the first ``rows`` rows.

    Without names, that of the default metric, and up to ``panels`` in all.
    """

    patterns: Sequence[str] = ()
    rows: int = TOP
    panels: int = 1


def draw_learning_curves(
    found: ComparedRuns, compared: ResultsTable, choice: CurveChoice, look: Appearance
) -> Picture:
    """Return the learning curves of the first rows.

    Raises:
        UsageError: There is no curve, or none of a metric that is named.
    """
    from orchestrator.pictures.curve_panels import draw_curves  # noqa: PLC0415 # an extra
    from orchestrator.pictures.figure import Caption  # noqa: PLC0415 # an extra

    drawable = [row for row in compared.rows if any(is_drawn(run) for _, run in row.members)]
    rows, curves = _with_curves(drawable, choice.rows)
    known = names_of(curves.values())
    if not known:
        raise UsageError(
            "nothing to draw: no run that has finished or is running has a curve. Programs report"
            " curves in metrics.jsonl; --x, --heat and --parallel need none."
        )
    chosen = default_curve(known, compared.sorted_by, found.metric)
    _check_curves(choice.patterns, known, compared)
    metrics = _choose(choice.patterns, known, chosen)
    if not choice.patterns:
        others = [name for name in known if name not in metrics and not is_of_test(name)]
        metrics += others[: choice.panels - 1]
    lines = {
        metric: [
            line_of(
                row,
                {path: each.get(metric, {}) for path, each in curves.items()},
                look.band,
                last_step=found.step,
            )
            for row in rows
        ]
        for metric in metrics
    }
    _check_scale(look, [p.mean for each in lines.values() for line in each for p in line.points])
    scales = {} if look.log_y else scales_without_diverged(lines)
    notes = list(notes_on_curves(lines, scales, compared, found, look.band))
    more = _more(len(compared.rows) - len(rows), len(drawable) - len(rows))
    shown = {id(row) for row in rows}
    left = [row.overrides for row in compared.rows[:_MOST_TOLD_APART] if id(row) not in shown]
    figure = draw_curves(lines, scales, Caption(notes, more, left), look)
    return Picture(figure, "curves", metrics, rows, notes)


def _with_curves(
    rows: Sequence[Row], most: int
) -> tuple[list[Row], dict[str, Mapping[str, Curve]]]:
    """Return the first rows of which a run has a curve, and the curves of their runs."""
    chosen: list[Row] = []
    curves: dict[str, Mapping[str, Curve]] = {}
    for row in rows:
        if len(chosen) == most:
            break
        read = read_curves_of([row])
        if any(read.values()):
            chosen.append(row)
            curves |= read
    return chosen, curves


def _draw_against_axis(
    found: ComparedRuns, compared: ResultsTable, options: argparse.Namespace
) -> Picture:
    from orchestrator.pictures.axis_panels import draw_against_axis  # noqa: PLC0415 # an extra
    from orchestrator.pictures.figure import Caption  # noqa: PLC0415 # an extra

    metrics, band = _choose_results(compared, options), Band(options.band)
    lines = lines_against(compared, options.x)
    drawn = lines[: options.top or TOP]
    notes = list(notes_on_results(compared, metrics, found, band))
    described = {metric: describe_metric(metric, found.step) for metric in metrics}
    more = _more(len(lines) - len(drawn), len(lines) - len(drawn))
    caption = Caption(
        notes, more, [line.overrides for line in lines[len(drawn) :][:_MOST_TOLD_APART]]
    )
    figure = draw_against_axis(drawn, options.x, described, caption, look_of(options))
    rows = [row for line in drawn for _, row in line.points]
    return Picture(figure, "x", metrics, rows, notes)


def _draw_heat_maps(
    found: ComparedRuns, compared: ResultsTable, options: argparse.Namespace
) -> Picture:
    from orchestrator.pictures.figure import Caption  # noqa: PLC0415 # an extra
    from orchestrator.pictures.heat_map import draw_heat_maps  # noqa: PLC0415 # an extra

    metrics = _choose_results(compared, options)
    down, across = options.heat
    compared = replace(compared, rows=compared.rows[: options.top])
    heat = heat_of(compared, down, across)
    notes = list(notes_on_results(compared, metrics, found, in_order=False))
    described = {metric: describe_metric(metric, found.step) for metric in metrics}
    figure = draw_heat_maps(heat, (down, across), described, Caption(notes), look_of(options))
    return Picture(figure, "heat", metrics, compared.rows, notes)


def _draw_parallel_axes(
    found: ComparedRuns, compared: ResultsTable, options: argparse.Namespace
) -> Picture:
    from orchestrator.pictures.figure import Caption  # noqa: PLC0415 # an extra
    from orchestrator.pictures.parallel_axes import draw_parallel_axes  # noqa: PLC0415 # an extra

    metrics = _choose_results(compared, options)
    rows = compared.rows[: options.top]
    axes = varying_axes(rows, compared.axes)
    if not axes:
        raise UsageError("--parallel: the rows differ in no axis. Leave it out.")
    notes = list(notes_on_results(compared, metrics, found))
    described = {metric: describe_metric(metric, found.step) for metric in metrics}
    figure = draw_parallel_axes(rows, axes, described, Caption(notes), look_of(options))
    return Picture(figure, "parallel", metrics, rows, notes)


def _choose_results(compared: ResultsTable, options: argparse.Namespace) -> list[str]:
    """Return the metrics of results to draw.

    Raises:
        UsageError: A name matches none, or no run has results.
    """
    if not compared.metrics:
        raise UsageError(
            f"nothing to draw: {describe_lack(compared)}. --at ITERATION draws those of unfinished runs."
        )
    metrics = _choose(options.metrics, compared.metrics, compared.sorted_by)
    _check_scale(
        look_of(options),
        [row.cells[m].mean for row in compared.rows for m in metrics if m in row.cells],
    )
    return metrics


def _check_curves(patterns: Sequence[str], known: Sequence[str], compared: ResultsTable) -> None:
    """Make sure that no pattern names only metrics that runs have at their end, without a curve.

    Raises:
        UsageError: One does.
    """
    for pattern in patterns:
        if not _matching(pattern, known) and _matching(pattern, compared.metrics):
            axis = compared.axes[0] if compared.axes else "AXIS"
            raise UsageError(
                f"{pattern!r} has no curve, only a value at the end of a run. Draw it against an axis"
                f" with --x {axis}, or choose a curve: {', '.join(known)}."
            )


def _choose(patterns: Sequence[str], known: Sequence[str], default: str | None) -> list[str]:
    """Return the metrics that are named, or match a pattern.

    Raises:
        UsageError: A name matches none, or none is named and all are of the test set.
    """
    if not patterns and default is None:
        raise UsageError(f"no metric is named. Choose one of {', '.join(known)}.")
    chosen: dict[str, None] = {}
    for pattern in patterns or [default or ""]:
        found = _matching(pattern, known)
        if not found:
            raise UsageError(
                f"no run has the metric {pattern!r}. {describe_choice(pattern, known)}"
            )
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _matching(pattern: str, known: Sequence[str]) -> list[str]:
    """Return the metric of this name, or else those that match a pattern."""
    return [pattern] if pattern in known else fnmatch.filter(known, pattern)


def _check_scale(look: Appearance, values: Sequence[float]) -> None:
    if look.log_y and values and not any(value > 0 for value in values):
        raise UsageError("--log-y: no value is positive. Leave it out.")


def _more(rows: int, drawable: int) -> str:
    """Return what the legend says of rows that are not drawn."""
    if not rows:
        return ""
    told = f"and {count_of(rows, 'more row', 's')}"
    return told if drawable else f"{told} without results"


def look_of(options: argparse.Namespace) -> Appearance:
    """Return the look that the options ask for."""
    from orchestrator.pictures.style import Appearance  # noqa: PLC0415 # an extra

    return Appearance(
        dark=options.dark,
        transparent=options.transparent,
        size=options.size,
        log_x=options.log_x,
        log_y=options.log_y,
        with_notes=not options.no_notes,
        band=Band(options.band),
    )
