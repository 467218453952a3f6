"""Modules that ask the trainer for the length of the run, and others."""

# ruff: noqa: ARG002 - a callback has its parameters, used or not

from operator import attrgetter
from typing import Any


class Reader:
    """Read an attribute of the trainer at each iteration."""

    def __init__(self, what: str) -> None:
        self.read = attrgetter(what)

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Read it."""
        self.read(trainer)


class EarlyReader:
    """Read the length of the run in its first iteration only."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Read it, once in the life of a run."""
        if iteration == 1:
            assert trainer.settings.iterations


class TestScore:
    """Add a result to those of the test, whose name does not say that it is one."""

    def cb_on_train_end(self, trainer: Any, test_results: Any) -> None:
        """Add it."""
        test_results["score"] = 1.0
