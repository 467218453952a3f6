"""Checks of the samples before the first batch: their digest, and whether they are reproducible.

One batch of each part is made repeatedly, in separate processes, so that the data set, which may count
accesses, cache samples or open files, is unchanged.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from trainer.errors import ConfigError
from trainer.loading.call_in_fork import found_without_trace
from trainer.loading.contents import digest_of_samples, digest_of_tensors
from trainer.loading.iterable_data_sets import StreamedBatches
from trainer.loading.loaded_batches import TensorBatches
from trainer.loading.object_graph import CONTAINERS, reachable
from trainer.loading.plain_samples import are_plain
from trainer.loading.seeded_batches import SeededBatches
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.loading.loaded_batches import LoadedBatches
    from trainer.loading.loaders import Loader
    from trainer.loading.seeded_batches import Place

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
    found = _look_at_plain(made)  # these need no check, and neither do tensors; a fork takes 10 ms
    if left := {part: each for part, each in made.items() if part not in found}:
        found |= _examine_made(left)
    for part, loader in loaders.items():
        if isinstance(loader, TensorBatches):
            found[part] = Finding(digest_of_tensors(loader.dataset.tensors))
    for complaint in filter(None, (each.complaint for each in found.values())):
        if is_strict:
            raise ConfigError(complaint)
        say(complaint.removesuffix(INSTEAD))
    counts = {
        part: "a stream"
        if isinstance(loader, StreamedBatches)
        else f"{len(loader.dataset)} samples"
        for part, loader in loaders.items()
    }
    return {
        f"data.{part}": f"{count}, {found[part].digest[:SHORT]}" if part in found else count
        for part, count in counts.items()
    }


def _look_at_plain(loaders: Mapping[str, LoadedBatches]) -> dict[str, Finding]:
    """Make the samples of a batch of each part whose code leaves no trace."""
    found = {}
    for part, loader in loaders.items():
        if are_plain(loader.made.samples, loader.made.collate, loader.order.sampler):
            with suppress(Exception):  # the training raises it again
                found[part] = Finding(_digest(loader.made, (0, 0, _first_batch(loader))))
    return found


def _examine_made(loaders: Mapping[str, LoadedBatches]) -> dict[str, Finding]:
    """Make the samples of a batch of each part in two processes, and compare them."""

    def look() -> dict[str, tuple[_Look | None, str | None]]:
        # The fork is forked again, because this process has more memory, and takes longer to fork.
        afresh = found_without_trace(lambda: {part: _look_afresh(each) for part, each in pairs})
        return {part: (_look_at(each, part), afresh.get(part)) for part, each in pairs}

    pairs = loaders.items()
    found = {}
    for part, (looked, afresh) in found_without_trace(look).items():
        if looked is None:
            continue
        found[part] = its = _Look(*looked)
        if not its.complaint and afresh not in (its.later, None):
            name = _named(loaders[part].made.samples, f"data.{part}")
            complaint = (
                f"{name} returns other samples in a new process, from the same seed, as with a"
                f" cache of random samples.{INSTEAD}"
            )
            found[part] = _Look("", complaint, "")
    return {part: Finding(each.digest, each.complaint) for part, each in found.items()}


class _Look(NamedTuple):
    """What was found in a process, and the digest of the samples that it made last."""

    digest: str
    complaint: str
    later: str


def _look_at(loader: LoadedBatches, part: str) -> _Look | None:
    """Make the samples of a batch twice, compare them, and make them at another place."""
    made, indices = loader.made, _first_batch(loader)
    try:
        made.__getitems__((0, 0, indices))  # some data sets create their generators on first access
        first, second = (_digest(made, (0, 0, indices)) for _ in range(2))
        if first != second:
            name = _irreproducible(made, part) or _named(made.samples, f"data.{part}")
            complaint = f"{name} returns other samples each time, from the same seed.{INSTEAD}"
            return _Look("", complaint, "")
        return _Look(first, "", _digest(made, (1, 0, indices)))
    except Exception:  # noqa: BLE001 - user code: the training raises it again, with a traceback
        return None


def _look_afresh(loader: LoadedBatches) -> str | None:
    """Return the digest of the samples of a batch that are made before any others."""
    place = (1, 0, _first_batch(loader))
    try:
        return digest_of_samples(loader.made.__getitems__(place))
    except Exception:  # noqa: BLE001 - as above
        return None


def _first_batch(loader: LoadedBatches) -> list[int]:
    order = loader.order
    order.epoch, order.first_batch = 0, 0
    indices: list[int] = next(order.batches()).tolist()
    return indices


def _digest(made: SeededBatches, place: Place) -> str:
    return digest_of_samples(made.make(place))


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
            if _digest(alone, (0, 0, few)) != _digest(alone, (0, 0, few)):
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
