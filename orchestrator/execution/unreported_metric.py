"""A metric that finished runs like those of a grid have not reported, so that it is in vain to compare by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.execution.similar_runs import find_earlier
from orchestrator.grid.config_values import is_number
from orchestrator.grid.identity import short
from orchestrator.planning.code_drift import is_of_this_code
from orchestrator.planning.missing_metric import describe_choice
from orchestrator.planning.run_results import is_of_test

if TYPE_CHECKING:
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.directory import RunDirectory


def refuse_unreported(planned: Planned, setting: str, metric: str, first: int) -> None:
    """Refuse a metric that no finished run has reported which this code made of such a config.

    Runs of the experiment count that differ only in numbers on the axes, the seed and the number of iterations.
    Without one, nothing is known: a changed program or config may report the metric, and so may a choice or a text
    on an axis that none of them has.

    Args:
        planned: The plan.
        setting: The setting that names the metric.
        metric: The metric.
        first: The iteration after which it is needed first.

    Raises:
        UsageError: There are such runs.
    """
    if planned.settings.program.metrics_from_output:  # may be new, and is not part of a run ID
        return
    wanted = {axis.key: axis.values for given in planned.described.axes for axis in given.each}
    alike = [
        run.directory
        for run in find_earlier(planned).runs
        if run.directory.path.parent == planned.experiment.training
        and all(is_number(it) or it in wanted.get(key, (it,)) for key, it in run.point.items())
        and is_of_this_code(planned, run.directory)
        and _has_come_to(run.directory, first)
    ]
    reported: dict[str, None] = {}
    for directory in alike:
        reported |= dict.fromkeys(directory.outcome(whole=True).training)
    if alike and metric not in reported:
        names = [name for name in reported if not is_of_test(name)]  # those have no curve
        raise UsageError(
            f"{setting}: run {short(alike[-1].run_id)}, which is done and like these, has not reported"
            f" {metric!r}. {describe_choice(metric, names)}"
        )


def _has_come_to(directory: RunDirectory, first: int) -> bool:
    progress = directory.read_progress()
    return progress is None or progress.iteration >= first
