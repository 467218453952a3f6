"""Modules in which nothing is trained, and some that train in an unusual way."""

# ruff: noqa: ARG002 - a step has its parameter, used or not

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Idle(torch.optim.SGD):
    """An optimizer whose step was never written."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # as users write
        """Do nothing."""


class Asking(torch.optim.SGD):
    """An optimizer that computes the loss, and forgets to step."""

    def step(self, closure: Any) -> Any:
        """Compute the loss."""
        return closure()


class ByData(torch.optim.SGD):
    """An optimizer that steps behind autograd's back."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # as users write
        """Step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.sub_(parameter.grad, alpha=group["lr"])


class Zero(nn.CrossEntropyLoss):
    """A criterion whose gradient is zero."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Compute a loss."""
        return super().forward(outputs * 0, targets)


class Half(nn.Sequential):
    """A model in bfloat16."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(6, 2))
        self.bfloat16()

    def forward(self, samples: Tensor) -> Tensor:
        """Classify."""
        outputs: Tensor = super().forward(samples.bfloat16())
        return outputs.float()


class OwnUpdate:
    """A module that makes the updates itself, or only computes the loss."""

    def __init__(self, *, is_idle: bool = True) -> None:
        self.is_idle = is_idle

    def cb_on_update(self, trainer: Any, batches: Any) -> Any:
        """Compute the loss."""
        inputs, targets = batches[0]
        loss = trainer.criterion(trainer.model(inputs), targets)
        if not self.is_idle:
            trainer.optimizer.zero_grad()
            loss.backward()
            trainer.optimizer.step()
        return loss


def warm_up(optimizer: Any) -> Any:
    """Make a schedule that begins with a rate of 0."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda iteration: min(1.0, iteration / 2))


class NanInEvaluation(nn.Module):
    """A criterion that fails quietly when it evaluates."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Compute a loss."""
        loss = nn.functional.cross_entropy(outputs, targets)
        return loss if outputs.requires_grad else loss * float("nan")


class Freezing(nn.Module):
    """A model that puts its norm into evaluation mode, at one event."""

    def __init__(self, event: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.event = event

    def forward(self, samples: Tensor) -> Tensor:
        """Classify."""
        outputs: Tensor = self.layers(samples)
        return outputs

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Do it, if this is the event."""
        if self.event == "cb_on_iteration_begin":
            self.layers[1].eval()

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Do it, if this is the event."""
        if self.event == "cb_on_step_begin":
            self.layers[1].eval()
