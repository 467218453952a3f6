"""Still weights: an iteration in which no weight has changed is told, because nothing is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from trainer.run_files import say

if TYPE_CHECKING:
    from trainer.build import Modules
    from trainer.run_files import Outputs
    from trainer.update import Update

INTEGERS: Final = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class StillWeights:
    """Compares the weights before and after the steps of an iteration, until they have changed once.

    An iteration without a learning rate, as at the beginning of a warm-up, and one in which float16
    skips steps, may leave them as they are.

    Args:
        modules: The modules.
        update: Takes the steps.
        outputs: Has a note for the user.
    """

    def __init__(self, modules: Modules, update: Update, outputs: Outputs) -> None:
        self._modules = modules
        self._update = update
        self._outputs = outputs
        self._before: list[object] | None = None
        self._scale = 1.0
        self._is_over = False

    def begin(self, iteration: int) -> None:
        """Look at the weights before the steps of an iteration; only where a run begins."""
        self._is_over |= iteration > 1 and self._before is None
        if not self._is_over:
            self._before, self._scale = self._sums(), self._scaled()

    def tell(self, iteration: int) -> None:
        """Print that none of them has changed."""
        if self._is_over:
            return
        has_rate = any(group.get("lr", 1) for group in self._update.optimizer.param_groups)
        if self._sums() != self._before:
            self._is_over = True
        elif has_rate and self._scaled() >= self._scale:
            self._is_over = True
            note = (
                f"no parameter of the model has changed in iteration {iteration}, so nothing is trained."
                f" Check the gradients, and what makes the updates: {self._updating()}. Ignore this if"
                " they come in later iterations."
            )
            say(f"note: {note}")
            self._outputs.note = " ".join(filter(None, (self._outputs.note, note)))

    def _updating(self) -> str:
        for module in self._modules.by_role().values():
            if hasattr(module, "cb_on_update"):
                return f"{type(module).__name__}.cb_on_update"
        return f"{type(self._update.optimizer).__name__}.step"

    def _scaled(self) -> float:
        return 1.0 if self._update.scaler is None else self._update.scaler.get_scale()

    def _sums(self) -> list[object]:
        return [
            _sum_of_bits(each)
            for module in self._update.modules.values()
            for each in module.parameters()
            if each.requires_grad
        ]


def _sum_of_bits(tensor: Tensor) -> object:
    """Return a number that is another one after nearly every change; of unusual tensors, always."""
    if is_lazy(tensor):
        return object()
    try:
        plain = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
        return int(plain.view(INTEGERS[plain.itemsize]).sum())
    except (RuntimeError, TypeError, LookupError):
        return object()
