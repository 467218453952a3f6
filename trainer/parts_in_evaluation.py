"""The parts of a model that were put into evaluation mode, and that the training switches back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

from trainer.errors import listed
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Iterator

# The layers that compute otherwise in training.
DROPOUTS: Final = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
BATCH_NORMS: Final = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
SWITCHED: Final = (*DROPOUTS, *BATCH_NORMS)
MOST_NAMED: Final = 3


def parts_meant(model: nn.Module) -> list[str]:
    """Return the parts that are in evaluation mode, and were meant to stay in it.

    These are single layers that compute otherwise in training, and parts with such layers that have nothing
    to train, as a teacher. A part with weights to train may be in this mode because it was loaded so, and all
    of a model because it was evaluated.
    """
    if not model.training:
        return []
    return [
        name
        for name, part in _outermost(model)
        if isinstance(part, SWITCHED)
        or (
            not any(each.requires_grad for each in part.parameters())
            and any(isinstance(each, SWITCHED) for each in part.modules())
        )
    ]


def _outermost(model: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, part in model.named_children():
        path = f"{prefix}{name}"
        if part.training:
            yield from _outermost(part, f"{path}.")
        else:
            yield path, part


def switch_to_training(model: nn.Module, *, is_first: bool) -> None:
    """Put a model into training mode, and print which parts should have been left, if any.

    Args:
        model: The model.
        is_first: Whether it was not evaluated before, so that its modes are those that the user has set.
    """
    parts = parts_meant(model) if is_first else []
    model.train()
    switched = [name for name in parts if model.get_submodule(name).training]
    if switched:
        named = listed([f"model.{name}" for name in switched], MOST_NAMED)
        say(
            f"note: {named} was in evaluation mode, and the steps use training mode. To keep it, let the"
            " model's train() do so, or call eval() in cb_on_step_begin."
        )
