"""Owns how a schedule is followed: what its steps are given, and what is said if one cannot be taken."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class RateSchedule:
    """Follow a schedule, if there is one, once an iteration.

    Args:
        scheduler: The scheduler; `None` leaves the learning rate as it is.
    """

    def __init__(self, scheduler: LRScheduler | None) -> None:
        self.scheduler = scheduler
        self._is_metric_wanted = wants_metric(scheduler)

    def step(self, metrics: Mapping[str, float]) -> None:
        """Take a step; a scheduler that demands a metric gets the loss of the validation.

        Raises:
            ConfigError: If one of PyTorch's own cannot take it, for its arguments.
        """
        if self.scheduler is not None:
            take_step(
                self.scheduler, metrics["validation/loss"] if self._is_metric_wanted else None
            )


def take_step(scheduler: LRScheduler, metric: float | None) -> None:
    """Take a step of a scheduler.

    Raises:
        ConfigError: If one of PyTorch's own cannot take it, for its arguments.
    """
    wanted: list[Any] = [] if metric is None else [metric]
    try:
        scheduler.step(*wanted)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
        if not place.startswith("torch."):
            raise  # a function of the user's own, whose traceback says where
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"scheduler: {type(scheduler).__name__} cannot step: {reason}. Correct conf/scheduler/."
        ) from error


def try_out(make: Callable[[Optimizer], object], optimizer: Optimizer) -> None:
    """Take a step of a scheduler for an optimizer like another one, of which nothing changes.

    Args:
        make: Makes the scheduler of an optimizer.
        optimizer: What it will be made of.

    Raises:
        ConfigError: If it cannot take one.
    """
    groups = [
        {"params": [torch.zeros(1)]} | {key: each for key, each in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    like = SGD(groups, lr=0.1)
    like.defaults = {**optimizer.defaults}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are said of the real one
        scheduler = make(like)
        if isinstance(scheduler, LRScheduler):
            like.step()
            take_step(scheduler, 1.0 if wants_metric(scheduler) else None)


def wants_metric(scheduler: LRScheduler | None) -> bool:
    """Return whether a scheduler's `step` demands a metric, as `ReduceLROnPlateau`'s does."""
    if scheduler is None or isinstance(scheduler, ReduceLROnPlateau):
        return scheduler is not None
    return demanded(type(scheduler).step) is not None


def demanded(method: Callable[..., object]) -> inspect.Parameter | None:
    """Return the first parameter that a method cannot be called without, besides its object."""
    _self, *parameters = inspect.signature(method).parameters.values()
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = (each for each in parameters if each.default is each.empty and each.kind not in rest)
    return next(found, None)
