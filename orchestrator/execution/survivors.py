"""Processes of a run that outlived everybody who could hold its lock: found by their environment."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.execution.events import Adopted
from orchestrator.rundir.state import State
from orchestrator.runner import process_tree

if TYPE_CHECKING:
    from orchestrator.execution.protocols import Board
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation

_LASTING: Final = 0.5  # seconds; many stale runs are started one after the other


class Survivors:
    """Knows which runs have processes on this machine, as seen within the last moment."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._told_of: set[RunId] = set()
        self._seen: dict[str, list[int]] = {}
        self._seen_at = -inf

    def hold(self, run: Run, directory: RunDirectory, seen: Observation) -> bool:
        """Tell whether a run has to wait for a process of it, though its lock is free; say so once."""
        pids = self._of(directory) if seen.state is State.STALE else []
        if pids and run.run_id not in self._told_of:
            more = f" and {len(pids) - 1} more" if pids[1:] else ""
            reason = f"process {pids[0]}{more} of attempt {seen.attempts} still lives"
            self._board.show(Adopted(run, reason))
            self._told_of.add(run.run_id)
        return bool(pids)

    def _of(self, directory: RunDirectory) -> list[int]:
        moment = time.monotonic()
        if moment > self._seen_at + _LASTING:
            self._seen, self._seen_at = process_tree.processes_of_runs(), moment
        return self._seen.get(str(directory.path.resolve()), [])
