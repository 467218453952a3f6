"""Owns which data sets live on the GPU: tensors that take little of what is free there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

# Of the memory that is free on the GPU, what one part of the data may take: other runs may share it.
MOST: Final = 0.1


def free_on(device: torch.device) -> int:
    """Return how many bytes are free on a GPU; none on anything else."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def brought_if_small(
    tensors: Sequence[Tensor],
    device: torch.device,
    free: Callable[[torch.device], int] = free_on,
) -> list[Tensor]:
    """Return tensors on a device if all of them take little of its memory, or else as they are."""
    size = sum(each.nbytes for each in tensors if each.device != device)
    if device.type == "cpu" or size > MOST * free(device):
        return [*tensors]
    return [each.to(device) for each in tensors]
