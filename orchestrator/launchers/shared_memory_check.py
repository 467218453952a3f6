"""Shared memory: whether the machine has enough for the batches of PyTorch's loader workers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.grid.config_values import Value

_PLACE: Final = "/dev/shm"  # noqa: S108 # nothing is written here
_LITTLE: Final = 64 << 20  # bytes, Docker's default


def lack_of_shared_memory(configs: Iterable[Mapping[str, Value]], place: str = _PLACE) -> str:
    """Return a one-line warning that loader workers may hang; an empty string if they will not."""
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
        f"{place} has {size >> 20} MiB: loader workers (dataloader.num_workers) that fill it hang or"
        " die of SIGBUS. Give the container more (docker run --shm-size=1g), set"
        " dataloader.num_workers=0, or end runs that hang with --no-progress"
    )


def _has_workers(config: Mapping[str, Value]) -> bool:
    loader = config.get("dataloader")
    workers = loader.get("num_workers") if isinstance(loader, dict) else None
    return isinstance(workers, int) and workers > 0
