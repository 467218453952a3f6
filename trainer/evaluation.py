"""Owns how a model is measured: while it trains, and on a data set."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from trainer.batch_structure import bring, count_samples
from trainer.model_call import predictions_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from trainer.configured_metrics import Measures
    from trainer.model_call import ModelCall


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


@torch.no_grad()
def evaluate(
    call: ModelCall, batches: Iterable[Any], device: torch.device, measures: Measures
) -> dict[str, float]:
    """Return the mean loss and the metrics over all samples, with the model in evaluation mode.

    Args:
        call: Calls model and criterion on a batch.
        batches: The batches, of any structure.
        device: Where the model is.
        measures: What else is measured.
    """
    call.model.eval()
    measures.reset()
    losses = MeanLoss()
    for on_host in batches:
        batch = bring(on_host, device)
        loss, outputs, targets = call(batch)
        losses.add(loss, count_samples(batch))
        measures.update(predictions_in(outputs), targets)
    values = {"loss": losses.mean(), **measures.compute()}
    measures.reset()
    return values
