"""Owns how a model is measured: while it trains, and on a data set."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor, nn

    from trainer.configured_metrics import Measures


# Losses that are summed up at once.
TOGETHER = 1024


class MeanLoss:
    """Sum up losses over samples, leaving them on their device until the mean is asked for.

    `is_finite` tells whether they were so far, as of the last time that they were summed up.
    """

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._counts: list[int] = []
        self._sums: list[Tensor] = []
        self._count = 0
        self.is_finite = True

    def add(self, loss: Tensor, count: int) -> None:
        """Take in the mean loss of so many samples; costs no synchronization."""
        self._losses.append(loss)
        self._counts.append(count)
        if len(self._losses) == TOGETHER:
            self._sum_up()

    def mean(self) -> float:
        """Return the mean over all samples, waiting for the device."""
        self._sum_up()
        return torch.stack(self._sums).sum().item() / self._count

    def _sum_up(self) -> None:
        if self._losses:
            losses = torch.stack(self._losses).double()
            counts = torch.tensor(self._counts, dtype=torch.float64, device=losses.device)
            self._sums.append(losses @ counts)
            self.is_finite &= isfinite(self._sums[-1].item())
            self._count += sum(self._counts)
            self._losses, self._counts = [], []


def bring(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - samples are the user's
    """Return samples on a device: a tensor, or dictionaries, lists and tuples of such."""
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {key: bring(item, device) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [bring(item, device) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


@torch.no_grad()
def evaluate(
    model: nn.Module,
    criterion: Callable[[Tensor, Tensor], Tensor],
    batches: Iterable[tuple[Tensor, Tensor]],
    device: torch.device,
    measures: Measures,
) -> dict[str, float]:
    """Return the mean loss and the metrics over all samples, with the model in evaluation mode.

    The accuracy is among them where it means something: for outputs (batch, classes, ...) and
    targets (batch, ...) that are whole numbers.

    Args:
        model: Maps samples (batch, ...) to outputs (batch, ...).
        criterion: Maps outputs and targets (batch, ...) to the batch's mean loss.
        batches: Pairs of samples and targets.
        device: Where the model is.
        measures: What else is measured.
    """
    model.eval()
    measures.reset()
    losses = MeanLoss()
    right: list[Tensor] = []
    guesses = 0
    for samples, on_host in batches:
        targets = on_host.to(device, non_blocking=True)
        outputs = model(bring(samples, device))
        losses.add(criterion(outputs, targets), len(targets))
        if not isinstance(outputs, torch.Tensor):
            if measures.metrics:
                raise ConfigError(
                    f"metrics: the model gives a {type(outputs).__name__}, and metrics measure a"
                    " tensor. Remove them, or measure in the criterion or a callback."
                )
            continue  # what the criterion makes of it is all that can be told
        if outputs.dim() == targets.dim() + 1 and not targets.is_floating_point():
            right.append((outputs.argmax(dim=1) == targets).sum())
            guesses += targets.numel()
        measures.update(outputs, targets)
    accuracy = {"accuracy": torch.stack(right).sum().item() / guesses} if guesses else {}
    values = {"loss": losses.mean(), **accuracy, **measures.compute()}
    measures.reset()
    return values
