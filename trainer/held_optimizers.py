"""The optimizers and schedulers that modules hold in attributes, besides those of the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Stateful = Optimizer | LRScheduler


class HeldOptimizers:
    """Finds the optimizers and schedulers in attributes of modules: their states are saved.

    Those of the config, to which modules may refer, are excluded, because they are saved anyway.

    Args:
        modules: The modules by their roles.
    """

    def __init__(self, modules: Mapping[str, object]) -> None:
        self._modules = modules
        self._owners: list[tuple[str, object]] = []

    def begin(self) -> None:
        """Find the objects that have some; called when `cb_on_train_begin` has been."""
        self._owners = [(path, each) for path, each in self._objects() if any(_held_by(each, path))]

    def find(self) -> dict[str, Stateful]:
        """Return what they hold now, each by the first path that leads to it."""
        known = {id(each) for each in self._modules.values()}
        found: dict[str, Stateful] = {}
        for path, owner in self._owners:
            for name, each in _held_by(owner, path):
                if id(each) not in known:
                    known.add(id(each))
                    found[name] = each
        return found

    def _objects(self) -> Iterator[tuple[str, object]]:
        for role, module in self._modules.items():
            if isinstance(module, nn.Module):
                for name, each in module.named_modules():
                    yield f"{role}.{name}" if name else role, each
            elif not isinstance(module, Optimizer | LRScheduler):
                yield role, module

    def state_dict(self) -> dict[str, Any]:
        """Return their states."""
        return {path: each.state_dict() for path, each in self.find().items()}


def _held_by(owner: object, path: str) -> Iterator[tuple[str, Stateful]]:
    for name, value in [*getattr(owner, "__dict__", {}).items()]:
        if isinstance(value, Optimizer | LRScheduler):
            yield f"{path}.{name}", value
        elif isinstance(value, list | tuple | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, each in items:
                if isinstance(each, Optimizer | LRScheduler):
                    yield f"{path}.{name}[{key!r}]", each
