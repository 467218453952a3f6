"""Ways to save: whether a module saves its state as PyTorch does, or in a way of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from torch import nn

from trainer.target_errors import is_installed

if TYPE_CHECKING:
    from collections.abc import Callable

SAVING: Final = ("state_dict", "load_state_dict", "get_extra_state", "set_extra_state")


def is_of_package(kind: type) -> bool:
    """Return whether a class is not the user's own."""
    if kind.__module__.partition(".")[0] in sys.stdlib_module_names - {"__main__"}:
        return True
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and is_installed(file)


def saves_more(kind: type) -> bool:
    """Return whether a module has more in its `state_dict` than PyTorch saves."""
    own = (getattr(kind, name, None) for name in SAVING)
    theirs = (getattr(nn.Module, name) for name in SAVING)
    return issubclass(kind, nn.Module) and any(
        one is not other for one, other in zip(own, theirs, strict=True)
    )


def saves_its_own_way(module: object) -> bool:
    """Return whether a module, or a part of it, has a way of its own to save its state."""
    if not callable(getattr(module, "load_state_dict", None)):
        return False
    if isinstance(module, nn.Module):
        return any(saves_more(type(each)) for each in module.modules())
    own: tuple[Callable[..., object] | None, ...] = tuple(
        getattr(type(module), name, None) for name in ("state_dict", "load_state_dict")
    )
    return not is_of_package(type(module)) and any(
        not str(getattr(method, "__module__", "")).startswith("torch.") for method in own
    )
