"""The optimizers and schedulers that modules hold in attributes, besides those of the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainer.run_files import say
from trainer.state_digest import tensors_in

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
        self._is_told = False

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

    def tell_unsaved(self) -> None:
        """Print, once, which optimizers an optimizer holds without saving their states.

        Called after the first iteration, in which optimizers create them.
        """
        owners = {} if self._is_told else self._modules
        self._is_told = True
        for role, owner in owners.items():
            inner = [*_held_by(owner, role)] if isinstance(owner, Optimizer) else []
            for path, each in inner:
                if isinstance(each, Optimizer) and not _has_state_of(owner, each):
                    say(
                        f"note: no state_dict() saves the state of {path}: a resumed run would start without it."
                        f" Let state_dict() and load_state_dict() of {type(owner).__name__} pass it on."
                    )


def _has_state_of(owner: object, inner: Optimizer) -> bool:
    """Return whether an optimizer saves the state of another; it may save copies."""
    tensors = (value for state in inner.state.values() for value in state.values())
    wanted = next((each for each in tensors if isinstance(each, Tensor) and each.ndim), None)
    if wanted is None:
        return True
    saved = owner.state_dict()  # type: ignore[attr-defined]  # it is an optimizer
    alike = (each for each in tensors_in(saved) if each.shape == wanted.shape)
    return any(torch.equal(each.to(wanted), wanted) for each in alike)


def _held_by(owner: object, path: str) -> Iterator[tuple[str, Stateful]]:
    for name, value in [*getattr(owner, "__dict__", {}).items()]:
        if isinstance(value, Optimizer | LRScheduler):
            yield f"{path}.{name}", value
        elif isinstance(value, list | tuple | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, each in items:
                if isinstance(each, Optimizer | LRScheduler):
                    yield f"{path}.{name}[{key!r}]", each
