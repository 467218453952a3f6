"""A scheduler steps once per iteration, and is tried out before the training."""

import warnings
from typing import Any

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from trainer.errors import ConfigError
from trainer.schedule_steps import (
    RateSchedule,
    check_direction,
    rate_of,
    take_step,
    try_out,
    wants_metric,
)

LOSS = {"validation/loss": 1.0}


@pytest.fixture
def optimizer() -> SGD:
    """Return an optimizer with a learning rate of 0.1."""
    return SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def rate(optimizer: SGD) -> float:
    return float(optimizer.param_groups[0]["lr"])


def test_rate_changes_by_one_step(optimizer: SGD) -> None:
    schedule = RateSchedule(StepLR(optimizer, 1, gamma=0.5))
    optimizer.step()
    schedule.end_iteration(LOSS)
    assert rate(optimizer) == 0.05


def test_rate_changes_by_one_step_per_update(optimizer: SGD) -> None:
    """And not at the end of an iteration; the update returns what it returned."""
    schedule = RateSchedule(StepLR(optimizer, 1, gamma=0.5), is_per_update=True)
    optimizer.step()
    assert schedule.after(lambda value: value + 1)(1) == 2
    assert rate(optimizer) == 0.05
    schedule.end_iteration(LOSS)
    assert rate(optimizer) == 0.05


def test_update_is_left_alone_without_steps_per_update(optimizer: SGD) -> None:
    """So it costs nothing."""
    assert RateSchedule(StepLR(optimizer, 1)).after(rate) is rate


def test_rate_is_constant_without_a_scheduler(optimizer: SGD) -> None:
    RateSchedule(None).end_iteration(LOSS)
    assert rate(optimizer) == 0.1


def test_scheduler_that_requires_a_metric_gets_the_loss(optimizer: SGD) -> None:
    schedule = RateSchedule(ReduceLROnPlateau(optimizer, factor=0.5, patience=0))
    for loss in (1.0, 2.0):
        schedule.end_iteration({"validation/loss": loss})
    assert rate(optimizer) == 0.05


def test_scheduler_that_waits_for_the_loss_to_rise_is_refused(optimizer: SGD) -> None:
    """It would lower the rate of a training that goes well."""
    check_direction(ReduceLROnPlateau(optimizer))
    check_direction(StepLR(optimizer, 1))
    own = type("Own", (ReduceLROnPlateau,), {"step": lambda self, _: super(self).step(0.5)})
    check_direction(own(optimizer, mode="max"))
    with pytest.raises(ConfigError, match=r"^scheduler\.mode: ReduceLROnPlateau gets the loss"):
        check_direction(ReduceLROnPlateau(optimizer, mode="max"))


class OfMetric(LRScheduler):
    """A scheduler of the user's that requires a value."""

    def step(self, value: float) -> None:  # type: ignore[override]
        self.value = value


def test_rate_that_a_callback_has_made_negative_is_refused(optimizer: SGD) -> None:
    """The steps would climb; PyTorch refuses it only when an optimizer is made."""
    optimizer.param_groups[0]["lr"] = 0.0
    assert rate_of(optimizer) == 0
    optimizer.param_groups[0]["lr"] = -0.1
    with pytest.raises(ConfigError, match=r"learning rate -0\.1 after the steps .* below 0"):
        rate_of(optimizer)


def test_required_parameter_is_recognized(optimizer: SGD) -> None:
    assert wants_metric(OfMetric.__new__(OfMetric))
    assert not wants_metric(StepLR(optimizer, 1))
    assert not wants_metric(None)


def test_error_of_pytorch_is_one_line(optimizer: SGD) -> None:
    """As a schedule of fewer steps than there are iterations."""
    scheduler = OneCycleLR(optimizer, 1.0, total_steps=1)
    optimizer.step()
    take_step(scheduler, None)
    with pytest.raises(
        ConfigError, match=r"^scheduler: OneCycleLR cannot step: .* conf/scheduler/"
    ):
        take_step(scheduler, None)


def test_error_in_the_users_function_is_let_through(optimizer: SGD) -> None:
    scheduler = LambdaLR(optimizer, lambda step: 1.0 / (1 - step) if step else 1.0)
    optimizer.step()
    with pytest.raises(ZeroDivisionError):
        take_step(scheduler, None)


def test_trying_out_changes_no_rate(optimizer: SGD) -> None:
    made: list[Any] = []

    def make(given: Any) -> LRScheduler:
        made.append(StepLR(given, 1, gamma=0.5))
        return made[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try_out(make, optimizer)
    assert rate(optimizer) == 0.1
    assert made[0].get_last_lr() == [0.05]


def test_scheduler_that_cannot_step_is_found_by_trying_it_out(optimizer: SGD) -> None:
    with pytest.raises(ConfigError, match="CosineAnnealingLR cannot step"):
        try_out(lambda given: CosineAnnealingLR(given, T_max=0), optimizer)
