"""Owns how samples that come in one piece are split into parts for training and evaluation."""

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
        validation: The number of samples to validate with, or below 1 their share; `None` if there
            are others for that.
        held_out: The same for the test.
        seed: Shuffles the samples before they are split, always in the same way; `None` keeps
            their order, so that the last ones are the test's.

    Raises:
        ConfigError: If a number is not above 0, or nothing is left to train with.
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
    """Return a number of samples; of a share it is one at least."""
    if size is None:
        return 0
    if isinstance(size, (int, float)) and 0 < size < 1:
        return max(1, round(count * size))
    if type(size) is not int or size < 1:
        raise ConfigError(
            f"data.{key}: {size!r} is no number of samples, and no share of them. Set it, for "
            "example 0.1."
        )
    return size
