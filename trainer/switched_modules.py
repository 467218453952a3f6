"""Modules that change when they are switched between training and evaluation.

LoRA's layers merge their update into the weights for evaluations; others fold or cache something of their
weights, which they do not save. So a training saves them in training mode: from that they make the rest again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def modes_of(module: nn.Module) -> dict[str, bool]:
    """Return whether a module is in training mode, under "", and the parts that are in another mode than theirs."""
    modes = {"": module.training}
    for name, part in module.named_modules():
        for child, within in part.named_children():
            if within.training is not part.training:
                modes[f"{name}.{child}" if name else child] = within.training
    return modes


def switch_to(module: nn.Module, modes: Mapping[str, bool]) -> None:
    """Switch a module and its parts to modes as `modes_of` returns them, by their own methods."""
    wanted: dict[str, bool] = {}
    for name, part in module.named_modules():
        around = wanted.get(name.rpartition(".")[0], modes.get("", module.training))
        wanted[name] = modes.get(name, around)
        if part.training is not wanted[name]:
            part.train() if wanted[name] else part.eval()


@contextmanager
def as_trained(module: nn.Module) -> Iterator[None]:
    """Switch a module that may change for evaluations to training, in which its weights are averaged."""
    modes = modes_of(module)
    is_switched = may_change(module) and not module.training
    if is_switched:
        module.train()
    try:
        yield
    finally:
        if is_switched:
            switch_to(module, modes)


def return_to_training(module: nn.Module) -> None:
    """Switch a module that may change for evaluations to training, the mode in which it is saved."""
    if may_change(module) and not module.training:
        module.train()


def load_as_saved(
    module: nn.Module, load: Callable[[], object], modes: Mapping[str, bool] | None
) -> None:
    """Load a state into a module while it is switched as when it was saved.

    Args:
        module: The module.
        load: Loads the state.
        modes: As `modes_of` has returned them. None: an earlier version saved the state, and did so in
            evaluation mode.
    """
    if modes is not None:
        switch_to(module, modes)
        load()
        return
    if may_change(module):
        load()  # evaluation mode may need what was learned
    module.eval()
    load()
    return_to_training(module)


def may_change(module: nn.Module) -> bool:
    """Return whether a module or a part of it has its own way to be switched."""
    return any(
        getattr(method, "__func__", None) is not own
        for each in module.modules()
        for method, own in ((each.train, nn.Module.train), (each.eval, nn.Module.eval))
    )
