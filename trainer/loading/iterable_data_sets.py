"""Iterable data sets, called streams, whose batches are told apart by their place alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import torch

from trainer.errors import ConfigError
from trainer.loading.loaded_batches import LoadedBatches
from trainer.loading.order import EpochOrder
from trainer.loading.seeded_batches import SeededBatches
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.utils.data import IterableDataset

    from trainer.loading.seeded_batches import Place


_NOTHING = object()


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """What a worker returns in place of a batch when the stream is exhausted."""


class StreamOrder(EpochOrder):
    """The places of the batches of a stream, from any batch on: their samples have no indices.

    Args:
        samples: The stream.
        batch_size: The number of samples in a batch; the last one may have fewer.
        drop_last: Whether a smaller last batch is dropped.
    """

    def __init__(self, samples: IterableDataset[Any], batch_size: int, *, drop_last: bool) -> None:
        # The length of a stream is never asked for.
        super().__init__(cast("Any", samples), batch_size, None, drop_last=drop_last)
        self.with_place = True

    def __len__(self) -> int:
        """Refuse to count.

        Raises:
            TypeError: Always: the length of a stream is not known.
        """
        raise TypeError("the number of batches of a stream is not known")

    def restrict(self, allowed: object) -> None:
        """Allow all samples.

        Raises:
            ConfigError: If only some are allowed.
        """
        if allowed is not None:
            raise ConfigError(
                f"data: train is a {type(self.samples).__name__}, a stream, whose samples cannot be"
                " selected by indices. Make it a map-style data set, or leave out samples in the stream."
            )

    def __iter__(self) -> Iterator[Any]:
        """Yield places without an end."""
        for number in count(self.first_batch):
            yield self.epoch, number, []

    def batches(self) -> Iterator[Tensor]:
        """Yield no indices for each batch."""
        while True:
            yield torch.zeros(0, dtype=torch.int64)


class SeededStream(SeededBatches):
    """Makes the batches of a stream, with random numbers that are f(seed, epoch, batch).

    The stream continues from batch to batch. For one that comes earlier, or in another epoch, it is
    iterated over from its beginning; what comes before is read, and dropped.
    """

    def __init__(self, samples: IterableDataset[Any], seed: int, order: StreamOrder) -> None:
        super().__init__(samples, seed)
        self._order = order
        self._next = (-1, 0)
        self._iterator: Iterator[Any] = iter(())

    def make(self, place: Place) -> Any:  # noqa: ANN401 - a batch is the user's
        """Make one batch, collated; `EndOfStream` if there is none."""
        epoch, number, _ = place
        if self._next[0] != epoch or self._next[1] > number:
            self._begin(epoch)
        for before in range(self._next[1], number):
            with self.seeded(epoch, before):
                self._read()
        with self.seeded(epoch, number):
            samples = self._read()
            self._next = (epoch, number + 1)
            least = self._order.batch_size if self._order.drop_last else 1
            return self._collated(samples) if len(samples) >= least else EndOfStream()

    def _begin(self, epoch: int) -> None:
        kind = type(self.samples).__name__
        with self.seeded(epoch, -1):
            try:
                if callable(set_epoch := getattr(self.samples, "set_epoch", None)):
                    set_epoch(epoch)
                self._iterator = iter(self.samples)
            except TypeError as error:
                if not is_in_libraries(error):
                    raise
                raise ConfigError(
                    f"data: {kind} cannot be iterated over: {first_line(error)}. Let __iter__ yield"
                    " samples, and set_epoch take the number of the epoch."
                ) from error
        self._next = (epoch, 0)

    def _read(self) -> list[Any]:
        # Not `islice`, which would begin again where an iterator is its own iterable.
        samples: list[Any] = []
        while len(samples) < self._order.batch_size:
            sample = next(self._iterator, _NOTHING)
            if sample is _NOTHING:
                break
            samples.append(sample)
        return samples


class StreamedBatches(LoadedBatches):
    """A loader of a stream: its passes end when the stream does."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of a pass."""
        for batch in super().__iter__():
            if isinstance(batch, EndOfStream):
                return
            yield batch
