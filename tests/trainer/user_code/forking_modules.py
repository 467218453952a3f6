"""Modules that start processes of their own, and leave it to Python to end them."""

# ruff: noqa: ARG002 - parameters of the events

from __future__ import annotations

import multiprocessing
import signal
from typing import Any


def wait_for_ever() -> None:
    """Do nothing, whatever signal is handled."""
    while True:
        signal.pause()


class Forking:
    """A curriculum with a daemonic process, as one that prepares data."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails

    def cb_on_train_begin(self, trainer: Any) -> None:
        """Start it."""
        context = multiprocessing.get_context("fork")
        trainer.process_of_forking = context.Process(target=wait_for_ever, daemon=True)
        trainer.process_of_forking.start()

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: dict[str, float]) -> None:
        """Have a bug, perhaps."""
        if self.fails:
            raise KeyError(iteration)
