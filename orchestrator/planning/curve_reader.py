"""Reads how far runs have come and the curve of a metric, each run again only after it has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.planning.step_meaning import LoggedMetric
from orchestrator.rundir.pauses import read_pauses
from orchestrator.rundir.program_files import signs
from orchestrator.rundir.run_metrics import are_contiguous, read_curve
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.learning_curves import Curve
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.pauses import RecordedPauses
    from orchestrator.rundir.state import Observation, Progress

_TRIES: Final = 5


class _Found(NamedTuple):
    """What was read of a run."""

    progress: Progress | None
    curve: Curve
    pauses: RecordedPauses


class CurveReader:
    """Reads the curves of a metric.

    Args:
        experiment: The experiment's folder.
        metric: The metric.
    """

    def __init__(self, experiment: ExperimentDirectory, metric: str) -> None:
        self._experiment = experiment
        self._metric = metric
        self._known: dict[RunId, tuple[object, _Found]] = {}

    def read(self, run_id: RunId, seen: Observation, total: int | None = None) -> LoggedMetric:
        """Return what a run has logged, and how many iterations it has done, as far as it tells.

        Args:
            run_id: The run.
            seen: What was just seen of it.
            total: How many iterations it has, by its config, if that is known.

        Raises:
            UsageError: It has logged too much to be read.
        """
        found = self._read(run_id, seen)
        progress, pauses = found.progress, found.pauses
        logged = LoggedMetric(
            found.curve,
            progress.iteration if progress else None,
            is_settled=seen.state is State.DONE or seen.is_paused,
            is_whole=pauses.is_whole,
            total=progress.iterations if progress else total,
            paused_after=pauses.furthest,
            # Only the trainer tells whether its callbacks have read the number of iterations.
            is_trainers=progress is not None and progress.total_read is not None,
        )
        return logged if progress else _without_progress(logged, is_paused=seen.is_paused)

    def _read(self, run_id: RunId, seen: Observation) -> _Found:
        directory = self._experiment.run(run_id)
        for _ in range(_TRIES):  # a live run may report while it is read
            before = signs(str(directory.path)), seen.attempts, seen.is_paused
            known = self._known.get(run_id)
            if known is not None and known[0] == before:
                return known[1]
            progress = directory.read_progress()
            curve, pauses = (
                read_curve(directory.metrics, self._metric),
                read_pauses(directory, seen),
            )
            found = _Found(progress, curve, pauses)
            if progress == directory.read_progress():
                break
        self._known[run_id] = before, found
        return found


def _without_progress(logged: LoggedMetric, *, is_paused: bool) -> LoggedMetric:
    """Return what a run has logged that reports no progress: one that paused has come as far as it was to.

    It is further if it saves every second iteration, say: where each one is a step, the last one tells.
    """
    if not (is_paused and logged.paused_after):
        return logged
    steps = list(logged.curve)
    if are_contiguous(steps) and steps[-1] > logged.paused_after:
        return replace(logged, reached=steps[-1], is_whole=False)
    return replace(logged, reached=logged.paused_after)
