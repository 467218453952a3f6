"""Owns what of a training must survive a crash; nothing else does.

Random numbers are not among it: they depend on the place where they are drawn, see `trainer.seeding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
        module.load_state_dict(state["modules"][role])
    trainer.batches.load_state_dict(state["batches"])
    trainer.history.load_state_dict(state["history"])
    trainer.environment_changes = state["environment_changes"]


def _stateful(trainer: ModularTaskTrainer) -> dict[str, Any]:
    """Return the modules that say what of them must survive."""
    pair = ("state_dict", "load_state_dict")
    return {
        role: module
        for role, module in trainer.modules.items()
        if all(hasattr(module, method) for method in pair)
    }
