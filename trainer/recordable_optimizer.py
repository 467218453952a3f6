"""Recordable optimizers: those of which a graph can repeat a step, because Python does nothing in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim import SGD
from torch.optim import optimizer as pytorchs

if TYPE_CHECKING:
    from torch.optim import Optimizer

# Where PyTorch keeps the hooks of an optimizer, and those of all; there is no public name.
_OWN_HOOKS: Final = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_HOOKS_OF_ALL: Final = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_PYTORCH: Final = f"{Path(torch.__file__).parent}/"


def is_pytorchs(optimizer: Optimizer) -> bool:
    """Return whether the class of an optimizer comes with PyTorch."""
    return type(optimizer).__module__.startswith("torch.optim.")


def is_recordable(optimizer: Optimizer) -> bool:
    """Return whether the steps of an optimizer are computed by the GPU alone, as far as PyTorch says so.

    Hooks, and what somebody has put in place of its ``step``, are called where the step is not recorded.
    """
    is_capturable = all(group.get("capturable") for group in optimizer.param_groups)
    if not (type(optimizer) is SGD or (is_pytorchs(optimizer) and is_capturable)):
        return False
    hooks = (
        *(getattr(optimizer, name, True) for name in _OWN_HOOKS),
        *(getattr(pytorchs, name, True) for name in _HOOKS_OF_ALL),
    )
    return not any(hooks) and _is_step_of_pytorch(optimizer)


def _is_step_of_pytorch(optimizer: Optimizer) -> bool:
    """Return whether all that is called in place of ``step`` is PyTorch's: its schedulers wrap it."""
    step: object = optimizer.step
    while step is not None:
        code = getattr(step, "__code__", None)
        if code is None or not code.co_filename.startswith(_PYTORCH):
            return False
        step = getattr(step, "__wrapped__", None)
    return True


def places_of_state(optimizer: Optimizer) -> dict[int, dict[str, int]]:
    """Return where the tensors are that an optimizer keeps, which a graph writes to, by parameters and names."""
    return {
        id(owner): {name: place_of(each) for name, each in kept.items() if isinstance(each, Tensor)}
        for owner, kept in optimizer.state.items()
    }


def place_of(tensor: Tensor) -> int:
    """Return a number that is another one once a tensor is replaced, or its memory."""
    has_memory = tensor.layout is torch.strided and not is_lazy(tensor)
    return tensor.data_ptr() if has_memory else id(tensor)
