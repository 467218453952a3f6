"""The evaluation of a model: the mean loss during training, and all metrics on a data set."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from trainer.batch_structure import bring, count_samples
from trainer.errors import ConfigError
from trainer.model_call import check_loss, predictions_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from trainer.configured_metrics import Measures
    from trainer.model_call import ModelCall


# How many losses are summed together.
TOGETHER = 1024


class MeanLoss:
    """The mean of losses over samples; they stay on their device until the mean is computed.

    `is_finite` tells whether all losses were finite, as of the last time that they were summed.
    """

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._counts: list[int] = []
        self._sums: list[Tensor] = []
        self._count = 0
        self.is_finite = True

    def add(self, loss: Tensor, count: int) -> None:
        """Add the mean loss of `count` samples, without synchronization."""
        self._losses.append(loss)
        self._counts.append(count)
        if len(self._losses) == TOGETHER:
            self._sum_up()

    def mean(self) -> float:
        """Return the mean over all samples; this waits for the device.

        Raises:
            ConfigError: If there are none, which is possible only if callbacks take them away.
        """
        self._sum_up()
        if not self._sums:
            raise ConfigError(
                "data: there is no batch left to compute a loss of. Let callbacks leave samples in each"
                " data set, and batches to the trainer."
            )
        total = self._sums[0] if len(self._sums) == 1 else torch.stack(self._sums).sum()
        return total.item() / self._count

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
        call: Calls the model and the criterion on a batch.
        batches: The batches, of any structure.
        device: The device of the model.
        measures: The metrics.
    """
    call.model.eval()
    measures.reset()
    losses = MeanLoss()
    is_far = device.type != "cpu"
    for made in batches:
        batch = bring(made, device) if is_far else made
        loss, outputs, targets = call(batch)
        check_loss(loss, call.criterion, is_trained=False)
        losses.add(loss, count_samples(batch))
        measures.update(predictions_in(outputs), targets)
    values = {"loss": losses.mean(), **measures.compute()}
    measures.reset()
    return values
