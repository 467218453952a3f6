"""Measures data loading beside PyTorch's ``DataLoader``, on this machine's CPU.

``python benchmarks/loading.py`` prints a table: the processor time of a batch of 64 (with workers, the
wall time), alternating between both, and the cost of callbacks that do not change the data.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# This script's own folder would hide the package of the same name.
sys.path[:] = [path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent]

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split

from trainer.loading.loaders import make_loader
from trainer.settings import read_settings
from trainer.training_position import TrainingBatches

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 64
SAMPLES = 1408
ROUNDS = 15


class MapStyle(Dataset[tuple[Tensor, Tensor]]):
    """A data set that makes samples one by one."""

    def __init__(self) -> None:
        self.images, self.labels = torch.randn(SAMPLES, 1, 8, 8), torch.arange(SAMPLES) % 10

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        return self.images[index], self.labels[index]


class Augmenting(MapStyle):
    """A data set that adds noise to samples."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        image, label = super().__getitem__(index)
        return image + 0.1 * torch.randn_like(image), label


class Store(MapStyle):
    """A data set that reads many samples at once, in the time of one."""

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        """Read samples."""
        end = time.perf_counter() + 0.0003
        while time.perf_counter() < end:
            pass
        return [(self.images[index], self.labels[index]) for index in indices]


def ours(samples: Dataset[Any], workers: int, *, is_watched: bool = False) -> Callable[[], None]:
    """Return a function that takes one pass of our loader."""
    loading: dict[str, object] = {"num_workers": workers}
    if workers:
        loading["persistent_workers"] = True
    config = {"seed": 0, "iterations": 1, "batch_size": BATCH, "dataloader": loading}
    settings = read_settings(config)
    batches = TrainingBatches(make_loader(samples, "train", settings, is_watched=is_watched))

    def take() -> None:
        batches.renew()
        for _ in range(batches.begin_pass()):
            batches.take()
        batches.end_pass()

    return take


def theirs(samples: Dataset[Any], workers: int) -> Callable[[], None]:
    """Return a function that takes one pass of a ``DataLoader``."""
    loader = DataLoader(
        samples,
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )

    def take() -> None:
        for _ in loader:
            pass

    return take


def in_turn(ways: dict[str, Callable[[], None]], clock: Callable[[], float]) -> dict[str, float]:
    """Return the median time of a batch in each way, in seconds, alternating between the ways."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = clock()
            way()
            seconds[name].append((clock() - begun) / (SAMPLES / BATCH))
    return {name: statistics.median(each) for name, each in seconds.items()}


def main() -> None:
    """Measure everything in turn."""
    torch.set_num_threads(1)
    tensors = MapStyle()
    plain = TensorDataset(tensors.images, tensors.labels)
    part = random_split(plain, [SAMPLES - BATCH, BATCH])[0]
    kinds: dict[str, Dataset[Any]] = {
        "TensorDataset": plain,
        "random_split of it": part,
        "map-style": MapStyle(),
        "map-style, augmenting": Augmenting(),
        "with __getitems__, 300 µs per reading": Store(),
    }
    print(f"{'a batch of 64':48}{'ours':>10}{'DataLoader':>12}  ratio")
    for workers in (0, 2):
        clock = time.perf_counter if workers else time.process_time
        for name, samples in kinds.items():
            found = in_turn({"o": ours(samples, workers), "t": theirs(samples, workers)}, clock)
            row(f"{name}, {workers} workers", found["o"], found["t"])
    ways = {"o": ours(MapStyle(), 2, is_watched=True), "t": ours(MapStyle(), 2)}
    found = in_turn(ways, time.perf_counter)
    row("map-style, 2 workers: callbacks, none", found["o"], found["t"])


def row(what: str, ours_took: float, theirs_took: float) -> None:
    """Print a line of the table."""
    ratio = ours_took / theirs_took
    print(f"{what:48}{ours_took * 1e6:7.0f} µs{theirs_took * 1e6:9.0f} µs  {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
