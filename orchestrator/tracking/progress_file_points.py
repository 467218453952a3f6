"""The points in ``progress.json``: metrics of a program that does not append them to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.rundir import records
from orchestrator.tracking.metrics_file_points import MetricPoint, finite
from orchestrator.tracking.mlflow_names import metric_name
from orchestrator.tracking.run_data import last_change, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Progress


class ProgressPoints:
    """Chooses what of the progress is sent: of several values of one iteration, the first.

    ``read_back`` returns the keys and steps of the points that MLflow has already.
    """

    def __init__(self, read_back: Callable[[], Iterable[tuple[str, int]]]) -> None:
        self._read_back = read_back
        self._there: set[tuple[str, int]] | None = None
        self.keys: set[str] = set()

    def choose(
        self, directory: RunDirectory, progress: Progress, in_file: Collection[str]
    ) -> list[MetricPoint]:
        """Return the points to send, without those whose keys the program appends to its file."""
        at = milliseconds(progress.updated_at) or last_change(directory)
        step, points = progress.iteration, []
        for key, value in progress.metrics.items():
            name, number = metric_name(key), records.as_number(value)
            if number is not None and name not in in_file:
                points.append(MetricPoint(name, finite(number), step, at))
        if not points:
            return []
        if self._there is None:  # there may be millions, so only where it matters
            self._there = set(self._read_back())
        missing = self.without(points)
        self.keys.update(each.key for each in missing)
        self._there.update((each.key, each.step) for each in missing)
        return missing

    def without(self, points: Iterable[MetricPoint]) -> list[MetricPoint]:
        """Return points without those that stood in the progress before."""
        there = self._there or ()
        return [each for each in points if (each.key, each.step) not in there]
