"""Owns randomness: every random number is a function of the run's seed and of where it is used.

Order of samples = f(seed, epoch); randomness of a sample = f(seed, epoch, index); what else is drawn
from the global generators, as by dropout or a callback = f(seed, iteration), and before the first
and after the last one f(seed, "training") and f(seed, "test"). So neither the number of loader workers
nor an interruption changes anything, and resuming needs no replay.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler, TensorDataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from torch import Tensor

    State = dict[str, Any]


def derive(seed: int, *place: str | int) -> int:
    """Mix a seed with the place where it is used into a 63-bit seed, the same everywhere."""
    digest = blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_everything(seed: int, *place: str | int) -> None:
    """Seed the global generators of PyTorch (all devices), Python and NumPy for one place."""
    derived = derive(seed, *place)
    _seed_cpu(derived)
    if torch.accelerator.is_available():
        # Not without one: it would write down, for later, from where it was called.
        torch.manual_seed(derived)


def rng_state() -> State:
    """Return the state of every global generator, in tensors and plain values."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # PyTorch left it untyped
    cuda = torch.cuda.get_rng_state_all() if used else []
    return {**_cpu_rng_state(), "cuda": cuda}


def restore_rng_state(state: State) -> None:
    """Set every global generator to a state that `rng_state` returned."""
    _restore_cpu_rng_state(state)
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def _cpu_rng_state() -> State:
    # As tensors: weights_only loading refuses NumPy's arrays, and 625 numbers take their time.
    version, keys, *rest = random.getstate()
    python_state = [version, torch.from_numpy(np.array(keys, dtype=np.int64)), *rest]
    name, keys, *rest = cast("tuple[Any, ...]", np.random.get_state())  # noqa: NPY002 - as above
    numpy_state = [name, torch.from_numpy(keys.astype(np.int64)), *rest]
    return {"torch": torch.get_rng_state(), "python": python_state, "numpy": numpy_state}


def _restore_cpu_rng_state(state: State) -> None:
    torch.set_rng_state(state["torch"])
    version, keys, *rest = state["python"]
    random.setstate((version, tuple(keys.tolist()), *rest))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002 - as above


def _seed_cpu(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that augmentations use unasked


@contextmanager
def _as_in_a_worker() -> Iterator[None]:
    """Compute on one thread, as a loader's worker does, and put the CPU generators back after it.

    Sums that are shared out among threads are rounded in another order.
    """
    before, threads = _cpu_rng_state(), torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        _restore_cpu_rng_state(before)
        if threads > 1:
            torch.set_num_threads(threads)


class SeededSamples(Dataset[Any]):
    """Give every sample of a data set randomness of its own, f(seed, epoch, index).

    Whatever a data set draws from the global generators of PyTorch, Python or NumPy while it
    makes a sample is the same in every process, and takes nothing from the training's generators.
    """

    def __init__(self, samples: Dataset[Any], seed: int) -> None:
        self.samples = samples
        self.seed = seed

    def __getitem__(self, place: tuple[int, int]) -> Any:  # noqa: ANN401 - a sample is the user's
        """Make the sample at (epoch, index)."""
        return self.__getitems__([place])[0]

    def __getitems__(self, places: list[tuple[int, int]]) -> list[Any]:
        """Make the samples at several (epoch, index); a loader asks for a batch at once."""
        with _as_in_a_worker():
            return [self._make(*place) for place in places]

    def _make(self, epoch: int, index: int) -> Any:  # noqa: ANN401 - as above
        _seed_cpu(derive(self.seed, epoch, index))
        return self.samples[index]


def are_plain_tensors(samples: Dataset[Any]) -> bool:
    """Tell whether samples are just cut out of tensors, drawing no random numbers.

    A subclass that makes its samples itself, such as one that augments them, is none of these.
    """
    makers = ("__getitem__", "__getitems__")
    return isinstance(samples, TensorDataset) and all(
        getattr(type(samples), maker, None) is getattr(TensorDataset, maker, None)
        for maker in makers
    )


class EpochOrder(Sampler[list[Any]]):
    """Yield the batches of an epoch, as indices or (epoch, index) places, from any batch on.

    Args:
        samples: The data set; its length is read anew at each epoch.
        batch_size: The number of samples in a batch; the last one may have fewer.
        seed: The seed that with the epoch decides the order; `None` keeps the data set's.
        drop_last: Leave out a last batch that has fewer.
        with_epoch: Yield (epoch, index) instead of the index.
    """

    def __init__(
        self,
        samples: Sized,
        batch_size: int,
        seed: int | None,
        *,
        drop_last: bool = False,
        with_epoch: bool = False,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        self.drop_last = drop_last
        self.with_epoch = with_epoch
        self.epoch = 0
        self.first_batch = 0
        self.allowed: Tensor | None = None
        self._allowed_count = 0

    def restrict(self, allowed: Tensor | None) -> None:
        """Yield only the samples that a mask (samples,) of booleans allows; `None` allows all.

        Those that are left keep the order among each other that they have in the whole epoch.
        """
        self.allowed = allowed
        self._allowed_count = 0 if allowed is None else int(allowed.sum())

    def __len__(self) -> int:
        """Count the batches of a whole epoch."""
        count = len(self.samples) if self.allowed is None else self._allowed_count
        extra = 0 if self.drop_last else self.batch_size - 1
        return (count + extra) // self.batch_size

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the epoch's batches as lists, beginning with `first_batch`."""
        for batch in self.batches():
            indices = batch.tolist()
            yield [(self.epoch, index) for index in indices] if self.with_epoch else indices

    def batches(self) -> Iterator[Tensor]:
        """Yield the epoch's batches as integers (batch,), beginning with `first_batch`."""
        if self.first_batch < len(self):
            first, end = (batch * self.batch_size for batch in (self.first_batch, len(self)))
            yield from torch.split(self._order()[first:end], self.batch_size)

    def _order(self) -> Tensor:
        order = self._whole_order()
        return order if self.allowed is None else order[self.allowed[order]]

    def _whole_order(self) -> Tensor:
        if self.seed is None:
            return torch.arange(len(self.samples))
        generator = torch.Generator().manual_seed(derive(self.seed, "order", self.epoch))
        return torch.randperm(len(self.samples), generator=generator)
