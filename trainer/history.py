"""The history of a run's metrics: the last points, the best iteration, and the digest of all points."""

from __future__ import annotations

from array import array
from hashlib import sha256
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from trainer.errors import ConfigError
from trainer.metric_direction import MAX, MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCURACY, LOSS = "validation/accuracy", "validation/loss"


class MetricPoint(NamedTuple):
    """One value of one metric; `timestamp` is in milliseconds and never changes."""

    key: str
    value: float
    step: int
    timestamp: int


class History:
    """What a resumed process needs to know about the metrics, in constant space.

    Args:
        metric: The metric by which an iteration is the best one; the first of equals wins. By
            default the accuracy of the validation, or its loss without an accuracy.
        mode: `max` if greater is better, `min` if smaller is.
    """

    def __init__(self, metric: str | None = None, mode: str | None = None) -> None:
        self.metric = metric or ACCURACY
        self.mode = mode or MAX
        self._is_chosen = metric is not None
        self.points: list[MetricPoint] = []
        self.best_iteration: int | None = None
        self.best_value: float | None = None
        self.digest = ""
        self.is_comparable = True  # the last iteration

    @property
    def metrics(self) -> dict[str, float]:
        """The last points, without their steps and timestamps."""
        return {point.key: point.value for point in self.points}

    def add(self, step: int, metrics: dict[str, float], timestamp: int) -> None:
        """Add the metrics of an iteration.

        Raises:
            ConfigError: If the metric that decides which iteration is the best is not among them.
        """
        self._choose(metrics)
        if self.metric not in metrics:
            known = ", ".join(metrics)
            why = (
                ": the outputs are not one number per class, or the targets are not classes"
                if self.metric == ACCURACY
                else ""
            )
            raise ConfigError(
                f"checkpoint.metric: there is no metric {self.metric!r}{why}. Choose one of {known}."
            )
        self._take(step, metrics, timestamp)
        value = float(metrics[self.metric])
        self.is_comparable = not isnan(value)
        if not self.is_comparable:
            return
        sign = 1 if self.mode == MAX else -1
        if self.best_value is None or sign * value > sign * self.best_value:
            self.best_iteration, self.best_value = step, value

    def _choose(self, metrics: Mapping[str, float]) -> None:
        """Use the loss if no metric was chosen and there is no accuracy."""
        if not self._is_chosen and ACCURACY not in metrics:
            self.metric, self.mode = LOSS, MIN

    def add_test(self, step: int, results: dict[str, float], timestamp: int) -> None:
        """Add the test results, which do not count for the best iteration."""
        self._take(step, results, timestamp)

    def _take(self, step: int, metrics: dict[str, float], timestamp: int) -> None:
        values = [*map(float, metrics.values())]
        self.points = [
            MetricPoint(key, value, step, timestamp)
            for key, value in zip(metrics, values, strict=True)
        ]
        # A chain: each digest covers the previous one, so that a checkpoint does not need all points.
        place = repr((self.digest, step, [*metrics])).encode()
        self.digest = sha256(place + array("d", values).tobytes()).hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """Return the history in plain values."""
        return {
            "points": [tuple(point) for point in self.points],
            "best_iteration": self.best_iteration,
            "best_value": self.best_value,
            "digest": self.digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.points = [MetricPoint(*point) for point in state["points"]]
        if self.points:  # there are none within the first iteration
            self._choose(self.metrics)
        self.best_iteration = state["best_iteration"]
        self.best_value = state["best_value"]
        self.digest = state["digest"]
