"""The scheduler: which run starts next, in which slot. It decides; the engine does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.execution.gpus import Gpu
    from orchestrator.planning.plan import Decision


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one run; ``environment`` is what an attempt in it gets to see."""

    number: int
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    gpu: Gpu | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that is to start: ``alone`` on a GPU, if it ran out of memory beside others."""

    decision: Decision
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A run that starts now, and where."""

    waiting: Waiting
    slot: Slot


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


def assign(
    waiting: Sequence[Waiting], slots: Sequence[Slot], busy: Mapping[Slot, Waiting]
) -> Assignment | None:
    """Return what starts next: the first run that waits, in the first slot that is free for it.

    Runs keep their order. One that has to be alone takes a GPU on which nothing runs; while it
    waits for that nothing else is started, or it might wait for ever.
    """
    if not waiting:
        return None
    crowded = {slot.gpu for slot in busy if slot.gpu is not None}
    taken = {slot.gpu for slot, run in busy.items() if run.alone and slot.gpu is not None}
    refused = crowded if waiting[0].alone else taken
    free = (slot for slot in slots if slot not in busy and slot.gpu not in refused)
    slot = next(free, None)
    return Assignment(waiting[0], slot) if slot else None


def shares_gpu(slot: Slot, busy: Collection[Slot]) -> bool:
    """Tell whether a run in another slot uses the same GPU."""
    return slot.gpu is not None and any(other.gpu == slot.gpu and other != slot for other in busy)
