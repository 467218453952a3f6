"""Reads how far runs have come and the curve of a metric, each run again only after it has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.rundir.program_files import signs
from orchestrator.rundir.run_metrics import read_curve

if TYPE_CHECKING:
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.learning_curves import Curve
    from orchestrator.rundir.experiment import ExperimentDirectory

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

    def read(self, run_id: RunId) -> tuple[int, Curve]:
        """Return how many iterations a run has reported, and its values up to then, or one more."""
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
