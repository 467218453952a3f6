"""Owns an optimizer step: from batches to gradients, and from gradients to new weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

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
        self._takes_closure = wants_closure(self.optimizer)

    def take(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Take one step with the gradient of the mean loss over the samples of all batches.

        Returns:
            The loss before the step, still on the device, and the number of samples.
        """
        if self._is_far:
            batches = [self._brought(*batch) for batch in batches]
        if not self._takes_closure:
            loss, count = self._evaluate(batches)
            self.optimizer.step()
            return loss, count
        evaluations: list[tuple[Tensor, int]] = []

        def evaluate() -> Tensor:
            evaluations.append(self._evaluate(batches))
            return evaluations[-1][0]

        self.optimizer.step(evaluate)  # type: ignore[arg-type]  # PyTorch's type wants a float
        return evaluations[0]

    def _evaluate(self, batches: Sequence[Batch]) -> tuple[Tensor, int]:
        """Compute anew the gradients of the mean loss over all samples; return it, and their number."""
        is_alone = len(batches) == 1
        count = 0 if is_alone else sum(targets.size(0) for _, targets in batches)
        shares = []
        self._forget_gradients()
        for samples, targets in batches:
            with self.autocast:
                loss = self.criterion(self.model(samples), targets)
            if not is_alone:
                loss = loss * (targets.size(0) / count)
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch left it untyped
            shares.append(loss.detach())
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        if is_alone:
            return shares[0], targets.size(0)
        return torch.stack(shares).sum(), count

    def _forget_gradients(self) -> None:
        """Do what `zero_grad` does, without telling a profiler each time, which takes 8 µs."""
        if getattr(self.optimizer.zero_grad, "__func__", None) is not Optimizer.zero_grad:
            self.optimizer.zero_grad()
            return
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _brought(self, samples: Tensor, targets: Tensor) -> Batch:
        """Return a batch on the model's device."""
        far = self.device
        return samples.to(far, non_blocking=True), targets.to(far, non_blocking=True)


def wants_closure(optimizer: Optimizer) -> bool:
    """Return whether an optimizer is to be handed a closure.

    Whoever takes one gets one, but for those of PyTorch's own that can do without: they would only
    call it before they begin.
    """
    step = type(optimizer).step
    _self, *parameters = inspect.signature(step).parameters.values()
    is_torchs = step.__module__.startswith("torch.optim.")
    return any(parameter.default is parameter.empty or not is_torchs for parameter in parameters)
