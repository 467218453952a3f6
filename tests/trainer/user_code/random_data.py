"""Data sets that are random in all the ways that users know."""

import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset, default_collate, get_worker_info
from user_modules import NoisySamples, Saboteur, Tiny, labelled

GLOBAL = np.random.default_rng()


def from_the_module() -> float:
    """Draw from a generator that is a global of this module."""
    return float(GLOBAL.normal())


def mixup(samples: list[Any]) -> Any:
    """Collate, and mix each sample with another one."""
    inputs, labels = default_collate(samples)
    share, order = random.betavariate(0.4, 0.4), torch.randperm(len(labels))
    weight = share * float(np.random.rand())  # noqa: NPY002 - as users do
    return weight * inputs + (1 - weight) * inputs[order], labels


class Samples(NoisySamples):
    """Make samples with noise that a function gives."""

    def __init__(self, samples: TensorDataset, noise: Callable[[], float]) -> None:
        super().__init__(samples)
        self.noise = noise

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        sample, label = self.samples[index]
        return sample + self.noise(), label


class Wrapped(Dataset[Any]):
    """Hold another data set, as many wrappers do."""

    def __init__(self, inner: Any) -> None:
        self.inner = [inner]

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.inner[0])

    def __getitem__(self, index: int) -> Any:
        """Make a sample."""
        return self.inner[0][index]


class Lazy(NoisySamples):
    """Make a generator when the first sample is asked for."""

    generator: Any = None

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        if self.generator is None:
            self.generator = np.random.default_rng()
        sample, label = self.samples[index]
        return sample + self.generator.normal(), label


class Transform:
    """Draw from an old generator of NumPy's, as older libraries do."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = np.random.RandomState()

    def __call__(self) -> float:
        """Draw."""
        return float(self.state.normal())


class Cached(NoisySamples):
    """Keep random samples."""

    def __init__(self, samples: TensorDataset) -> None:
        super().__init__(samples)
        self.kept: dict[int, Any] = {}

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, once."""
        if index not in self.kept:
            self.kept[index] = super().__getitem__(index)
        kept: tuple[Tensor, Tensor] = self.kept[index]
        return kept


class Drawing(Cached):
    """Keep random samples, and draw whether they are used or not."""

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, and keep the first."""
        kept: tuple[Tensor, Tensor] = self.kept.setdefault(
            index, NoisySamples.__getitem__(self, index)
        )
        return kept


class Private:
    """Draw from a generator in a private slot."""

    __slots__ = ("__generator",)

    def __init__(self) -> None:
        self.__generator = np.random.default_rng()

    def __call__(self) -> float:
        """Draw."""
        return float(self.__generator.normal())


class Bits:
    """Draw from the bits below a generator."""

    def __init__(self) -> None:
        self.bits = np.random.PCG64()

    def __call__(self) -> float:
        """Draw."""
        return float(np.random.Generator(self.bits).normal())


class Memory(NoisySamples):
    """Keep samples that are not random."""

    def __init__(self, samples: TensorDataset) -> None:
        super().__init__(samples)
        self.kept: dict[int, Any] = {}
        self.counted = 0

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample, once, and count how often one is asked for."""
        self.counted += 1
        kept: tuple[Tensor, Tensor] = self.kept.setdefault(index, self.samples[index])
        return kept


def from_the_system() -> float:
    """Draw what nobody can seed."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def closed_over() -> Callable[[], float]:
    """Return what draws from a generator that only it knows."""
    generator = torch.Generator()
    generator.seed()
    return lambda: torch.rand((), generator=generator).item()


class OwnRandom(random.Random):
    """Be a generator of a user's own."""


WAYS: dict[str, Callable[[], Any]] = {
    "NumPy's": lambda: Samples(labelled(0), np.random.default_rng().normal),
    "NumPy's old": lambda: Wrapped(Samples(labelled(0), Transform())),
    "Python's": lambda: Samples(labelled(0), OwnRandom().random),
    "PyTorch's, in a closure": lambda: Wrapped(Samples(labelled(0), closed_over())),
    "a global of the module": lambda: Samples(labelled(0), from_the_module),
    "made late": lambda: Lazy(labelled(0)),
    "in a private slot": lambda: Samples(labelled(0), Private()),
    "bits": lambda: Samples(labelled(0), Bits()),
}


class Randomly(Tiny):
    """Offer a training set that is random in one of the ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.train = WAYS[way]()


class OnceRandom(Tiny):
    """Keep random samples."""

    def __init__(self) -> None:
        super().__init__()
        self.train = Cached(labelled(0))


class Unseeded(Tiny):
    """Validate with samples that nobody can make again."""

    def __init__(self) -> None:
        super().__init__()
        self.validation = Wrapped(Samples(labelled(1), from_the_system))


class Counting(Tiny):
    """Count what is asked for, and keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.train = Memory(labelled(0))

    def cb_on_train_end(self, trainer: Any, test_results: dict[str, float]) -> None:
        """Report the count."""
        del trainer
        test_results["counted"] = self.train.counted


class NoisyLoss(nn.CrossEntropyLoss):
    """Draw an odd number of normal numbers in callbacks, so that half of a pair is left over."""

    share = 1.0

    def cb_on_step_begin(self, trainer: Any, iteration: int, batch_idx: int) -> None:
        """Draw."""
        del trainer, iteration, batch_idx
        self.share = 1 + float(np.random.normal()) + random.gauss(0, 1)  # noqa: NPY002

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Weigh the loss."""
        return super().forward(logits, targets) * self.share


class FromFile(Tiny):
    """Make the training set as a file says."""

    def __init__(self, path: str) -> None:
        super().__init__()
        asked = OmegaConf.load(path)
        count = asked.get("count", 44)
        inputs, labels = self.train.tensors
        self.train = TensorDataset(inputs[:count] + asked.get("shift", 0), labels[:count])
        if asked.get("noisy"):
            self.train = NoisySamples(self.train)


class Fragile(Saboteur, nn.Linear):
    """Be a model that does something bad."""

    def __init__(self, **how: Any) -> None:
        nn.Linear.__init__(self, 6, 2)
        Saboteur.__init__(self, **how)


STRENGTH = 1


def adding(values: list[float]) -> Callable[[], float]:
    """Return what sums up a list that it closes over."""
    return lambda: sum(values)


class ByWorkersFunction(NoisySamples):
    """Draw from a generator that a function gives each worker."""

    generator: Any = None

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Make a sample."""
        sample, label = self.samples[index]
        return sample + float(self.generator.normal()), label


def give_generator(number: int) -> None:
    """Give the data set of a worker a generator, as PyTorch's documentation shows."""
    worker: Any = get_worker_info()
    worker.dataset.generator = np.random.default_rng(worker.seed + number)


class ByWorkersFunctionData(Tiny):
    """Offer a training set whose workers are given generators."""

    def __init__(self) -> None:
        super().__init__()
        self.train = ByWorkersFunction(labelled(0))
