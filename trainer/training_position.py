"""The position of a training in its training set."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import ConfigError, shown
from trainer.loading.iterable_data_sets import StreamedBatches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from trainer.loading.loaders import Loader

    Batch = Any  # of any structure


class TrainingBatches:
    """The batches of the training set, pass after pass, from any position on.

    `epoch` counts the finished passes and `batch` the batches taken of the current one: together with
    the samples that the passes are restricted to, they are the position from which a run resumes.
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
        """Return the number of batches of a whole pass."""
        return len(self._order)

    def restrict(self, indices: Sequence[int] | Tensor | None) -> None:
        """Restrict the passes to these samples of the training set, from the next pass on.

        A pass that has started keeps its samples. Callbacks may call this at any event: the
        restriction is saved with the position.

        Args:
            indices: Integers (samples,), in any order, each at least once, or booleans, one per
                sample; `None` allows all.

        Raises:
            ConfigError: If an index is not in the training set, or they do not fill a batch.
        """
        allowed = None if indices is None else self._mask(_as_indices(indices))
        self._allowed_next = allowed
        if not (self.batch or self._has_begun):
            self._order.restrict(allowed)

    def count(self) -> int | None:
        """Return the number of batches of a whole pass, if it is known."""
        return len(self)

    def begin_pass(self) -> int | None:
        """Start a pass, if none has started, and return how many batches are left of it."""
        self._has_begun = True
        self._order.epoch = self.epoch  # a sampler may yield more or fewer in each
        return len(self) - self.batch

    def renew(self) -> None:
        """Restart the loader workers if a callback has changed the data set."""
        if self._iterator is not None and self._loader.renew():
            self._iterator = None

    def _mask(self, indices: Tensor) -> Tensor:
        count = len(self._order.samples)
        if indices.dtype is torch.bool and indices.shape == (count,):
            indices = indices.nonzero().flatten()
        elif indices.dtype is torch.bool or (indices.is_floating_point() and len(indices)):
            raise ConfigError(
                f"dataloader: {str(indices.dtype).removeprefix('torch.')} {[*indices.shape]} does not"
                f" select among {count} training samples. Give indices, or one boolean per sample."
            )
        indices = indices.long()
        wrong = indices[(indices < 0) | (indices >= count)]
        if len(wrong):
            raise ConfigError(
                f"dataloader: the index {int(wrong[0])} is not one of {count} training samples. "
                "Correct the indices."
            )
        allowed = torch.zeros(count, dtype=torch.bool)
        allowed[indices] = True
        left = int(allowed.sum())
        if left < (self._order.batch_size if self._order.drop_last else 1):
            raise ConfigError(
                f"dataloader: {left} training samples are too few for a batch. "
                "Allow more of them, lower batch_size, or set drop_last: false."
            )
        return allowed

    def take(self, count: int = 1) -> list[Batch]:
        """Return the next batches of this pass, fewer than `count` at its end.

        Raises:
            ConfigError: If there is none, because the data set has fewer samples than before.
        """
        if self._iterator is None:
            self._order.epoch = self.epoch
            self._last = len(self)
            if self.batch >= self._last:  # there were more when the position was saved
                self.end_pass()
                self._order.epoch, self._last = self.epoch, len(self)
            self._order.first_batch = self.batch
            self._iterator = iter(self._loader)
        taken = [*islice(self._iterator, count)]
        if not taken:
            raise ConfigError(
                f"data: the training set has no batch {self.batch} of {self._last}: it has fewer"
                " samples than when the pass started. Change their number between passes only."
            )
        self.batch += len(taken)
        return taken

    def end_pass(self) -> bool:
        """End the pass if it is exhausted, and return whether it was."""
        if self.batch < self._last:
            return False
        self.epoch, self.batch, self._iterator = self.epoch + 1, 0, None
        self._has_begun = False
        self._order.restrict(self._allowed_next)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "allowed": self._order.allowed,
            "allowed_next": self._allowed_next,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a position that `state_dict` returned.

        Raises:
            ConfigError: If the restriction was for another number of samples.
        """
        count = len(self._order.samples)
        for allowed in (state["allowed"], state["allowed_next"]):
            if allowed is not None and len(allowed) != count:
                raise ConfigError(
                    f"data: train has {count} samples, but the run was restricted to some of"
                    f" {len(allowed)}. Restore the data with which it started, or start another run."
                )
        self.epoch, self.batch, self._iterator = state["epoch"], state["batch"], None
        self._has_begun = False
        self._order.restrict(state["allowed"])
        self._allowed_next = state["allowed_next"]


class StreamPasses(TrainingBatches):
    """The passes over a stream: one ends when there is no next batch."""

    def __init__(self, loader: StreamedBatches) -> None:
        super().__init__(loader)
        self._ahead: list[Batch] = []

    def count(self) -> int | None:
        """Return None: the number of batches of a pass is not known."""
        return None

    def begin_pass(self) -> int | None:
        """Start a pass, if none has started; how many batches are left of it is not known."""
        return None

    def restrict(self, indices: Sequence[int] | Tensor | None) -> None:
        """Allow all samples.

        Raises:
            ConfigError: If only some are allowed.
        """
        self._order.restrict(indices)  # type: ignore[arg-type]  # that of a stream takes anything

    def take(self, count: int = 1) -> list[Batch]:
        """Return the next batches of this pass, fewer than `count` at its end.

        Raises:
            ConfigError: If there is none.
        """
        if self._iterator is None:
            self._order.epoch, self._order.first_batch = self.epoch, self.batch
            self._iterator, self._ahead = iter(self._loader), []
        taken = [*self._ahead, *islice(self._iterator, count - len(self._ahead))]
        self._ahead = []
        if not taken:
            raise ConfigError(
                f"data: the stream of the training set ends before batch {self.batch}. Let it yield the same"
                " samples in each process, at least enough for a batch."
            )
        self.batch += len(taken)
        return taken

    def end_pass(self) -> bool:
        """End the pass if there is no next batch, and return whether there was none."""
        if self._iterator is None:
            return False
        self._ahead = [*islice(self._iterator, 1)]
        if self._ahead:
            return False
        self.epoch, self.batch, self._iterator = self.epoch + 1, 0, None
        return True

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a position that `state_dict` returned."""
        self.epoch, self.batch, self._iterator = state["epoch"], state["batch"], None


def passes_of(loader: Loader) -> TrainingBatches:
    """Return the passes over the training set."""
    return StreamPasses(loader) if isinstance(loader, StreamedBatches) else TrainingBatches(loader)


def _as_indices(indices: Any) -> Tensor:  # noqa: ANN401 - it may be anything
    try:
        found = torch.as_tensor(indices)
    except (TypeError, ValueError, RuntimeError):
        found = torch.zeros(())
    if found.dim() != 1:
        raise ConfigError(
            f"dataloader: {shown(indices)} is not a list of indices. Give indices, or one boolean per"
            " sample."
        )
    return found
