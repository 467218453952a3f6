"""Slots: places for one run each, a share of a GPU or of the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


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


def group_gpus(
    gpus: Sequence[Gpu], per_run: int, distance: Callable[[Gpu, Gpu], int] | None = None
) -> list[tuple[Gpu, ...]]:
    """Return groups of ``per_run`` GPUs that are near each other; what makes no whole group is left out.

    The nearest ones become groups first, and of those that are equally near the first ones. Without ``distance``, groups
    are neighbours in the sequence.
    """
    if distance is None or per_run == 1:
        starts = range(0, len(gpus) - per_run + 1, per_run)
        return [tuple(gpus[start : start + per_run]) for start in starts]
    left, groups = list(gpus), []
    while len(left) >= per_run:
        _, group = min(
            (_nearest(first, left, per_run, distance) for first in left), key=itemgetter(0)
        )
        groups.append(group)
        left = [gpu for gpu in left if gpu not in group]
    return sorted(groups, key=lambda group: gpus.index(group[0]))


def _nearest(
    first: Gpu, others: Sequence[Gpu], size: int, distance: Callable[[Gpu, Gpu], int]
) -> tuple[int, tuple[Gpu, ...]]:
    """Return a group that begins with a GPU, each the nearest to those before it, and all its distances together."""
    total, group = 0, [first]
    while len(group) < size:
        to_all = {
            gpu: sum(distance(each, gpu) for each in group) for gpu in others if gpu not in group
        }
        nearest = min(to_all, key=to_all.__getitem__)
        total += to_all[nearest]
        group.append(nearest)
    return total, tuple(group)


def make_slots(
    count: int,
    gpus: Sequence[Gpu] = (),
    environment: Mapping[str, str] | None = None,
    *,
    per_run: int = 1,
    distance: Callable[[Gpu, Gpu], int] | None = None,
) -> tuple[Slot, ...]:
    """Return ``count`` slots, spread over groups of GPUs (``group_gpus``), if there are any.

    ``environment`` holds the variables that the attempts in all of them get.
    """
    groups, slots = group_gpus(gpus, per_run, distance), []
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
