"""The validation split: a part of the training set to validate with, for data that have none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from trainer.errors import ConfigError
from trainer.seeding import derive

if TYPE_CHECKING:
    from torch import Tensor

Group = Mapping[str, object]

KEYS = ("size", "seed")


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """The keys of the group `validation_split`.

    `size` is a number of samples, or a share of them if it is below 1; without it, nothing is split.
    `seed` decides which samples; without it, the run's seed does.
    """

    size: float | None = None
    seed: int | None = None


def read_split(group: Group) -> SplitSettings:
    """Read and check the keys of the group.

    Raises:
        ConfigError: If a key is unknown, has no effect, or its value is out of its limits.
    """
    if unknown := [key for key in group if key not in KEYS]:
        raise ConfigError(
            f"validation_split.{unknown[0]}: this key is unknown. Use one of {', '.join(KEYS)}."
        )
    size, seed = group.get("size"), group.get("seed")
    is_share = isinstance(size, float) and 0 < size < 1
    if not (size is None or is_share or (type(size) is int and size > 0)):
        raise ConfigError(
            f"validation_split.size: {size!r} is neither a number of samples nor a share of them. Set,"
            " for example, 0.1."
        )
    if not (seed is None or (type(seed) is int and seed >= 0)):
        raise ConfigError(
            f"validation_split.seed: {seed!r} is not a whole number of at least 0. Correct it."
        )
    if size is None and seed is not None:
        raise ConfigError(
            "validation_split.size: missing, so that seed has no effect. Set, for example, 0.1."
        )
    return SplitSettings(cast("float | None", size), seed)


def split_off(data: Any, settings: SplitSettings, seed: object) -> None:  # noqa: ANN401 - the user's
    """Take samples from the training set of a data module, and make them its validation set.

    Args:
        data: The data module.
        settings: How many, and which.
        seed: The seed of the run.

    Raises:
        ConfigError: If it has a validation set, its training set cannot be split, or nothing is left.
    """
    if settings.size is None:
        return
    kind = type(data).__name__
    train: Any = getattr(data, "train", None)
    if getattr(data, "validation", None) is not None:
        raise ConfigError(
            f"validation_split: {kind} has a validation set. Remove the key, or let it have none."
        )
    if isinstance(train, IterableDataset) or not all(
        hasattr(train, method) for method in ("__len__", "__getitem__")
    ):
        raise ConfigError(
            f"validation_split: train is a {type(train).__name__}, which is not a map-style data set and"
            " cannot be split. Give the data a validation set."
        )
    chosen = settings.seed if settings.seed is not None else seed
    kept, taken = _divide(
        len(train), settings.size, derive(cast("int", chosen), "validation split")
    )
    try:
        data.train, data.validation = _part(train, kept), _part(train, taken)
    except AttributeError as error:
        raise ConfigError(
            f"validation_split: the data sets of {kind} cannot be set ({error}). Make train and"
            " validation attributes that can."
        ) from error


def _divide(count: int, size: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices of the samples that stay and of those that are taken, each in their order."""
    taken = size if isinstance(size, int) else max(1, round(count * size))
    if taken >= count:
        raise ConfigError(
            f"validation_split.size: {size} leaves none of the {count} samples to train with. Lower it."
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[taken:].sort().values, order[:taken].sort().values


def _part(samples: Dataset[Any], indices: Tensor) -> Dataset[Any]:
    """Return some samples; those of tensors as tensors, which are faster."""
    if type(samples) is TensorDataset:
        return TensorDataset(*(each[indices] for each in samples.tensors))
    return Subset(samples, indices.tolist())
