"""Modules that are built, and then cannot be used."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class WithoutGroups(torch.optim.SGD):
    """An optimizer that never calls the constructor of its class."""

    def __init__(self, params: Any, lr: float) -> None:
        self.given, self.lr = [*params], lr


class Training(nn.Linear):
    """A model with a method for its training, whose name is taken."""

    def __init__(self) -> None:
        super().__init__(6, 2)

    def train(self, samples: Any, *, epochs: int) -> Any:  # type: ignore[override]  # as users write
        """Do nothing."""


def of_another(optimizer: Any) -> Any:
    """Make a schedule for an optimizer of its own."""
    del optimizer
    own = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    return torch.optim.lr_scheduler.StepLR(own, 1)
