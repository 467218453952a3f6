"""Learning curves of the rows of results: the mean over a row's runs at each iteration, and the spread.

A mean that counts another set of runs at each iteration would lie, so a row's line holds the runs that
have results, as in the table, and says at each iteration how many of them there are. Runs that have not
finished stand beside it, each for itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.planning.results_table import default_metric
from orchestrator.planning.sample_statistics import is_drawable, mean_of, std_of
from orchestrator.rundir.metric_names import BEST
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.planning.results_table import Row
    from orchestrator.planning.run_results import RunResults

# The values of one metric by iteration, in order.
Curve: TypeAlias = "Mapping[int, float]"
_UNFINISHED: Final = (State.RUNNING, State.UNPROVEN, State.STALE)


class Band(Enum):
    """What the band around a line shows."""

    STD = "std"
    RANGE = "range"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The mean over ``runs`` runs at an iteration; ``low`` and ``high`` bound the band, if there is one.

    It is NaN where a value cannot be drawn.
    """

    step: int
    mean: float
    low: float | None
    high: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class UnfinishedCurve:
    """The curve of a run that has not finished."""

    run_id: str
    state: State
    curve: Curve


@dataclass(frozen=True, slots=True)
class Line:
    """The curve of a row: the mean over its ``runs`` runs with results and this metric.

    ``undefined`` of them have a value that cannot be drawn. Points with fewer than ``runs`` runs lie
    beyond the end of some run.
    """

    row: Row
    points: tuple[CurvePoint, ...]
    runs: int
    undefined: int
    unfinished: tuple[UnfinishedCurve, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.points and not self.unfinished


def is_drawn(run: RunResults) -> bool:
    """Return whether the curve of a run is drawn: it has results, or it has not finished."""
    return run.metrics is not None or run.state in _UNFINISHED


def line_of(
    row: Row, curves: Mapping[str, Curve], band: Band = Band.STD, *, last_step: int | None = None
) -> Line:
    """Return the line of a row.

    Args:
        row: The row of results.
        curves: The curves of one metric, by the path of the run.
        band: What the band shows.
        last_step: The iteration at which runs are compared: the curves end there. None: the end.
    """
    counted, unfinished = [], []
    for _, run in row.members:
        found = curves.get(run.path, {})
        curve = {
            step: value if is_drawable(value) else math.nan
            for step, value in found.items()
            if last_step is None or step <= last_step
        }
        if curve and run.metrics is not None:
            counted.append(curve)
        elif curve and run.state in _UNFINISHED:
            unfinished.append(UnfinishedCurve(run.run_id, run.state, curve))
    steps = sorted({step for curve in counted for step in curve})
    points = tuple(
        _point(step, [curve[step] for curve in counted if step in curve], band) for step in steps
    )
    undefined = sum(not all(map(math.isfinite, curve.values())) for curve in counted)
    return Line(row, points, len(counted), undefined, tuple(unfinished))


def default_curve(names: Sequence[str], sorted_by: str | None, chosen_by: str | None) -> str | None:
    """Return the metric whose curve is drawn if none is named; never one of the test set.

    That is the metric that chose the best iteration, or else that of the ranking, or else the first
    one of the validation, or else the first one.

    Args:
        names: The metrics that have curves.
        sorted_by: The metric that ranks the rows.
        chosen_by: The metric that chose the best iteration, as the config says.
    """
    wanted = (chosen_by, (sorted_by or "").removeprefix(BEST), sorted_by)
    return next((name for name in wanted if name in names), None) or default_metric(names)


def names_of(curves: Iterable[Mapping[str, Curve]]) -> tuple[str, ...]:
    """Return the metrics that have curves, in order of first occurrence."""
    return tuple(dict.fromkeys(name for each in curves for name in each))


def _point(step: int, values: Sequence[float], band: Band) -> CurvePoint:
    count = len(values)
    mean = mean_of(values)
    low, high = mean, mean
    if band is Band.NONE or count == 1 or math.isnan(mean):
        return CurvePoint(step, mean, None, None, count)
    if band is Band.RANGE:
        low, high = min(values), max(values)
    else:
        deviation = std_of(values)
        low, high = mean - deviation, mean + deviation
    return CurvePoint(step, mean, low, high, count)
