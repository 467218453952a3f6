"""The scheduler: decides which run starts next, in which slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.slots import Slot
    from orchestrator.planning.plan import Decision


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that is to start: ``alone`` on a GPU, if it ran out of memory beside others."""

    decision: Decision
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """A run that starts now, and where."""

    waiting: QueuedRun
    slot: Slot


def assign(
    waiting: Sequence[QueuedRun], slots: Sequence[Slot], busy: Mapping[Slot, QueuedRun]
) -> Assignment | None:
    """Return what starts next: the first waiting run, in the first slot that is free for it.

    Runs keep their order. A run that has to be alone takes a GPU on which nothing runs; while it
    waits for one, nothing else starts, or it might wait forever. Of runs that were lost with their job
    one is live at a time: if it ends the job again, it takes no other one with it repeatedly.
    """
    if not waiting or (_is_lost(waiting[0]) and any(map(_is_lost, busy.values()))):
        return None
    crowded = {slot.gpu for slot in busy if slot.gpu is not None}
    taken = {slot.gpu for slot, run in busy.items() if run.alone and slot.gpu is not None}
    refused = crowded if waiting[0].alone else taken
    free = (slot for slot in slots if slot not in busy and slot.gpu not in refused)
    slot = next(free, None)
    return Assignment(waiting[0], slot) if slot else None


def _is_lost(run: QueuedRun) -> bool:
    return run.decision.seen.lost > 0
