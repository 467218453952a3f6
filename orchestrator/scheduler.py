"""The scheduler: which run starts next, in which slot. It decides; the engine does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.plan import Decision


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one run; ``environment`` is what an attempt in it gets to see."""

    number: int
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A run that starts now, and where."""

    decision: Decision
    slot: Slot


def make_slots(workers: int) -> tuple[Slot, ...]:
    """Return as many slots as there are workers."""
    return tuple(Slot(number) for number in range(workers))


def assign(
    waiting: Sequence[Decision], slots: Sequence[Slot], busy: Collection[Slot]
) -> tuple[Assignment, ...]:
    """Put the runs that wait, in their order, into the slots that are free."""
    free = (slot for slot in slots if slot not in busy)
    return tuple(Assignment(decision, slot) for decision, slot in zip(waiting, free, strict=False))
