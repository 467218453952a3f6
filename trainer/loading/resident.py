"""Resident data sets: tensors that are moved to the GPU if they take little of its free memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

# The share of the GPU's free memory that one part of the data may take: other runs may share the GPU.
MOST: Final = 0.1


def free_on(device: torch.device) -> int:
    """Return how many bytes are free on a GPU; 0 for other devices."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def brought_if_small(
    tensors: Sequence[Tensor],
    device: torch.device,
    free: Callable[[torch.device], int] = free_on,
) -> list[Tensor]:
    """Return tensors moved to a device if together they take little of its memory, or else unchanged."""
    size = sum(each.nbytes for each in tensors if each.device != device)
    if device.type == "cpu" or size > MOST * free(device):
        return [*tensors]
    return [each.to(device) for each in tensors]
