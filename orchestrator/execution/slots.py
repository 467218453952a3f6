"""Slots: places for one run each, a share of a GPU or of the processors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card; ``number`` is NVML's, ``memory`` in bytes (0: it shares the processor's)."""

    number: int
    uuid: str
    name: str
    memory: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one run; ``environment`` is what an attempt in it gets to see."""

    number: int
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    gpu: Gpu | None = None


def make_slots(
    count: int, gpus: Sequence[Gpu] = (), environment: Mapping[str, str] | None = None
) -> tuple[Slot, ...]:
    """Return so many slots, spread over the GPUs, if there are any.

    ``environment`` is what the attempts in all of them get to see.
    """
    slots = []
    for number in range(count):
        gpu = gpus[number % len(gpus)] if gpus else None
        own = {"CUDA_VISIBLE_DEVICES": gpu.uuid} if gpu else {}
        slots.append(Slot(number, {**(environment or {}), **own}, gpu))
    return tuple(slots)


def shares_gpu(slot: Slot, busy: Collection[Slot]) -> bool:
    """Tell whether a run in another slot uses the same GPU."""
    return slot.gpu is not None and any(other.gpu == slot.gpu and other != slot for other in busy)
