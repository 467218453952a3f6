"""The interval of a learning rate schedule: whether it takes a step per update or per iteration."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, OneCycleLR

from trainer.errors import ConfigError
from trainer.hydra_targets import takes
from trainer.run_files import say
from trainer.schedule_steps import wants_metric
from trainer.settings import label_of, read_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.settings import Config, TrainingSettings

KEY: Final = "scheduler.interval"
ITERATION, STEP = INTERVALS = ("iteration", "step")
# Their documentation says that they are stepped after each batch, as the schedules of Transformers are.
PER_UPDATE: Final = (OneCycleLR, CyclicLR)
TRANSFORMERS: Final = "transformers."
STEP_EVENTS: Final = ("cb_on_step_begin", "cb_on_step_end")


class Length(NamedTuple):
    """The length of a training; `updates` is None if callbacks may change it."""

    iterations: int
    updates: int | None


def length_of(settings: TrainingSettings, batches: int | None, *, is_known: bool) -> Length:
    """Return the length of a training, as far as it is known before it.

    Args:
        settings: The settings.
        batches: The number of batches of a pass; `None` if it is not known.
        is_known: Whether no callback may change that.
    """
    steps = settings.eval_every
    if settings.training_type == "epoch":
        is_known &= batches is not None
        steps = ceil((batches or 0) / settings.accumulate)
    return Length(settings.iterations, steps * settings.iterations if is_known else None)


def without_interval(config: Config) -> Config:
    """Return the configuration without the key, which is an argument only if the target takes it.

    Raises:
        ConfigError: If its value is not an interval.
    """
    value = _written(config)
    if value is None:
        return config
    if value not in INTERVALS:
        raise ConfigError(f"{KEY}: {value!r} is not one of {', '.join(INTERVALS)}. Correct it.")
    rest = {key: each for key, each in read_group(config, "scheduler").items() if key != "interval"}
    return {**config, "scheduler": {**rest, "name": label_of(config, "scheduler")}}


def interval_of(config: Config, scheduler: LRScheduler | None, length: Length) -> str:
    """Return the interval of a scheduler: as configured, or else as its class tells.

    Raises:
        ConfigError: If it cannot take a step per update, or its class does not tell.
    """
    written = _written(config)
    if scheduler is None or written == ITERATION:
        return ITERATION
    name = type(scheduler).__name__
    if written == STEP and wants_metric(scheduler):
        raise ConfigError(
            f"{KEY}: {name} needs the loss of a validation, and there is one per iteration. Set"
            f" {ITERATION}."
        )
    if written is None and not _is_per_update(scheduler):
        return ITERATION
    if isinstance(scheduler, OneCycleLR) and not _covers(scheduler, length.updates):
        if written is None and scheduler.total_steps in (length.iterations, length.iterations + 1):
            say(f"{name} takes a step per iteration, because total_steps is their number")
            return ITERATION
        if length.updates is not None:
            raise ConfigError(
                f"scheduler: {name} takes {scheduler.total_steps} steps, but the training has"
                f" {length.updates} updates. Set total_steps: {length.updates}, or {KEY}: {ITERATION}."
            )
    return STEP


def _covers(scheduler: OneCycleLR, updates: int | None) -> bool:
    """Return whether a schedule is known to be long enough for the updates."""
    return updates is not None and scheduler.total_steps >= updates


def _written(config: Config) -> object:
    """Return the value of the key, or None; it is the target's own if that has such a parameter."""
    value = read_group(config, "scheduler").get("interval")
    return None if value is None or takes(config, "scheduler", "interval") else value


def _is_per_update(scheduler: LRScheduler) -> bool:
    """Return whether a scheduler is known to count updates.

    Raises:
        ConfigError: If it has a base class that does, but a `step` of its own.
    """
    if wants_metric(scheduler) or any(hasattr(scheduler, event) for event in STEP_EVENTS):
        return False  # with callbacks for steps, it steps itself
    if not any(map(_counts_updates, _parts_of(scheduler))):
        return False
    if not type(scheduler).step.__module__.startswith(("torch.", TRANSFORMERS)):
        raise ConfigError(
            f"{KEY}: missing. {type(scheduler).__name__} has a step() of its own, which may be for"
            f" updates or for iterations. Set {STEP} or {ITERATION}."
        )
    return True


def _counts_updates(scheduler: LRScheduler) -> bool:
    if isinstance(scheduler, PER_UPDATE) or type(scheduler).__module__.startswith(TRANSFORMERS):
        return True
    functions = scheduler.lr_lambdas if isinstance(scheduler, LambdaLR) else []
    return any(_module_of(each).startswith(TRANSFORMERS) for each in functions)


def _module_of(function: object) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__module__", ""))


def _parts_of(scheduler: LRScheduler) -> Iterator[LRScheduler]:
    """Yield a scheduler and those that it consists of."""
    yield scheduler
    for part in getattr(scheduler, "_schedulers", ()):
        yield from _parts_of(part)
