"""Owns what a training consists of: a module for each role, from its beginning to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from trainer.build import DataModule, Modules


class Roles:
    """Show the modules of a training; callbacks may change them, but not put others in their places.

    Another one would be heard of at some places and not at others, and not be resumed.

    Args:
        modules: The modules.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self.modules = modules.by_role()

    @property
    def data(self) -> DataModule:
        """Return the data module."""
        return self._modules.data

    @property
    def model(self) -> nn.Module:
        """Return the model."""
        return self._modules.model

    @property
    def optimizer(self) -> Optimizer:
        """Return the optimizer."""
        return self._modules.optimizer

    @property
    def scheduler(self) -> LRScheduler | None:
        """Return the scheduler, if there is one."""
        return self._modules.scheduler

    @property
    def criterion(self) -> Callable[..., Tensor] | None:
        """Return the criterion; none if the model computes the loss."""
        return self._modules.criterion

    @property
    def curriculum(self) -> object | None:
        """Return the curriculum, if there is one."""
        return self._modules.curriculum
