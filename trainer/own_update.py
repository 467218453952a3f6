"""The update that a module makes itself, with several optimizers or in another order of its own."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from trainer.batch_structure import bring, count_samples
from trainer.errors import CallbackError, ConfigError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainer.callbacks.events import Callbacks
    from trainer.settings import TrainingSettings
    from trainer.training_position import Batch
    from trainer.update import Update

    Take = Callable[[Sequence[Batch]], tuple[Tensor, int]]


class Updating(Protocol):
    """The parts of a trainer that an update needs."""

    callbacks: Callbacks[Any]
    update: Update
    device: torch.device


def choose_update(trainer: Updating, settings: TrainingSettings) -> Take:
    """Return what makes an update: the module that defines `cb_on_update`, or else the trainer.

    Raises:
        CallbackError: If several modules define it.
        ConfigError: If a key would have no effect on the update of a module.
    """
    hooks = trainer.callbacks.cb_on_update
    if not hooks:
        return trainer.update.take
    if len(hooks) > 1:
        raise CallbackError(
            f"{len(hooks)} modules define cb_on_update, but only one can make the update. Remove the others."
        )
    for key, is_set in (
        ("world_size", settings.world_size > 1),
        ("clip_norm", settings.clip_norm is not None),
        ("precision", settings.precision != "float32"),
    ):
        if is_set:
            raise ConfigError(
                f"{key}: it has no effect on an update that cb_on_update makes. Remove it, and do the same"
                " in cb_on_update."
            )
    return OwnUpdate(trainer, hooks[0]).take


class OwnUpdate:
    """Lets a module make the updates.

    Args:
        trainer: The trainer, which the module gets.
        hook: Makes an update with some batches, and returns the loss.
    """

    def __init__(self, trainer: Updating, hook: Callable[[Any, list[Any]], Any]) -> None:
        self._trainer = trainer
        self._hook = hook

    def take(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Make an update; return the loss, and the number of samples.

        Raises:
            CallbackError: If the module does not return a loss.
        """
        device = self._trainer.device
        brought = [bring(each, device) if device.type != "cpu" else each for each in batches]
        count = sum(map(count_samples, brought))
        found = self._hook(self._trainer, brought)
        is_number = isinstance(found, Real) and not isinstance(found, bool)
        loss: Any = torch.tensor(float(found), device=device) if is_number else found
        if not isinstance(loss, Tensor) or loss.dim() or loss.is_complex():
            raise CallbackError(
                f"cb_on_update returns {shown(found)}, which is not a loss. Return one number, or a tensor"
                " with one."
            )
        return loss.detach(), count
