"""Seeding: every random number is a function of the run's seed and of where it is used.

Order of samples = f(seed, epoch); random numbers of a batch's samples and of their collate function =
f(seed, epoch, batch); other random numbers of the global generators, for example of dropout or a
callback = f(seed, iteration), and before the first and after the last iteration f(seed, "training")
and f(seed, "test"). So neither the number of loader workers nor an interruption changes anything, and
resuming needs no replay.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    State = dict[str, Any]


def derive(seed: int, *place: str | int) -> int:
    """Hash a seed and the place where it is used into a 63-bit seed, the same on every machine."""
    digest = blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def seed_everything(seed: int, *place: str | int) -> None:
    """Seed the global generators of PyTorch (all devices), Python and NumPy for one place."""
    derived = derive(seed, *place)
    _seed_cpu(derived)
    if torch.accelerator.is_available():
        # Without one, it would record a traceback for later, which is slow.
        torch.manual_seed(derived)


def rng_state() -> State:
    """Return the state of every global generator, in tensors and plain values."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # PyTorch left it untyped
    cuda = torch.cuda.get_rng_state_all() if used else []
    return {**cpu_random_state(), "cuda": cuda}


def restore_rng_state(state: State) -> None:
    """Set every global generator to a state that `rng_state` returned."""
    _restore_cpu_rng_state(state)
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def cpu_random_state() -> State:
    """Return the state of every global generator of the CPU, in tensors and plain values."""
    # As tensors: weights_only loading rejects NumPy arrays, and lists of 625 numbers are slow.
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
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the generator that augmentations use


@contextmanager
def seeded_for(seed: int) -> Iterator[None]:
    """Seed the global generators of the CPU inside the context, and restore them afterwards.

    It also sets one thread, as in a loader worker: sums over several threads are rounded differently.
    """
    python_state, torch_state = random.getstate(), torch.default_generator.get_state()
    numpy_generator = _numpy.get_bit_generator()
    with one_thread():
        # Exchanged, not copied: getting and setting the state of NumPy takes 50 µs.
        _numpy.set_bit_generator(_SPARE)
        try:
            _seed_cpu(seed)
            yield
        finally:
            _numpy.set_bit_generator(numpy_generator)
            torch.default_generator.set_state(torch_state)
            random.setstate(python_state)


@contextmanager
def one_thread() -> Iterator[None]:
    """Set one thread inside the context."""
    threads = torch.get_num_threads()
    if threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if threads > 1:
            torch.set_num_threads(threads)


def forget_half_drawn() -> None:
    """Drop the second of a pair of normal numbers that NumPy's legacy functions may cache.

    Exchanging the generator does that, too: so samples from workers have the same effect as samples
    that are made in this process.
    """
    _numpy.set_bit_generator(_numpy.get_bit_generator())


_numpy: Any = np.random  # its stub lacks the exchange
# The generator of NumPy's legacy functions while samples are made.
_SPARE = np.random.MT19937(0)
