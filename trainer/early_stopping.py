"""Early stopping: decides after each iteration whether a run ends before its last one."""

from __future__ import annotations

import time
from math import isnan
from typing import TYPE_CHECKING, Any

from trainer.errors import CallbackError, ConfigError, shown
from trainer.interval import describe_seconds
from trainer.metric_direction import MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from trainer.early_stopping_settings import StoppingSettings
    from trainer.history import History


class EarlyStopping:
    """Decides whether a run ends early, by the metrics, the time, or the request of a callback.

    The decision and all that it depends on are saved in the checkpoint of the iteration after which
    it was made. So a run that is killed and resumed ends after the same iteration, and the time of
    all attempts counts, up to the last iteration that each has saved.

    `reason` is why the training ends, in words, or None.

    Args:
        settings: The limits.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(
        self, settings: StoppingSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.reason: str | None = None
        self._settings = settings
        self._clock = clock
        self._asked: str | None = None
        self._best: float | None = None
        self._best_iteration = 0
        self._seconds = 0.0
        self._since: float | None = None

    def stop(self, why: str) -> None:
        """End the run after the iteration in progress, as done: it is saved and tested.

        For callbacks. If several ask, the first reason counts; after the last iteration nothing
        happens.

        Args:
            why: The reason, for people.

        Raises:
            CallbackError: If the reason is not a string, or the first iteration has not begun.
        """
        if not isinstance(why, str) or not why.strip():
            raise CallbackError(f"trainer.stop: {shown(why)} is not a reason. Give it in words.")
        if self._since is None:
            raise CallbackError(
                "trainer.stop: no iteration has begun. Call it in cb_on_iteration_begin or a later event."
            )
        self._asked = self._asked or " ".join(why.split())

    def rest(self, done: int, iterations: int) -> Iterator[int]:
        """Yield the iterations that are left until the run ends.

        Args:
            done: The number of iterations that are done.
            iterations: The number of iterations that the run was configured for.
        """
        self._since = self._clock()
        for iteration in range(done + 1, iterations + 1):
            if self.reason is not None:
                break
            yield iteration

    def judge(self, iteration: int, metrics: Mapping[str, float], history: History) -> None:
        """Decide, after an iteration, whether the run ends.

        Args:
            iteration: The iteration.
            metrics: Its metrics, including those of callbacks.
            history: The history, which knows the metric that decides which iteration is the best.

        Raises:
            ConfigError: If the metric is not among them.
        """
        limits, now = self._settings, self._clock()
        self._seconds += now - (now if self._since is None else self._since)
        self._since = now
        waited = self._waited(iteration, metrics, history)
        self.reason = self._asked or waited
        most = limits.time_limit
        if self.reason is None and most is not None and self._seconds >= most:
            self.reason = f"the time limit of {describe_seconds(most)} was reached"

    def _waited(self, iteration: int, metrics: Mapping[str, float], history: History) -> str | None:
        """Note a metric that has improved, and return a reason if it has not for too long."""
        limits = self._settings
        if limits.patience is None or iteration < limits.from_iteration:
            return None
        name, mode = limits.metric or history.metric, limits.mode or history.mode
        if name not in metrics:
            known = ", ".join(metrics)
            raise ConfigError(
                f"stopping.metric: there is no metric {name!r}. Choose one of {known}."
            )
        value = float(metrics[name])
        change = 0.0 if self._best is None else (value - self._best) * (1 if mode == MAX else -1)
        if self._best_iteration == 0:  # the iterations count from here, whatever the value is
            self._best_iteration = iteration
        if not isnan(value) and (self._best is None or change > limits.min_change):
            self._best, self._best_iteration = value, iteration
        if iteration - self._best_iteration < limits.patience:
            return None
        by = f" by more than {limits.min_change:g}" if limits.min_change else ""
        best = (
            ""
            if self._best is None
            else f", {self._best:.4g} after iteration {self._best_iteration}"
        )
        count = f"{limits.patience} iteration{'' if limits.patience == 1 else 's'}"
        return f"{name} has not improved{by} for {count}{best}"

    def state_dict(self) -> dict[str, Any]:
        """Return the decision, and what the next ones depend on."""
        return {
            "reason": self.reason,
            "asked": self._asked,
            "best": self._best,
            "best_iteration": self._best_iteration,
            "seconds": self._seconds,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned; an empty state is that of the beginning."""
        self.reason = state.get("reason")
        self._asked = state.get("asked")
        self._best = state.get("best")
        self._best_iteration = state.get("best_iteration", 0)
        self._seconds = state.get("seconds", 0.0)
