"""Slots: places for one run each, a share of a GPU or of the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU; ``number`` is NVML's index, ``memory`` is in bytes (0: it shares that of the CPU)."""

    number: int
    uuid: str
    name: str
    memory: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one run; ``environment`` holds the variables that its attempts get."""

    number: int
    environment: Mapping[str, str] = field(default_factory=dict, compare=False)
    gpu: Gpu | None = None


def make_slots(
    count: int, gpus: Sequence[Gpu] = (), environment: Mapping[str, str] | None = None
) -> tuple[Slot, ...]:
    """Return ``count`` slots, spread over the GPUs, if there are any.

    ``environment`` holds the variables that the attempts in all of them get.
    """
    slots = []
    for number in range(count):
        gpu = gpus[number % len(gpus)] if gpus else None
        own = {"ORCH_SLOT": str(number)}
        if gpu:
            own["CUDA_VISIBLE_DEVICES"] = gpu.uuid
        slots.append(Slot(number, {**(environment or {}), **own}, gpu))
    return tuple(slots)


def count_slots(workers: int | None, gpus: int, processors: int) -> int:
    """Return how many runs are executed at once: as asked for, or else one per GPU, or per CPU."""
    return workers or gpus or processors


def shares_gpu(slot: Slot, busy: Collection[Slot]) -> bool:
    """Return whether a run in another slot uses the same GPU."""
    return slot.gpu is not None and any(other.gpu == slot.gpu and other != slot for other in busy)
