"""Open slots: those that are free and whose GPU is not filled by other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.execution.allotment import Allotment
from orchestrator.execution.events import Blocked
from orchestrator.execution.slots import shares_gpu

if TYPE_CHECKING:
    from orchestrator.execution.live_attempts import Attempts
    from orchestrator.execution.protocols import Board, Resources
    from orchestrator.execution.slots import Slot


class OpenSlots:
    """Asks the gate about each slot, and reports each that becomes blocked, once."""

    def __init__(self, resources: Resources, attempts: Attempts, board: Board) -> None:
        self.allotment = Allotment(resources, board)
        self._gate = resources.gate
        self._attempts = attempts
        self._board = board
        self._blocked: set[Slot] = set()

    def find(self, orphans: int) -> list[Slot]:
        """Return the slots that can take a run now; ``orphans`` is the number of orphaned runs."""
        if len(self._attempts) + orphans >= len(self.allotment):
            return []
        open_slots = []
        for slot in self.allotment.slots:
            if why := self._obstacle(slot):
                if slot not in self._blocked:
                    self._board.show(Blocked(slot, why))
                self._blocked.add(slot)
            else:
                self._blocked.discard(slot)
                open_slots.append(slot)
        return open_slots[: self._attempts.may_begin]

    def _obstacle(self, slot: Slot) -> str:
        if self._gate is None or slot.gpu is None or slot in self._attempts:
            return ""
        is_taken = shares_gpu(slot, self._attempts.busy)
        told = (self._gate.obstacle(gpu, is_taken=is_taken) for gpu in slot.gpus)
        return next(filter(None, told), "")
