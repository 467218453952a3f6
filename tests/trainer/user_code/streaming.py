"""Data modules of streams, in the ways in which people write them."""

# ruff: noqa: D105, S311 - all methods do the same, and nothing is secret

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info
from user_modules import labelled

MADE: list[int] = []  # how many samples were made, in this process


class Stream(IterableDataset[Any]):
    """A stream of samples, read in order, shuffled by a buffer, augmented, sharded or broken."""

    def __init__(self, how: str, seed: int) -> None:
        self.how = how
        self.samples = labelled(seed)
        self.generator = np.random.default_rng()
        self.epoch = 0
        self.place = 0

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch."""
        self.epoch = epoch

    def _order(self) -> list[int]:
        order = [*range(len(self.samples))]
        worker = get_worker_info()
        if self.how == "shuffled":
            random.Random(self.epoch).shuffle(order)
        elif self.how == "buffered":
            order = [*_buffered(order)]
        elif self.how == "sharded" and worker is not None:
            order = order[worker.id :: worker.num_workers]
        elif self.how == "shorter each epoch":
            order = order[self.epoch :]
        elif self.how == "unseeded":
            random.SystemRandom().shuffle(order)
        elif self.how == "goes on":
            order = [(number + self.place) % 44 for number in order]
        return [] if self.how == "empty" else order

    def __iter__(self) -> Iterator[Any]:
        MADE.append(0)
        for number in self._order():
            self.place += 1
            if self.how == "fails" and number == 20:
                raise KeyError("no such shard")
            sample, label = self.samples[number]
            MADE[-1] += 1
            if self.how == "noisy":
                sample = (
                    sample + torch.randn(6) * random.gauss(0, 1) + float(self.generator.normal())
                )
            yield sample, label


def _buffered(order: list[int]) -> Iterator[int]:
    """Shuffle in a small buffer, by the global generator."""
    buffer: list[int] = []
    for number in order:
        buffer.append(number)
        if len(buffer) == 10:
            yield buffer.pop(random.randrange(10))
    yield from buffer


class ItsOwnIterator(Stream):
    """A stream that is its own iterator: it begins again whenever it is asked for one."""

    def __iter__(self) -> Iterator[Any]:
        self.numbers = iter(range(44))
        return self

    def __next__(self) -> Any:
        return self.samples[next(self.numbers)]


class ForgetfulEpoch(Stream):
    """A stream whose `set_epoch` takes nothing."""

    def set_epoch(self) -> None:  # type: ignore[override]
        """Do nothing."""


class Streams:
    """Three streams."""

    def __init__(self, how: str = "") -> None:
        kinds = {"its own iterator": ItsOwnIterator, "forgetful epoch": ForgetfulEpoch}
        self.train = kinds.get(how, Stream)(how, 0)
        self.validation, self.test = Stream("", 1), Stream("", 2)


class Unending(IterableDataset[Any]):
    """A stream without an end, and with a length that is wrong."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield torch.randn(6), torch.randint(2, ())


class Endless:
    """A stream without an end to train with."""

    def __init__(self) -> None:
        self.train = Unending()
        self.validation, self.test = labelled(1), labelled(2)


class NotIterable(IterableDataset[Any]):
    """A stream whose iterator is none."""

    def __iter__(self) -> Any:
        return 3


class Broken(Endless):
    """Data of such a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.train: Any = NotIterable()
