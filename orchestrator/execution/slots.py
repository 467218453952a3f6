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
    """A place for one run; ``environment`` holds the variables that its attempts get.

    ``gpus`` are all GPUs of a run that takes several, and ``gpu`` is the first of them. Two slots have
    all of their GPUs in common, or none.
    """

    number: int
    environment: Mapping[str, str] = field(default_factory=dict, compare=False)
    gpu: Gpu | None = None
    gpus: tuple[Gpu, ...] = field(default=(), compare=False)


def make_slots(
    count: int,
    gpus: Sequence[Gpu] = (),
    environment: Mapping[str, str] | None = None,
    *,
    per_run: int = 1,
) -> tuple[Slot, ...]:
    """Return ``count`` slots, spread over groups of ``per_run`` GPUs, if there are any.

    A group has neighbouring numbers; GPUs that make no whole group are left out.
    ``environment`` holds the variables that the attempts in all of them get.
    """
    starts = range(0, len(gpus) - per_run + 1, per_run)
    groups = [tuple(gpus[start : start + per_run]) for start in starts]
    slots = []
    for number in range(count):
        group = groups[number % len(groups)] if groups else ()
        own = {"ORCH_SLOT": str(number)}
        if group:
            own["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.uuid for gpu in group)
        slots.append(Slot(number, {**(environment or {}), **own}, next(iter(group), None), group))
    return tuple(slots)


def count_slots(
    workers: int | None, gpus: int, processors: int, per_run: int = 1, per_gpu: int = 1
) -> int:
    """Return how many runs are executed at once: as asked for, or else ``per_gpu``, or one per CPU.

    Where a run takes several, one per as many of them.
    """
    return workers or gpus // per_run * per_gpu or max(1, processors // per_run)


def shares_gpu(slot: Slot, busy: Collection[Slot]) -> bool:
    """Return whether a run in another slot uses the same GPU."""
    return slot.gpu is not None and any(other.gpu == slot.gpu and other != slot for other in busy)
