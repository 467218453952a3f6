"""The split of a data set into parts for training, validation and test."""

from __future__ import annotations

import torch
from torch import Tensor

from trainer.errors import ConfigError


def split(
    count: int, validation: float | None, held_out: float | None, seed: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Split the indices of samples into those of `train`, `validation` and `test`, each (samples,).

    Args:
        count: The number of samples.
        validation: The number of samples to validate with, or their share if below 1; `None` if the
            data set has its own validation samples.
        held_out: The same for the test.
        seed: Shuffles the samples before they are split; `None` keeps their order, so that the last
            ones are for the test.

    Raises:
        ConfigError: If a number is not above 0, or no sample is left to train with.
    """
    sizes = [_size(count, validation, "validation"), _size(count, held_out, "held_out")]
    if sum(sizes) >= count:
        raise ConfigError(
            f"data: validation {validation} and held_out {held_out} leave none of the {count} "
            "samples to train with. Lower them."
        )
    if seed is None:
        order = torch.arange(count)
    else:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    train, for_validation, for_test = torch.split(order, [count - sum(sizes), *sizes])
    return train, for_validation, for_test


def _size(count: int, size: float | None, key: str) -> int:
    """Return a number of samples; a share is rounded, and at least one sample."""
    if size is None:
        return 0
    if isinstance(size, (int, float)) and 0 < size < 1:
        return max(1, round(count * size))
    if type(size) is not int or size < 1:
        raise ConfigError(
            f"data.{key}: {size!r} is neither a number of samples nor a share of them. Set it, for "
            "example, to 0.1."
        )
    return size
