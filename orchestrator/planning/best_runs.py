"""The best runs of an experiment by a metric: of the others, nothing but the metric is read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.errors import UsageError
from orchestrator.planning.metric_direction import Direction, direction_of
from orchestrator.planning.missing_metric import describe_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from orchestrator.planning.experiment_status import ExperimentStatus
    from orchestrator.rundir.run_summary import Report
    from orchestrator.rundir.state import State

_Rank: TypeAlias = "tuple[bool, float]"


def best_reports(
    status: ExperimentStatus,
    metric: str,
    most: int | None,
    states: Collection[State],
    *,
    with_others: bool,
) -> Sequence[Report]:
    """Return the reports on the runs in these states, at most ``most``, the best first.

    Runs with equal values are in the order of their creation, and those without the metric come last.

    Raises:
        UsageError: No run has this metric.
    """
    run_ids = status.run_ids(states, with_others=with_others)
    rank = _ranking(metric)
    if most is not None and 0 < most < len(run_ids):
        read = {run_id: rank(status.read_figure(run_id, metric)) for run_id in run_ids}
        is_missing, worst = sorted(read.values())[most - 1]
        if not is_missing:
            run_ids = [run_id for run_id in run_ids if read[run_id] <= (False, worst)]
            states = ()  # pending runs of the grid have no metric
    reports = status.reports_on(run_ids) + status.pending_reports(states)
    known = dict.fromkeys(key for report in reports for key in report.outcome.figures)
    if reports and metric not in known:
        raise UsageError(f"no run has the metric {metric!r}. {describe_choice(metric, [*known])}")
    reports.sort(key=lambda report: rank(report.outcome.figures.get(metric)))
    return reports[:most]


def _ranking(metric: str) -> Callable[[float | None], _Rank]:
    sign = 1 if direction_of(metric) is Direction.LESS else -1

    def rank(value: float | None) -> _Rank:
        return (True, 0) if value is None or math.isnan(value) else (False, sign * value)

    return rank
