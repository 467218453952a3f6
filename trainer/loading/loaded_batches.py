"""The batches of one part of the data: indexed tensors, or made by loader workers or in this process."""

from __future__ import annotations

from operator import getitem
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from trainer.errors import ConfigError, is_out_of_memory
from trainer.loading.copies_ahead import copied_ahead
from trainer.loading.in_place_changes import mark_of
from trainer.loading.resident import brought_if_small
from trainer.loading.worker_failures import ended_worker, with_workers
from trainer.seeding import forget_half_drawn
from trainer.target_errors import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor
    from torch.utils.data import TensorDataset

    from trainer.loading.order import EpochOrder
    from trainer.loading.seeded_batches import SeededBatches

CPU = torch.device("cpu")
PAIR = 2  # a sample and its target
ABOUT_TENSORS = (LookupError, RuntimeError)
_NEVER = b""  # the mark of a data set before the first pass


class TensorBatches:
    """A loader that indexes tensors: the same batches as a `DataLoader`, ten times faster.

    Every batch is a copy, which a model may change. Its strides are those of a `DataLoader`'s batch,
    because kernels round differently for others.

    Args:
        dataset: The tensors.
        order: The order.
        device: Where the batches will be used.
        bring: Brings tensors there, if they are small.
    """

    def __init__(
        self,
        dataset: TensorDataset,
        order: EpochOrder,
        device: torch.device = CPU,
        bring: Callable[[Sequence[Tensor], torch.device], list[Tensor]] = brought_if_small,
    ) -> None:
        self.dataset = dataset
        self.order = order
        self._device = device
        self._bring = bring
        self._there: list[Tensor] | None = None
        try:
            alike = all(map(_is_selected_alike, dataset.tensors))
        except ABOUT_TENSORS as error:
            _explain(error, dataset.tensors)
            raise
        self._cut: Callable[[Tensor, Tensor], Tensor] = _select if alike else getitem

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches of the order."""
        cut, tensors = self._cut, self.dataset.tensors
        if self._device.type != "cpu":
            yield from self._batches_there()
            return
        for indices in self.order.batches():
            try:
                batch = tuple([cut(values, indices) for values in tensors])
            except ABOUT_TENSORS as error:
                _explain(error, tensors)
                raise
            yield batch

    def _batches_there(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield the batches on the GPU; the tensors are moved at the first pass, if they fit."""
        if self._there is None:
            self._there = self._bring(self.dataset.tensors, self._device)
        is_here = self._device.type == "cuda" and any(each.is_cpu for each in self._there)
        made = self._made_of(self._there)
        yield from copied_ahead(map(_pinned, made), self._device) if is_here else made

    def _made_of(self, tensors: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        for indices in self.order.batches():
            places = {each.device: indices.to(each.device) for each in tensors}
            yield tuple([self._cut(values, places[values.device]) for values in tensors])

    def renew(self) -> bool:
        """Return False: no batch is made ahead, so changes by callbacks take effect at once."""
        return False


def _explain(error: Exception, tensors: Sequence[Tensor]) -> None:
    """Explain an error of PyTorch's about tensors.

    Raises:
        ConfigError: Unless memory is lacking: they are sparse, or one has fewer samples.
    """
    if not is_out_of_memory(error):
        raise ConfigError(
            f"data: no batch can be cut out of tensors of {[[*each.shape] for each in tensors]}:"
            f" {first_line(error)[:200]}. Correct the data, or how callbacks change them."
        ) from error


def _pinned(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple([each.pin_memory() if each.is_cpu else each for each in batch])


def _select(values: Tensor, indices: Tensor) -> Tensor:
    return values.index_select(0, indices)


def _is_selected_alike(values: Tensor) -> bool:
    """Return whether `index_select`, which is faster, gives the same strides as indexing."""
    first = torch.arange(min(len(values), PAIR))
    return _select(values, first).stride() == values[first].stride()


class LoadedBatches:
    """A loader whose workers make the batches of an order; without workers, this process does.

    Args:
        loader: The `DataLoader`.
        order: The order of the samples.
        made: Makes the batches.
        again: Recreates the loader, so that its workers get the changed data set; `None` if nothing
            changes the data set.
        device: Where the batches will be used.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        order: EpochOrder,
        made: SeededBatches,
        again: Callable[[], DataLoader[Any]] | None,
        device: torch.device = CPU,
    ) -> None:
        self.loader = loader
        self.order = order
        self.made = made
        self._again = again
        self._device = device
        self._is_made_here = type(loader) is DataLoader and not (
            loader.num_workers or loader.pin_memory
        )
        self._mark: bytes | None = _NEVER  # of the data set as the workers have it

    @property
    def dataset(self) -> Any:  # noqa: ANN401 - it is the user's
        """The data set."""
        return self.made.samples

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the order."""
        if self._again is not None:
            self._begin_pass(self._again)
        if self._is_made_here:
            yield from map(self.made.__getitems__, self.order)
            return
        iterator = with_workers(self.loader)
        try:
            for batch in self._there(iterator):
                # The same state as if batches were made here: workers do not change it.
                forget_half_drawn()
                yield batch
        except (RuntimeError, OSError, EOFError) as error:
            if (ended := ended_worker(iterator)) is None:
                raise
            raise ended from error

    def _there(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Return batches, copied ahead if they are in pinned memory."""
        is_copied = self._device.type == "cuda" and self.loader.pin_memory
        return copied_ahead(batches, self._device) if is_copied else batches

    def _begin_pass(self, again: Callable[[], DataLoader[Any]]) -> None:
        """Use the data set as it is now; persistent workers have it as it was."""
        self.made.look_through()
        if self.loader.num_workers:
            mark = mark_of(self.made.samples)
            is_known = mark is not None and mark == self._mark
            if self.loader.persistent_workers and self._mark is not _NEVER and not is_known:
                self.loader = again()
            self._mark = mark

    def renew(self) -> bool:
        """Return whether the workers, which have the data set as it was, must get a changed one."""
        if self._again is None or not self.loader.num_workers:
            return False
        mark = mark_of(self.made.samples)
        return mark is None or mark != self._mark
