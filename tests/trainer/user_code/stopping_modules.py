"""A module that ends a run."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from typing import Any


class Stopper:
    """Ask the trainer to stop, at an event of an iteration and at all later ones."""

    def __init__(self, event: str, iteration: int) -> None:
        self.event = event
        self.iteration = iteration

    def _ask(self, trainer: Any, event: str, iteration: int) -> None:
        if event == self.event and iteration >= self.iteration:
            trainer.stop(f"asked at {event}")

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Ask, if this is the moment."""
        self._ask(trainer, "train_begin", trainer.iteration)

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Ask, if this is the moment."""
        self._ask(trainer, "iteration_begin", iteration)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Ask, if this is the moment."""
        self._ask(trainer, "step_end", iteration)

    def cb_on_evaluation_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        """Ask, if this is the moment."""
        self._ask(trainer, "evaluation_end", iteration)

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        """Ask, if this is the moment."""
        self._ask(trainer, "iteration_end", iteration)


class Once:
    """Ask the trainer to stop at one step."""

    def __init__(self, iteration: int, batch_idx: int) -> None:
        self.place = (iteration, batch_idx)

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Ask, if this is the moment."""
        if (iteration, batch_idx) == self.place:
            trainer.stop("seen enough")
