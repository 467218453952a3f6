"""Modules that change when they are switched between training and evaluation.

LoRA's layers merge their update into the weights for evaluations; others fold or cache something of their
weights, which they do not save. So states are taken and loaded in training mode, and the modules are switched
back afterwards: a training that goes on makes the rest from the same state, and in the same way, as a resumed one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from torch import nn

from trainer.seeding import restore_rng_state, rng_state, seed_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# With which modules are switched back, by a run that goes on as by a resumed one.
_SEED: Final = (0, "modes")


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
            _switch(part, wanted[name])
    # A part in two places was switched with the later one of them, too.
    for name, part in module.named_modules():
        mode = wanted.get(name, part.training)
        if part.training is not mode and _has_own_way(part):
            _switch(part, mode)
        elif part.training is not mode:
            part.training = mode  # without what is in it


def _switch(part: nn.Module, mode: bool) -> None:  # noqa: FBT001 - as PyTorch has it
    part.train(True) if mode else part.eval()


@contextmanager
def as_trained(*modules: nn.Module) -> Iterator[None]:
    """Switch modules that may change for evaluations to training within the block.

    What they draw meanwhile from the random generators of PyTorch, NumPy and Python, they draw again later.
    """
    before = [(each, modes_of(each)) for each in modules if is_changed(each)]
    random = rng_state() if before else None
    try:
        for each, _ in before:
            each.train(True)
        yield
    finally:
        if random is not None:
            seed_everything(*_SEED)
            for each, modes in before:
                switch_to(each, modes)
            restore_rng_state(random)


def load_as_saved(
    module: nn.Module, load: Callable[[], object], modes: Mapping[str, bool] | None
) -> None:
    """Load a state into a module, and switch it as it was when the state was saved.

    Args:
        module: The module.
        load: Loads the state.
        modes: As `modes_of` returned them. None: an earlier version saved the state, in evaluation mode.
    """
    if modes is not None:
        if may_change(module):  # one that was just built may keep parts in evaluation mode then
            module.train(True)
        load()
        random = rng_state()
        seed_everything(*_SEED)
        switch_to(module, modes)
        restore_rng_state(random)
        return
    is_changed = may_change(module)
    try:
        module.eval()
    except Exception:
        if not is_changed:
            raise
        load()  # evaluation mode needs what was learned
        module.eval()
    load()
    if is_changed:
        module.train(True)
        module.eval()  # what it makes of the weights
        load()


def may_change(module: nn.Module) -> bool:
    """Return whether a module or a part of it has its own way to be switched."""
    return any(_has_own_way(each) for each in module.modules())


def is_changed(module: nn.Module) -> bool:
    """Return whether a module may have changed: a part in evaluation mode has its own way to be switched.

    Not if its own way keeps other parts in this mode, as frozen norms.
    """
    return any(not each.training and _has_own_way(each) for each in module.modules())


def _has_own_way(part: nn.Module) -> bool:
    return any(
        getattr(method, "__func__", None) is not own
        for method, own in ((part.train, nn.Module.train), (part.eval, nn.Module.eval))
    )
