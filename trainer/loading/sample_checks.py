"""Checks of the samples before the first batch: their digest, and whether they are reproducible.

One batch of each part is made twice, in a separate process, so that the data set, which may count
accesses, cache samples or open files, is unchanged.
"""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainer.errors import ConfigError
from trainer.loading.contents import digest_of_samples, digest_of_tensors
from trainer.loading.hidden_generators import states_of
from trainer.loading.loaders import TensorBatches
from trainer.loading.object_graph import CONTAINERS, reachable
from trainer.loading.seeded_batches import SeededBatches
from trainer.loading.without_trace import found_without_trace
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.loading.hidden_generators import Generator
    from trainer.loading.loaders import LoadedBatches, Loader

FEW = 8  # samples by which a nested data set is checked
MOST_SUSPECTS = 50
SHORT = 12  # digits of a digest
INSTEAD = (
    " Draw from the global generators of PyTorch, NumPy or Python, or from a generator that is an"
    " attribute; or set deterministic: false, and results differ from run to run."
)


class Finding(NamedTuple):
    """The digest of the samples of a part, and why they are not reproducible, if they are not."""

    digest: str
    complaint: str = ""


def examine(loaders: Mapping[str, Loader], *, is_strict: bool) -> dict[str, str]:
    """Return a description of each part of the data, which a resumed run compares.

    Args:
        loaders: The loaders of the parts.
        is_strict: Whether samples that are not reproducible are an error.

    Raises:
        ConfigError: If they are.
    """
    made = {part: each for part, each in loaders.items() if not isinstance(each, TensorBatches)}
    found = {}
    if made:  # tensors need no check, and a fork takes 10 ms
        looked_at = found_without_trace(
            lambda: {part: _look_at(each, part) for part, each in made.items()}
        )
        found = {part: Finding(*each) for part, each in looked_at.items() if each}
    for part, loader in loaders.items():
        if isinstance(loader, TensorBatches):
            found[part] = Finding(digest_of_tensors(loader.dataset.tensors))
    for complaint in filter(None, (each.complaint for each in found.values())):
        if is_strict:
            raise ConfigError(complaint)
        say(complaint.removesuffix(INSTEAD))
    counts = {part: f"{len(loader.order.samples)} samples" for part, loader in loaders.items()}
    return {
        f"data.{part}": f"{count}, {found[part].digest[:SHORT]}" if part in found else count
        for part, count in counts.items()
    }


def _look_at(loader: LoadedBatches, part: str) -> Finding | None:
    """Make the samples of a batch twice, and compare them."""
    made, order = loader.made, loader.order
    order.epoch, order.first_batch = 0, 0
    first, fresh = _two_lots([batch.tolist() for batch in islice(order.batches(), 2)])
    try:
        before = _make(made, first)
        made.look_through()  # some data sets create their generators on first access
        attempts = [_make(made, first), _make(made, first)]
        if attempts[0].bits != attempts[1].bits:
            name = _irreproducible(made, part) or _named(made.samples, f"data.{part}")
            return Finding(
                "", f"{name} returns other samples each time, from the same seed.{INSTEAD}"
            )
        if before.left != attempts[0].left and _keeps_random_samples(made, fresh):
            name = _named(made.samples, f"data.{part}")
            return Finding(
                "",
                f"{name} caches random samples, which depend on when they are first made, so a resumed"
                f" run would differ. Cache the samples before they are random.{INSTEAD}",
            )
    except Exception:  # noqa: BLE001 - user code: the training raises it again, with a traceback
        return None
    return Finding(attempts[1].bits)


class _Made(NamedTuple):
    bits: str
    left: str  # the state of the generators afterwards


def _make(made: SeededBatches, indices: list[int]) -> _Made:
    left: list[str] = []
    batch = made.make((0, 0, indices), lambda own: left.append(_states(own)))
    return _Made(digest_of_samples(batch), left[0])


def _states(own: list[Generator]) -> str:
    """Return the digest of the state of all generators."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - samples use it
    globally = [random.getstate(), numpy_state, torch.get_rng_state()]
    return digest_of_samples([*globally, *states_of(own)])


def _two_lots(batches: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return the indices of two batches, or of the halves of the only one."""
    if len(batches) > 1:
        return batches[0], batches[1]
    half = (len(batches[0]) + 1) // 2
    return batches[0][:half], batches[0][half:]


def _keeps_random_samples(made: SeededBatches, fresh: list[int]) -> bool:
    """Return whether samples are random only when they are first made.

    Samples that were not made before are used: the first ones may also include one-time setup.
    """
    return bool(fresh) and _make(made, fresh).left != _make(made, fresh).left


def _irreproducible(made: SeededBatches, part: str) -> str:
    """Return the name of the innermost data set whose samples are not reproducible."""
    found = ""
    held = reachable(made.samples, most_objects=2000, most_items=FEW)
    suspects = [(path, each) for path, each in held if _is_like_a_data_set(each)]
    for path, each in suspects[:MOST_SUSPECTS]:
        with suppress(Exception):  # it may be anything
            alone = SeededBatches(each, made.seed)
            alone.collate = list
            few = [*range(min(FEW, len(each)))]
            alone.make((0, 0, few))
            alone.look_through()
            if _make(alone, few).bits != _make(alone, few).bits:
                found = _named(each, f"data.{part}{path}")
    return found


def _is_like_a_data_set(value: Any) -> bool:  # noqa: ANN401 - it may be anything
    plain = (str, bytes, dict, Tensor, np.ndarray, type, *CONTAINERS)
    return not isinstance(value, plain) and all(
        hasattr(value, method) for method in ("__getitem__", "__len__")
    )


def _named(value: object, path: str) -> str:
    kind = type(value)
    return f"{path}: {kind.__module__}.{kind.__qualname__}"
