"""The limit of slots: how many runs may be executed at once, and in which slots; it changes on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.execution.events import ControlFailed, Controlled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.execution.protocols import Board, Resources
    from orchestrator.execution.slots import Slot
    from orchestrator.rundir.control_file import ControlRequest


class Allotment:
    """The slots that runs may take; what a request takes away, live runs keep until they end."""

    def __init__(self, resources: Resources, board: Board) -> None:
        self._requests = resources.requests
        self._grow = resources.grow
        self._board = board
        self._slots = resources.slots
        self._without: frozenset[int] = frozenset()
        self._is_paused = self._is_changed = False
        self.is_packed = resources.packing is not None  # and the user has not said how many

    def __len__(self) -> int:
        """Return how many runs may be executed at once."""
        return 0 if self._is_paused else len(self.slots)

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots in which runs may start, but for a pause."""
        without = self._without
        return [slot for slot in self._slots if not without & {gpu.number for gpu in slot.gpus}]

    @property
    def note(self) -> str:
        """What was changed, for the board; empty if nothing was."""
        return describe(self.state) if self._is_changed else ""

    @property
    def state(self) -> Controlled:
        """The state of now, as an event."""
        return Controlled(len(self._slots), self._is_paused, tuple(sorted(self._without)))

    def look(self) -> None:
        """Apply what was requested since the last look, and show it."""
        requests, damage = self._requests()
        if damage:
            self._board.show(ControlFailed(damage))
        for request in requests:
            self._apply(request)
        if requests:
            self._is_changed = True
            self._board.show(self.state)

    def _apply(self, request: ControlRequest) -> None:
        if request.workers is not None and self._grow is not None:
            self._slots, self.is_packed = self._grow(request.workers), False
        if request.paused is not None:
            self._is_paused = request.paused
        self._without = (self._without | {*request.without_gpus}) - {*request.with_gpus}


def describe(state: Controlled) -> str:
    """Return what holds now, on one line."""
    workers = f"{state.workers} worker{'' if state.workers == 1 else 's'}"
    without = ", ".join(map(str, state.without_gpus))
    parts = ["paused"] if state.is_paused else []
    return ", ".join([*parts, workers, *([f"without GPU {without}"] if without else [])])
