"""Whether the machine has the shared memory through which PyTorch's loader workers pass batches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.grid.config_values import Value

_PLACE: Final = "/dev/shm"  # noqa: S108 # nothing is written here
_LITTLE: Final = 64 << 20  # bytes, what Docker gives a container unasked


def lack_of_shared_memory(configs: Iterable[Mapping[str, Value]], place: str = _PLACE) -> str:
    """Say in one line that loader workers may wait without end; an empty text where they will not."""
    if not any(map(_has_workers, configs)):
        return ""
    try:
        found = os.statvfs(place)
    except OSError:
        return ""
    size = found.f_blocks * found.f_frsize
    if size > _LITTLE:
        return ""
    return (
        f"{place} has {size >> 20} MiB, which loader workers (dataloader.num_workers) may fill: then"
        " they hang, or die of SIGBUS. Give the container more (docker run --shm-size=1g), set"
        " dataloader.num_workers=0, or end runs that hang with --no-progress"
    )


def _has_workers(config: Mapping[str, Value]) -> bool:
    loader = config.get("dataloader")
    workers = loader.get("num_workers") if isinstance(loader, dict) else None
    return isinstance(workers, int) and workers > 0
