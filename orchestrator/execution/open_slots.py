"""Open slots: those that are free, and whose GPU has room for the run that is to start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.execution.events import Blocked
from orchestrator.execution.slot_limit import Allotment
from orchestrator.execution.slots import shares_gpu

if TYPE_CHECKING:
    from orchestrator.execution.live_attempts import Attempts, Running
    from orchestrator.execution.protocols import Board, Resources
    from orchestrator.execution.scheduler import QueuedRun
    from orchestrator.execution.slots import Gpu, Slot
    from orchestrator.rundir.state import Observation


class OpenSlots:
    """Asks the gate about each slot, and reports each that becomes blocked, once."""

    def __init__(self, resources: Resources, attempts: Attempts, board: Board) -> None:
        self.allotment = Allotment(resources, board)
        self._gate = resources.gate
        self._packing = resources.packing
        self._attempts = attempts
        self._board = board
        self._blocked: set[Slot] = set()

    def find(self, orphans: int, waiting: QueuedRun) -> list[Slot]:
        """Return the slots that can take a run now.

        Args:
            orphans: The number of orphaned runs.
            waiting: The run that is to start.
        """
        if len(self._attempts) + orphans >= len(self.allotment):
            return []
        open_slots = []
        refused = self._refused(waiting)
        for slot in self.allotment.slots:
            if slot.gpu in refused:
                continue
            if why := self._obstacle(slot):
                if not self._is_told(slot):
                    self._board.show(Blocked(slot, why))
                self._blocked.add(slot)
            else:
                self._blocked.discard(slot)
                open_slots.append(slot)
        return open_slots[: self._attempts.may_begin]

    def note_end(self, running: Running, seen: Observation) -> None:
        """Learn what an attempt that has ended used."""
        if self._packing and (run := self._attempts.on_gpu(running, seen.progress)):
            self._packing.note_end(run, seen.status, shared=running.shared)

    def _refused(self, waiting: QueuedRun) -> set[Gpu | None]:
        """Return the GPUs whose runs leave no room for this one."""
        if self._packing is None or not self.allotment.is_packed or waiting.alone:
            return set()  # a run that has to be alone waits for an empty GPU anyway
        live, point = self._attempts.live, waiting.decision.run.overrides
        gpus = {slot.gpu for slot in self.allotment.slots if slot.gpu}
        return {gpu for gpu in gpus if self._packing.refuse(gpu, point, live)}

    def _is_told(self, slot: Slot) -> bool:
        """Return whether the user knows that a slot is blocked; packed ones are many per GPU."""
        if self._packing is None:
            return slot in self._blocked
        return any(other.gpu == slot.gpu for other in self._blocked)

    def _obstacle(self, slot: Slot) -> str:
        if self._gate is None or slot.gpu is None or slot in self._attempts:
            return ""
        is_taken = shares_gpu(slot, self._attempts.busy)
        told = (self._gate.obstacle(gpu, is_taken=is_taken) for gpu in slot.gpus)
        return next(filter(None, told), "")
