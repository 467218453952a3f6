"""The mean loss of an iteration or an evaluation, computed without waiting for the device."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

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
        if not self._count:
            raise ConfigError(
                "data: there is no sample left to compute a loss of. Let callbacks leave samples in each"
                " data set, and batches to the trainer, and collate_fn keep some in a batch."
            )
        total = self._sums[0] if len(self._sums) == 1 else torch.stack(self._sums).sum()
        return total.item() / self._count

    def state_dict(self) -> dict[str, Any]:
        """Return what was added so far."""
        return {
            "losses": torch.stack(self._losses) if self._losses else None,
            "counts": [*self._counts],
            "sums": [*self._sums],
            "count": self._count,
        }

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Restore what `state_dict` returned."""
        losses = state["losses"]
        self._losses = [] if losses is None else [*losses.to(device).unbind()]
        self._counts, self._count = [*state["counts"]], state["count"]
        self._sums = [each.to(device) for each in state["sums"]]

    def _sum_up(self) -> None:
        if self._losses:
            losses = torch.stack(self._losses).double()
            counts = torch.tensor(self._counts, dtype=torch.float64, device=losses.device)
            self._sums.append(losses @ counts)
            self.is_finite &= isfinite(self._sums[-1].item())
            self._count += sum(self._counts)
            self._losses, self._counts = [], []
