"""Reads how far runs have come and the curve of a metric, each run again only after it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.planning.step_meaning import LoggedMetric
from orchestrator.rundir.program_files import signs
from orchestrator.rundir.run_metrics import read_curve
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.learning_curves import Curve
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation

_TRIES: Final = 5


class CurveReader:
    """Reads the curves of a metric.

    Args:
        experiment: The experiment's folder.
        metric: The metric.
    """

    def __init__(self, experiment: ExperimentDirectory, metric: str) -> None:
        self._experiment = experiment
        self._metric = metric
        self._known: dict[RunId, tuple[object, tuple[int, Curve]]] = {}

    def read(self, run_id: RunId, seen: Observation) -> LoggedMetric:
        """Return what a run has logged, and how many iterations it has reported.

        Args:
            run_id: The run.
            seen: What was just seen of it.
        """
        reached, curve = self._read(run_id)
        has_ended = seen.state is State.DONE or seen.is_paused
        return LoggedMetric(
            curve,
            None if has_ended and not reached else reached,
            is_settled=has_ended,
            is_first=seen.attempts <= 1,
        )

    def _read(self, run_id: RunId) -> tuple[int, Curve]:
        directory = self._experiment.run(run_id)
        for _ in range(_TRIES):  # a live run may report while it is read
            before = signs(str(directory.path))
            known = self._known.get(run_id)
            if known is not None and known[0] == before:
                return known[1]
            progress = directory.read_progress()
            curve = read_curve(directory.metrics, self._metric)
            found = progress.iteration if progress else 0, curve
            if progress == directory.read_progress():
                break
        self._known[run_id] = before, found
        return found
