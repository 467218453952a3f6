"""The roles of a training, and the module of each."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from trainer.build import DataModule, Modules


class Roles:
    """The modules of a training, read-only: callbacks may change modules, but not replace them.

    A replaced module would be used in some places only, and would not be resumed.

    Args:
        modules: The modules.
    """

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self.modules = MappingProxyType(modules.by_role())

    @property
    def data(self) -> DataModule:
        """The data module."""
        return self._modules.data

    @property
    def model(self) -> nn.Module:
        """The model."""
        return self._modules.model

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer."""
        return self._modules.optimizer

    @property
    def scheduler(self) -> LRScheduler | None:
        """The scheduler, if there is one."""
        return self._modules.scheduler

    @property
    def criterion(self) -> Callable[..., Tensor] | None:
        """The criterion; None if the model computes the loss."""
        return self._modules.criterion

    @property
    def curriculum(self) -> object | None:
        """The curriculum, if there is one."""
        return self._modules.curriculum
