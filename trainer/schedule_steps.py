"""The steps of a learning rate schedule: their arguments, and the errors if they fail."""

from __future__ import annotations

import inspect
import warnings
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from trainer.errors import ConfigError, shown
from trainer.group_folders import advise_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Given = ParamSpec("Given")
Taken = TypeVar("Taken")


class RateSchedule:
    """The schedule of the learning rate, if there is one: one step per iteration, or per update.

    Args:
        scheduler: The scheduler; `None` keeps the learning rate constant.
        is_per_update: Whether it takes a step per update.
    """

    def __init__(self, scheduler: LRScheduler | None, *, is_per_update: bool = False) -> None:
        self.is_per_update = is_per_update
        self._scheduler = None if is_per_update else scheduler
        self._is_metric_wanted = wants_metric(scheduler)
        self._per_update = scheduler if is_per_update else None

    def after(self, update: Callable[Given, Taken]) -> Callable[Given, Taken]:
        """Return a function that makes an update, and then takes the step of an update, if any."""
        scheduler = self._per_update
        if scheduler is None:
            return update

        def update_and_step(*arguments: Given.args, **named: Given.kwargs) -> Taken:
            taken = update(*arguments, **named)
            take_step(scheduler, None)
            return taken

        return update_and_step

    def end_iteration(self, metrics: Mapping[str, float]) -> None:
        """Take the step of an iteration; a scheduler that requires a metric gets the validation's loss.

        Raises:
            ConfigError: If a scheduler of PyTorch raises an error because of its arguments.
        """
        if self._scheduler is not None:
            take_step(
                self._scheduler, metrics["validation/loss"] if self._is_metric_wanted else None
            )


def take_step(scheduler: LRScheduler, metric: float | None) -> None:
    """Take a step of a scheduler.

    Raises:
        ConfigError: If a scheduler of PyTorch raises an error because of its arguments.
    """
    wanted: list[Any] = [] if metric is None else [metric]
    try:
        scheduler.step(*wanted)
        check_rates(scheduler)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
        if not place.startswith("torch."):
            raise  # the user's own function: keep the traceback
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(
            f"scheduler: {type(scheduler).__name__} cannot step: {reason}."
            f" {advise_values('scheduler')}"
        ) from error


def check_rates(scheduler: LRScheduler) -> None:
    """Check that a scheduler has set numbers as learning rates.

    Raises:
        ConfigError: If one is not a finite number, or below 0.
    """
    for group in scheduler.optimizer.param_groups:
        rate = group["lr"]
        is_number = rate.numel() == 1 if isinstance(rate, torch.Tensor) else isinstance(rate, Real)
        if is_number and not 0 <= rate < inf:
            what = "below 0" if rate < 0 else "not finite"
            raise ConfigError(
                f"scheduler: {type(scheduler).__name__} sets the learning rate to {shown(rate)}, which is"
                f" {what}. Correct its arguments."
            )
        if not is_number:
            raise ConfigError(
                f"scheduler: {type(scheduler).__name__} sets the learning rate to {shown(rate)}, which is"
                " not a number. Correct its get_lr()."
            )


def check_direction(scheduler: LRScheduler) -> None:
    """Check that a scheduler waits for the loss to fall, as that is the metric that it gets.

    Raises:
        ConfigError: If it waits for it to rise: it would lower the rate of a training that goes well.
    """
    if not isinstance(scheduler, ReduceLROnPlateau) or scheduler.mode != "max":
        return
    if type(scheduler).step is ReduceLROnPlateau.step:  # another one may compare something else
        raise ConfigError(
            f"scheduler.mode: {type(scheduler).__name__} gets the loss of the validation, of which less is"
            " better, and max would lower the rate while it falls. Remove mode, or set min."
        )


def rate_of(optimizer: Optimizer) -> float:
    """Return the learning rate of an optimizer's first group.

    Raises:
        ConfigError: If there is none, it is not a number, or below 0: a callback, or its `step`, did that.
    """
    try:
        rate = float(optimizer.param_groups[0]["lr"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"optimizer: {type(optimizer).__name__} has no learning rate after the steps of an iteration"
            f" ({type(error).__name__}: {error}). Keep its param_groups, each with a number as lr."
        ) from error
    if rate < 0:
        raise ConfigError(
            f"optimizer: {type(optimizer).__name__} has the learning rate {rate} after the steps of an"
            " iteration, which is below 0. Correct what sets it; maximize: true follows the gradient."
        )
    return rate


def try_out(make: Callable[[Optimizer], object], optimizer: Optimizer) -> None:
    """Try a step of a scheduler with a copy of an optimizer, which is unchanged.

    Args:
        make: Makes the scheduler of an optimizer.
        optimizer: The optimizer.

    Raises:
        ConfigError: If the step raises an error.
    """
    groups = [
        {"params": [torch.zeros(1)]} | {key: each for key, each in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    like = SGD(groups, lr=0.1)
    like.defaults = {**optimizer.defaults}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the real scheduler raises them, too
        scheduler = make(like)
        if isinstance(scheduler, LRScheduler):
            like.step()
            take_step(scheduler, 1.0 if wants_metric(scheduler) else None)


def wants_metric(scheduler: LRScheduler | None) -> bool:
    """Return whether a scheduler's `step` requires a metric, as `ReduceLROnPlateau`'s does."""
    if scheduler is None or isinstance(scheduler, ReduceLROnPlateau):
        return scheduler is not None
    return demanded(type(scheduler).step) is not None


def demanded(method: Callable[..., object]) -> inspect.Parameter | None:
    """Return the first required parameter of a method after `self`, or None."""
    parameters = [*inspect.signature(method).parameters.values()][1:]
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = (each for each in parameters if each.default is each.empty and each.kind not in rest)
    return next(found, None)
