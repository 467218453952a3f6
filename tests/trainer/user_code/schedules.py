"""Schedules of users."""

from functools import partial
from typing import Any

from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, SequentialLR, StepLR


def _warm_up(step: int, *, steps: int) -> float:
    return min(1.0, (step + 1) / steps)


_warm_up.__module__ = "transformers.optimization"  # stands in for the functions there


def get_schedule(optimizer: Any, steps: int) -> LRScheduler:
    """Return a schedule as those of Transformers are made."""
    return LambdaLR(optimizer, partial(_warm_up, steps=steps))


def in_sequence(optimizer: Any, steps: int) -> LRScheduler:
    """Return a schedule of which one part counts updates."""
    parts: list[LRScheduler] = [StepLR(optimizer, 1), get_schedule(optimizer, steps)]
    return SequentialLR(optimizer, parts, [2])


class OwnStep(OneCycleLR):
    """A schedule that may be meant for updates or for iterations."""

    def step(self, epoch: int | None = None) -> None:
        """Take a step as the base class does."""
        super().step(epoch)


class TakesInterval(StepLR):
    """A schedule with a parameter of the name of the trainer's key."""

    def __init__(self, optimizer: Any, interval: int) -> None:
        super().__init__(optimizer, interval)
