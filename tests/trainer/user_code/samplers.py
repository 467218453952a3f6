"""Samplers such as users write."""

# ruff: noqa: ARG002, NPY002, S311 - callbacks have parameters, and users draw from what is at hand

import random
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler


class ByTarget(Sampler[int]):
    """Take the samples in the order of what they are, whatever it is."""

    def __init__(self, data_source: Any, start: int = 0) -> None:
        self.samples = data_source
        self.start = start

    def __iter__(self) -> Any:
        """Yield indices."""
        yield from range(len(self.samples) - 1, self.start - 1, -1)


class ByLength(Sampler[list[int]]):
    """Make batches of samples of similar lengths, which take about as much room each."""

    def __init__(self, data_source: Any, batch_size: int, room: int = 0) -> None:
        self.lengths = [1 + index % 7 for index in range(len(data_source))]
        self.room = room or 4 * batch_size

    def __iter__(self) -> Any:
        """Yield lists of indices, in one list that is filled for each."""
        noisy = sorted(
            range(len(self.lengths)), key=lambda index: self.lengths[index] + random.random()
        )
        batches: list[list[int]] = [[]]
        for index in noisy:
            if sum(self.lengths[each] for each in batches[-1]) + self.lengths[index] > self.room:
                batches.append([])
            batches[-1].append(index)
        random.shuffle(batches)
        filled: list[int] = []
        for batch in batches:
            filled[:] = batch
            yield filled


class Balanced:
    """Take as many samples of each of two classes into each batch; their number depends on the epoch."""

    def __init__(self, dataset: Any, batch_size: int) -> None:
        self.count, self.half, self.epoch = len(dataset), batch_size // 2, 0

    def set_epoch(self, epoch: int) -> None:
        """Take in the epoch."""
        self.epoch = epoch

    def __iter__(self) -> Any:
        """Yield batches, as tensors or arrays."""
        for number in range(2 + self.epoch % 3):
            drawn = np.random.choice(self.count // 2, self.half) * 2
            both = np.concatenate([drawn, drawn + 1])
            yield torch.as_tensor(both) if number % 2 else both


class Endless(Sampler[Any]):
    """Never end."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __iter__(self) -> Any:
        """Yield the same without an end."""
        while True:
            yield self.batch


class Growing(Sampler[int]):
    """Yield more indices from epoch to epoch."""

    def __init__(self, data_source: Any) -> None:
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take in the epoch."""
        self.epoch = epoch

    def __iter__(self) -> Any:
        """Yield indices of whole batches of 8."""
        yield from range(8 * (2 + self.epoch % 3))


class Passes:
    """A module that writes how many steps and ends of passes each iteration had."""

    def cb_on_iteration_begin(self, trainer: Any, iteration: int) -> None:
        """Count from 0."""
        self.steps = self.ends = 0

    def cb_on_step_end(self, trainer: Any, iteration: int, batch_idx: int, loss: float) -> None:
        """Count a step."""
        self.steps += 1

    def cb_on_loader_exhausted(self, trainer: Any, iteration: int) -> None:
        """Count the end of a pass."""
        self.ends += 1

    def cb_on_iteration_end(self, trainer: Any, iteration: int, metrics: Any) -> None:
        """Write them."""
        with (trainer.run_dir / "passes").open("a") as file:
            file.write(f"{iteration}: {self.steps} {self.ends}\n")
