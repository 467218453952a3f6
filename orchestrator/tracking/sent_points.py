"""The sent points of a run, and which points of its file are still to be sent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.tracking.metrics_file_points import FilePosition, is_same_value, read_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from orchestrator.tracking.metrics_file_points import MetricPoint


@dataclass(frozen=True, slots=True)
class LoggedCurves:
    """The metrics that a program logs to MLflow itself, and those to which nothing is added.

    ``logged`` are their keys. ``apart`` are the keys whose points have other steps or values than
    those in the file: a program may count batches in one place and epochs in the other.
    """

    logged: frozenset[str]
    apart: frozenset[str]


class ConflictError(Exception):
    """MLflow has another value for a point or a parameter than the run directory.

    ``mlflow_run_id`` is empty if it is the run that is being sent.
    """

    def __init__(self, what: str, mlflow_run_id: str = "") -> None:
        super().__init__(what)
        self.mlflow_run_id = mlflow_run_id


class SentPoints:
    """The steps of every key before a position in the file, and the points that MLflow has.

    ``arrived`` are the points that MLflow has, if the timestamps in the file may differ from them.
    ``curves`` is what the program logs to MLflow itself; None: nothing, so another value there than
    in the file is a conflict.
    """

    def __init__(
        self,
        arrived: Mapping[tuple[str, int], float] | None = None,
        curves: LoggedCurves | None = None,
    ) -> None:
        self._steps: defaultdict[str, set[int]] = defaultdict(set)
        self._arrived = arrived or {}
        self._curves = curves

    @property
    def keys(self) -> set[str]:
        """The keys of the sent points, and of those that the program logs itself."""
        sent = {key for key, steps in self._steps.items() if steps}
        return sent | self._curves.logged if self._curves else sent

    def holds(self, name: str, value: float) -> bool:
        """Return whether MLflow has a point with this key and value."""
        return any(
            key == name and is_same_value(there, value) for (key, _), there in self._arrived.items()
        )

    def reread(self, path: Path, end: int, on_progress: Callable[[], None]) -> None:
        """Read the points before the position at which an earlier sender was interrupted."""
        at = FilePosition()
        while at.offset < end:
            reading = read_points(path, at, is_over=True, timeless=0, until=end)
            if reading.place.offset <= at.offset:
                return  # it was rewritten, as the next read detects
            self.add((sample.key, sample.step) for sample in reading.samples)
            at = reading.place
            on_progress()

    def choose(
        self, samples: Iterable[MetricPoint]
    ) -> tuple[list[tuple[str, int]], list[MetricPoint]]:
        """Return the steps that are new in the file, and the points of these that MLflow lacks.

        Raises:
            ConflictError: MLflow has another value for one of them.
        """
        first: dict[tuple[str, int], MetricPoint] = {}
        for sample in samples:
            if sample.step not in self._steps[sample.key]:
                first.setdefault((sample.key, sample.step), sample)
        missing = []
        for place, sample in first.items():
            if self._curves and sample.key in self._curves.apart:
                continue
            before = self._arrived.get(place)
            if before is not None and is_same_value(before, sample.value):
                continue
            if before is not None and self._curves is None:
                raise ConflictError(f"{sample.key} at step {sample.step}")
            missing.append(sample)
        return list(first), missing

    def add(self, steps: Iterable[tuple[str, int]]) -> None:
        """Mark points as sent."""
        for key, step in steps:
            self._steps[key].add(step)
