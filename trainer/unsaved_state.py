"""Unsaved state: numbers and tensors of modules that change in the training, and that nothing saves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainer.run_files import say
from trainer.target_errors import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Values = dict[str, object]

MOST_BYTES = 2**20  # of a tensor that is compared
SAVING = ("state_dict", "load_state_dict", "get_extra_state", "set_extra_state")


class UnsavedState:
    """The numbers and tensors in attributes of modules that no `state_dict` has.

    Args:
        modules: The modules by their roles.
    """

    def __init__(self, modules: Mapping[str, object]) -> None:
        self._modules = modules
        self._before: Values = {}
        self._is_told = False

    def begin(self) -> None:
        """Note the values at the beginning of the training."""
        self._before = dict(_values_of(self._modules))

    def tell(self) -> None:
        """Print, once, which values have changed: a resumed run starts with the first ones."""
        if self._is_told:
            return
        self._is_told = True
        now = dict(_values_of(self._modules))
        changed = [path for path, value in self._before.items() if now.get(path) != value]
        if changed:
            these = ", ".join(changed[:5])
            say(
                f"note: {these} changed in the first iteration, and no state_dict() saves that: a resumed"
                " run starts from the first value. Ignore this if each iteration sets it, or nothing"
                " depends on it."
            )


def _values_of(modules: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for role, module in modules.items():
        if isinstance(module, nn.Module):
            for name, each in module.named_modules():
                if not saves_more(type(each)):
                    yield from _of_object(each, f"{role}.{name}" if name else role)
        elif not hasattr(module, "state_dict"):
            yield from _of_object(module, role)


def values_of(module: object, role: str) -> Iterator[tuple[str, object]]:
    """Yield the numbers and small tensors in attributes of a module that saves in its own way."""
    if isinstance(module, nn.Module):
        for name, each in module.named_modules():
            if saves_more(type(each)):
                yield from _of_object(each, f"{role}.{name}" if name else role)
    else:
        yield from _of_object(module, role)


def _of_object(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield the numbers and small tensors of an object of the user's own."""
    if is_of_package(type(value)):
        return
    for name, held in _attributes_of(value).items():
        if name == "training":
            continue
        if isinstance(held, (bool, int, float)):
            yield f"{path}.{name}", held
        elif isinstance(held, Tensor) and held.nbytes <= MOST_BYTES:
            yield f"{path}.{name}", _bytes_of(held)


def _attributes_of(value: object) -> Values:
    """Return the attributes of an object, and those of its own classes that it may replace by its own."""
    found: Values = {}
    for kind in reversed(type(value).__mro__):
        if not is_of_package(kind):
            found.update(vars(kind))
    return found | getattr(value, "__dict__", {})


def is_of_package(kind: type) -> bool:
    """Return whether a class is not the user's own."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and is_installed(file)


def saves_more(kind: type) -> bool:
    """Return whether a module has more in its `state_dict` than PyTorch saves."""
    own = (getattr(kind, name, None) for name in SAVING)
    theirs = (getattr(nn.Module, name) for name in SAVING)
    return issubclass(kind, nn.Module) and any(
        one is not other for one, other in zip(own, theirs, strict=True)
    )


def _bytes_of(tensor: Tensor) -> bytes | None:
    """Return the bytes of a tensor; None for one without a dense memory of its own."""
    try:
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().tobytes()  # NumPy lacks types such as bfloat16
    except (RuntimeError, TypeError):
        return None
