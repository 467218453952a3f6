"""Checks of a data set: whether it is map-style, with samples and targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from torch.utils.data import IterableDataset

from trainer.errors import ConfigError
from trainer.loading.seeded_batches import are_plain_tensors
from trainer.target_errors import is_in_libraries

if TYPE_CHECKING:
    from torch.utils.data import Dataset, TensorDataset

PAIR = 2  # a sample and its target


def check_parts(data: object, loaders: Mapping[str, Any]) -> None:
    """Check that no callback has given a data module another data set.

    Raises:
        ConfigError: If one has: the loaders would not use it.
    """
    for part, loader in loaders.items():
        if getattr(data, "__dict__", {}).get(part, loader.dataset) is not loader.dataset:
            raise ConfigError(
                f"data: a callback has assigned another data set to {part}, which would have no effect."
                " Change the data set in place, or call trainer.batches.restrict."
            )


def check_samples(samples: Dataset[Any], part: str) -> None:
    """Check that a data set is map-style or a stream, and that its tensors are samples and targets.

    Raises:
        ConfigError: If it is not.
    """
    if isinstance(samples, IterableDataset):
        return
    is_indexed = any(hasattr(samples, name) for name in ("__getitem__", "__getitems__"))
    is_other = isinstance(samples, (Mapping, str, bytes, type))
    if is_other or not (is_indexed and hasattr(samples, "__len__")):
        raise ConfigError(
            f"data: {part} is a {type(samples).__name__}, which is not a map-style data set. Give it"
            " __len__ and __getitem__, or make it an IterableDataset."
        )
    try:
        len(samples)
    except (TypeError, ValueError, OverflowError) as error:
        if not is_in_libraries(error):
            raise
        raise ConfigError(
            f"data: {part}: {type(samples).__name__} has no usable length: {error}. Let __len__ return the"
            " number of samples."
        ) from error
    if are_plain_tensors(samples) and len(cast("TensorDataset", samples).tensors) < PAIR:
        raise ConfigError(
            f"data: a sample of {part} has one part. Make it a sample and a target; for a model that"
            " reconstructs its input, use the sample twice."
        )
