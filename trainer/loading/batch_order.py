"""The order of whole batches, as a batch sampler yields them: a function of the seed and the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trainer.errors import ConfigError, shown
from trainer.loading.order import EpochOrder, is_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Sized

    from torch import Tensor


class BatchOrder(EpochOrder):
    """The batches that a batch sampler yields in an epoch, from any batch on.

    A restriction leaves of each batch the samples that are allowed, and drops batches without any.
    Whole batches are dealt out to the ranks, equally many to each: the first ones twice, if need be.

    Args:
        samples: The data set.
        sampler: Yields batches, as lists of indices; its random numbers depend on the seed.
        seed: Decides the batches, together with the epoch.
    """

    key = "dataloader.batch_sampler"

    def __init__(self, samples: Sized, sampler: Iterable[Sequence[int]], seed: int) -> None:
        super().__init__(samples, 1, seed, sampler=sampler)
        self._drawn: tuple[int, list[Tensor]] | None = None

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return len(self._batches())

    def batches(self) -> Iterator[Tensor]:
        """Yield the epoch's batches as integers (batch,), starting with `first_batch`."""
        yield from self._batches()[self.first_batch :]

    def _batches(self) -> list[Tensor]:
        if self._drawn is None or self._drawn[0] != self.epoch:
            self._drawn = self.epoch, self._draw()
        batches = self._drawn[1]
        if self.allowed is not None:
            left = (batch[self.allowed[batch]] for batch in batches)
            batches = [batch for batch in left if len(batch)]
        rank, ranks = self.shard
        count = -(-len(batches) // ranks) * ranks
        return [batches[place % len(batches)] for place in range(rank, count, ranks)]

    def _draw(self) -> list[Tensor]:
        """Return the batches of the sampler for this epoch.

        Raises:
            ConfigError: If they are not lists of indices.
        """
        # Each is read at once: some samplers fill the same list for each batch.
        batches: list[Tensor] = self.ask_sampler(self._indices_of)
        if not batches:
            raise ConfigError(
                f"{self.key}: {type(self.sampler).__name__} yields no batches. Let it yield at least one."
            )
        return batches

    def _indices_of(self, batch: Any) -> Tensor:  # noqa: ANN401 - what a sampler yields
        name, count = type(self.sampler).__name__, len(self.samples)
        try:
            indices = [*batch]
        except TypeError:
            raise ConfigError(
                f"{self.key}: {name} yields {shown(batch)}, not a list of indices. Let it yield one list"
                " per batch, or name it as dataloader.sampler."
            ) from None
        if not indices:
            raise ConfigError(
                f"{self.key}: {name} yields a batch without samples. Let it leave out empty batches."
            )
        if wrong := [each for each in indices if not is_index(each, count)]:
            raise ConfigError(
                f"{self.key}: {name} yields {shown(wrong[0])} in a batch, not the index of one of {count}"
                " samples. Let it yield lists of indices."
            )
        return torch.tensor([int(each) for each in indices], dtype=torch.int64)

    def is_repeatable(self) -> bool:
        """Return whether the sampler yields the same batches if it is asked for an epoch again."""
        first, second = self._asked_twice(self._draw)
        return len(first) == len(second) and all(map(torch.equal, first, second))
