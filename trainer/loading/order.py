"""The order of samples: a function of the seed and the epoch."""

from __future__ import annotations

import os
from itertools import islice
from operator import index
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import Sampler

from trainer.errors import ConfigError, shown
from trainer.loading.hidden_generators import find_generators, lend
from trainer.seeding import derive, seeded_for
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sized

    from torch import Tensor


SOME = 1024  # batches
BYTES = 8  # of an index
# A sampler that yields more than this, and more than this many times per sample, has no end.
MOST, MOST_TIMES = 1_000_000, 100


class EpochOrder(Sampler[list[Any]]):
    """A sampler of the batches of an epoch, as indices or (epoch, batch, indices), from any batch on.

    Args:
        samples: The data set; its length is read at each epoch.
        batch_size: The number of samples in a batch; the last one may have fewer.
        seed: Decides the order, together with the epoch; `None` keeps the order of the data set.
        sampler: Yields the indices instead; its random numbers depend on the seed.
        drop_last: Whether a smaller last batch is dropped.

    Attributes:
        with_place: Whether (epoch, batch, indices) are yielded instead of the indices.
        shard: The rank of this process, and the number of ranks. The samples are dealt out to the ranks, equally
            many to each: the first ones twice, or with `drop_last` the last ones to none.
    """

    key = "dataloader.sampler"  # in messages

    def __init__(
        self,
        samples: Sized,
        batch_size: int,
        seed: int | None,
        *,
        sampler: Iterable[Any] | None = None,
        drop_last: bool = False,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        self.sampler = sampler
        self.drop_last = drop_last
        self.shard = (0, 1)
        self.with_place = False
        self.epoch = 0
        self.first_batch = 0
        self.allowed: Tensor | None = None
        self._allowed_count = 0
        self._sampled: tuple[int, Tensor] | None = None

    def restrict(self, allowed: Tensor | None) -> None:
        """Yield only the samples that a mask (samples,) of booleans allows; `None` allows all.

        They keep their relative order in the whole epoch.
        """
        self.allowed = allowed
        self._allowed_count = 0 if allowed is None else int(allowed.sum())

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        extra = 0 if self.drop_last else self.batch_size - 1
        return (self._count() + extra) // self.batch_size

    def _count(self) -> int:
        if self.sampler is not None:
            return len(self._order())
        count = self._count_samples() if self.allowed is None else self._allowed_count
        ranks = self.shard[1]
        return count // ranks if self.drop_last else -(-count // ranks)

    def _count_samples(self) -> int:
        """Return the number of samples.

        Raises:
            ConfigError: If a data set of a library has none any more, because a callback has changed it.
        """
        try:
            return len(self.samples)
        except (TypeError, ValueError, LookupError) as error:
            if not is_in_libraries(error):
                raise
            raise ConfigError(
                f"data: {type(self.samples).__name__} has no usable length any more: {first_line(error)}."
                " Correct how callbacks change it."
            ) from error

    def __iter__(self) -> Iterator[Any]:
        """Yield the epoch's batches, starting with `first_batch`."""
        for number, batch in enumerate(self.batches(), self.first_batch):
            indices = batch.tolist()
            yield (self.epoch, number, indices) if self.with_place else indices

    def batches(self) -> Iterator[Tensor]:
        """Yield the epoch's batches as integers (batch,), starting with `first_batch`."""
        if self.first_batch < len(self):
            first, end = (batch * self.batch_size for batch in (self.first_batch, len(self)))
            order = self._order()[first:end]
            # A few at a time: of a large data set all of them would take longer than their samples.
            for some in torch.split(order, SOME * self.batch_size):
                yield from torch.split(some, self.batch_size)

    def _order(self) -> Tensor:
        order = self._whole_order()
        order = order if self.allowed is None else order[self.allowed[order]]
        rank, ranks = self.shard
        if ranks == 1 or not len(order):
            return order
        if not self.drop_last:
            order = order.repeat(ranks)[: -(-len(order) // ranks) * ranks]
        return order[: len(order) // ranks * ranks][rank::ranks]

    def _whole_order(self) -> Tensor:
        if self.sampler is not None:
            if self._sampled is None or self._sampled[0] != self.epoch:
                self._sampled = (self.epoch, self._sample())
            return self._sampled[1]
        if self.seed is None:
            return torch.arange(len(self.samples))
        generator = torch.Generator().manual_seed(derive(self.seed, "order", self.epoch))
        return torch.randperm(len(self.samples), generator=generator)

    def _sample(self) -> Tensor:
        """Return the indices of the sampler for this epoch.

        Raises:
            ConfigError: If they are not indices of samples.
        """
        indices = self.ask_sampler()
        name, count = type(self.sampler).__name__, len(self.samples)
        if wrong := [each for each in indices if not is_index(each, count)]:
            raise ConfigError(
                f"dataloader.sampler: {name} yields {shown(wrong[0])}, not the index of one of "
                f"{count} samples. Let it yield single indices: batch_size decides the batches."
            )
        if len(indices) < (self.batch_size if self.drop_last else 1):
            raise ConfigError(
                f"dataloader.sampler: {name} yields {len(indices)} indices, too few for a batch. "
                "Let it yield more."
            )
        return torch.tensor([int(each) for each in indices], dtype=torch.int64)

    def ask_sampler(self, read: Callable[[Any], Any] | None = None) -> list[Any]:
        """Return what the sampler yields in this epoch, each value read by `read` at once.

        Raises:
            ConfigError: If it cannot be iterated over, or does not end.
        """
        sampler = self.sampler
        if callable(set_epoch := getattr(sampler, "set_epoch", None)):
            try:
                set_epoch(self.epoch)
            except TypeError as error:
                if not is_in_libraries(error):
                    raise
                raise ConfigError(
                    f"{self.key}: {first_line(error)}. Let set_epoch take the number of the epoch."
                ) from error
        place = derive(self.seed or 0, "order", self.epoch)
        with seeded_for(place), lend(find_generators(sampler), place):
            return _yielded(sampler, self.key, read, MOST + MOST_TIMES * len(self.samples))

    def is_repeatable(self) -> bool:
        """Return whether the sampler yields the same indices if it is asked for an epoch again."""
        return torch.equal(*self._asked_twice(self._sample))

    def _asked_twice(self, ask: Callable[[], Any]) -> tuple[Any, Any]:
        """Return what the sampler yields in an epoch, before and after it is asked for the next one."""
        first = ask()
        self.epoch += 1
        try:
            ask()
        finally:
            self.epoch -= 1
        return first, ask()

    def check(self) -> None:
        """Check that the sampler yields the same indices whenever it is asked for an epoch.

        Raises:
            ConfigError: If it does not, if they are not indices of samples, or without a sampler, if
                there are more samples than memory for their order.
        """
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if self.sampler is None and BYTES * (count := self._count_samples()) > memory:
            raise ConfigError(
                f"data: {type(self.samples).__name__} has {count} samples, whose order takes"
                f" {BYTES * count >> 30} GiB, more than this machine's memory. Correct __len__, set"
                " dataloader.sampler, or make it a stream."
            )
        if self.sampler is not None and not self.is_repeatable():
            raise ConfigError(
                f"{self.key}: {type(self.sampler).__name__} yields other indices each time "
                "that it is asked for the same epoch, so a resumed run would differ. Draw from the "
                "global generators, and keep no state from one epoch to the next."
            )


def _yielded(
    sampler: Any,  # noqa: ANN401 - any object that can be iterated over
    key: str,
    read: Callable[[Any], Any] | None,
    most: int,
) -> list[Any]:
    """Return what a sampler yields.

    Raises:
        ConfigError: If its `__iter__` does not return an iterator, a library's cannot yield, or it
            yields more than `most`.
    """
    name = type(sampler).__name__
    try:
        iterator = iter(sampler)
    except TypeError as error:
        if not is_in_libraries(error):
            raise
        raise ConfigError(
            f"{key}: {name}.__iter__ does not return an iterator: {error}. Let it yield indices."
        ) from error
    try:
        some = islice(iterator, most + 1)
        found = [*(some if read is None else map(read, some))]
    except (TypeError, ValueError, RuntimeError, LookupError) as error:
        if not is_in_libraries(error):
            raise
        raise ConfigError(
            f"{key}: {name} yields no indices: {first_line(error)}. Correct its arguments."
        ) from error
    if len(found) > most:
        raise ConfigError(
            f"{key}: {name} yields more than {most} times without an end. Let it end with the epoch."
        )
    return found


def is_index(value: object, count: int) -> bool:
    """Return whether a value is the index of one of `count` samples."""
    try:
        return not isinstance(value, bool) and 0 <= index(value) < count  # type: ignore[arg-type]  # TypeError is caught
    except TypeError:
        return False
