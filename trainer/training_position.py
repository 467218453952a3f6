"""Owns the place that a training has reached in its training set."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from trainer.loading.loaders import Loader

    Batch = Any  # as the data set and its collating make it


class TrainingBatches:
    """Walk through the training set pass after pass, from any place on.

    `epoch` counts the finished passes and `batch` the batches taken of this one: together with the
    samples that the passes are restricted to, they are the place from which another process can go on.
    """

    def __init__(self, loader: Loader) -> None:
        self.epoch = 0
        self.batch = 0
        self._loader = loader
        self._order = loader.order
        self._last = 0
        self._iterator: Iterator[Batch] | None = None
        self._allowed_next: Tensor | None = None
        self._has_begun = False

    def __len__(self) -> int:
        """Count the batches of a whole pass."""
        return len(self._order)

    def restrict(self, indices: Sequence[int] | Tensor | None) -> None:
        """Take only these samples of the training set, from the next pass on, until told otherwise.

        A pass that has begun keeps its samples. Callbacks may call this at any event: what the
        passes are restricted to is saved with the place.

        Args:
            indices: Integers (samples,), in any order, each at least once, or booleans, one for each
                sample; `None` allows all.

        Raises:
            ConfigError: If an index is not in the training set, or they do not fill a batch.
        """
        allowed = None if indices is None else self._mask(torch.as_tensor(indices))
        self._allowed_next = allowed
        if not (self.batch or self._has_begun):
            self._order.restrict(allowed)

    def begin_pass(self) -> int:
        """Begin a pass, if none has begun, and return how many batches are left of it."""
        self._has_begun = True
        return len(self) - self.batch

    def renew(self) -> None:
        """Let loader workers see how the data set is now, where a callback changed it."""
        if self._iterator is not None and self._loader.renew():
            self._iterator = None

    def _mask(self, indices: Tensor) -> Tensor:
        count = len(self._order.samples)
        if indices.dtype is torch.bool and indices.shape == (count,):
            indices = indices.nonzero().flatten()
        elif indices.dtype is torch.bool or (indices.is_floating_point() and len(indices)):
            raise ConfigError(
                f"dataloader: {str(indices.dtype).removeprefix('torch.')} {[*indices.shape]} says nothing"
                f" about {count} training samples. Give indices, or one boolean for each."
            )
        indices = indices.long()
        strange = indices[(indices < 0) | (indices >= count)]
        if len(strange):
            raise ConfigError(
                f"dataloader: there are {count} training samples, and no index {int(strange[0])}. "
                "Correct the indices."
            )
        allowed = torch.zeros(count, dtype=torch.bool)
        allowed[indices] = True
        left = int(allowed.sum())
        if left < (self._order.batch_size if self._order.drop_last else 1):
            raise ConfigError(
                f"dataloader: {left} training samples make no batch. "
                "Allow more of them, lower batch_size, or set drop_last: false."
            )
        return allowed

    def take(self, count: int = 1) -> list[Batch]:
        """Return the next batches of this pass, fewer than `count` at its end.

        Raises:
            ConfigError: If there is none, since the data set has fewer samples than it had.
        """
        if self._iterator is None:
            self._order.epoch = self.epoch
            self._last = len(self)
            if self.batch >= self._last:  # there were more when the place was saved
                self.end_pass()
                self._order.epoch, self._last = self.epoch, len(self)
            self._order.first_batch = self.batch
            self._iterator = iter(self._loader)
        taken = [*islice(self._iterator, count)]
        if not taken:
            raise ConfigError(
                f"data: the training set gave no batch {self.batch} of {self._last}: it has fewer"
                " samples than when the pass began. Change their number between passes only."
            )
        self.batch += len(taken)
        return taken

    def end_pass(self) -> bool:
        """Begin the next pass if this one is exhausted, and tell whether it was."""
        if self.batch < self._last:
            return False
        self.epoch, self.batch, self._iterator = self.epoch + 1, 0, None
        self._has_begun = False
        self._order.restrict(self._allowed_next)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the place that is reached."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "allowed": self._order.allowed,
            "allowed_next": self._allowed_next,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a place that `state_dict` returned.

        Raises:
            ConfigError: If the passes were restricted among another number of samples.
        """
        count = len(self._order.samples)
        for allowed in (state["allowed"], state["allowed_next"]):
            if allowed is not None and len(allowed) != count:
                raise ConfigError(
                    f"data: train has {count} samples, and the run was restricted to some of"
                    f" {len(allowed)}. Give it the data with which it began, or begin another run."
                )
        self.epoch, self.batch, self._iterator = state["epoch"], state["batch"], None
        self._has_begun = False
        self._order.restrict(state["allowed"])
        self._allowed_next = state["allowed_next"]
