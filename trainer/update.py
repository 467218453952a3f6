"""Owns an optimizer step: from batches to gradients, and from gradients to new weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grad_norm_

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from trainer.batches import Batch
    from trainer.build import Modules


class Update:
    """Take optimizer steps with a model.

    The optimizer is handed a closure that computes loss and gradients anew, as is PyTorch's own
    protocol. So an optimizer that looks at several places before it steps, such as SAM or L-BFGS,
    needs nothing more; each of its evaluations is accumulated, clipped and cast alike.

    Args:
        modules: The model, which maps samples (batch, ...) to what the criterion takes, the
            criterion, which maps that and targets (batch, ...) to the batch's mean loss, and the
            optimizer.
        device: Where the model is.
        autocast: Casts what is computed inside it to the precision of the training.
        clip_norm: The greatest norm of all gradients together; `None` leaves them as they are.
    """

    def __init__(
        self,
        modules: Modules,
        device: torch.device,
        autocast: AbstractContextManager[None],
        clip_norm: float | None,
    ) -> None:
        self.model = modules.model
        self.criterion = modules.criterion
        self.optimizer = modules.optimizer
        self.device = device
        self.autocast = autocast
        self.clip_norm = clip_norm
        self._is_far = device.type != "cpu"
        self._takes_closure = len(inspect.signature(type(self.optimizer).step).parameters) > 1

    def take(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Take one step with the gradient of the mean loss over the samples of all batches.

        Returns:
            The loss before the step, still on the device, and the number of samples.
        """
        if self._is_far:
            batches = [self._brought(*batch) for batch in batches]
        count = sum([len(targets) for _, targets in batches])
        losses: list[Tensor] = []

        def evaluate() -> Tensor:
            self.optimizer.zero_grad()
            loss = self._accumulate(batches, count)
            losses.append(loss)
            return loss

        if self._takes_closure:
            self.optimizer.step(evaluate)  # type: ignore[arg-type]  # PyTorch's type wants a float
        else:
            evaluate()
            self.optimizer.step()
        return losses[0], count

    def _accumulate(self, batches: Sequence[Batch], count: int) -> Tensor:
        """Compute the gradients of the mean loss over all samples, and return that loss."""
        shares = []
        for samples, targets in batches:
            with self.autocast:
                loss = self.criterion(self.model(samples), targets)
            if len(batches) > 1:
                loss = loss * (len(targets) / count)
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            shares.append(loss.detach())
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        return shares[0] if len(shares) == 1 else torch.stack(shares).sum()

    def _brought(self, samples: Tensor, targets: Tensor) -> Batch:
        """Return a batch on the model's device."""
        far = self.device
        return samples.to(far, non_blocking=True), targets.to(far, non_blocking=True)
