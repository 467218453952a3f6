"""Owns what of a training must survive a crash; nothing else does.

Random numbers are not among it: they depend on the place where they are drawn, see `trainer.seeding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.trainer import ModularTaskTrainer

    State = dict[str, Any]


def state_of(trainer: ModularTaskTrainer) -> State:
    """Return all that another process needs to go on, in tensors and plain values.

    The tensors are the trainer's own, not copies: save them before the next step.
    """
    return {
        "iteration": trainer.iteration,
        "modules": {role: each.state_dict() for role, each in _stateful(trainer).items()},
        "batches": trainer.batches.state_dict(),
        "history": trainer.history.state_dict(),
        "environment": trainer.environment,
        "environment_changes": trainer.environment_changes,
    }


def restore(trainer: ModularTaskTrainer, state: State) -> None:
    """Make the trainer go on, to the bit, from where `state_of` was called."""
    trainer.iteration = state["iteration"]
    for role, module in _stateful(trainer).items():
        saved = state["modules"][role]
        module.load_state_dict(saved)
        if isinstance(module, Optimizer):
            _restore_types(module, saved)
    trainer.batches.load_state_dict(state["batches"])
    trainer.history.load_state_dict(state["history"])
    trainer.environment_changes = state["environment_changes"]


def _restore_types(optimizer: Optimizer, saved: State) -> None:
    """Give an optimizer's tensors the types that were saved: PyTorch gives them their parameters'."""
    numbers = [number for group in saved.get("param_groups", ()) for number in group["params"]]
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    for number, parameter in zip(numbers, parameters, strict=False):
        loaded = optimizer.state.get(parameter, {})
        for key, value in saved["state"].get(number, {}).items():
            if key in loaded:
                loaded[key] = _with_type(loaded[key], value)


def _with_type(loaded: Any, saved: Any) -> Any:  # noqa: ANN401 - tensors, or what holds them
    """Return what was loaded, but as it was saved where the types differ."""
    if isinstance(saved, Tensor) and isinstance(loaded, Tensor):
        return loaded if loaded.dtype == saved.dtype else saved.to(loaded.device, copy=True)
    if isinstance(saved, dict) and isinstance(loaded, dict):
        return {key: _with_type(loaded[key], value) for key, value in saved.items()}
    if isinstance(saved, list | tuple) and isinstance(loaded, list | tuple):
        return type(saved)(map(_with_type, loaded, saved))
    return loaded


def _stateful(trainer: ModularTaskTrainer) -> dict[str, Any]:
    """Return the modules that say what of them must survive; `check_states` has seen them."""
    return {
        role: module for role, module in trainer.modules.items() if hasattr(module, "state_dict")
    }


def check_states(modules: Mapping[str, object]) -> None:
    """Make sure that whatever a module saves it can also take back.

    Raises:
        ConfigError: If it has only one of the two methods.
    """
    pair = ("state_dict", "load_state_dict")
    for role, module in modules.items():
        has = [method for method in pair if hasattr(module, method)]
        if len(has) == 1:
            (missing,) = {*pair} - {*has}
            raise ConfigError(
                f"{role}: {type(module).__name__} has {has[0]}() and no {missing}(), so its state"
                " would be lost when the run is resumed. Give it both, or none."
            )
