"""Processes of a run that outlived everybody who could hold its lock: found by their environment."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import State
from orchestrator.runner import process_tree

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation

_LASTING: Final = 0.5  # seconds; many stale runs are started one after the other


class Survivors:
    """Knows which runs have processes on this machine, as seen within the last moment."""

    def __init__(self) -> None:
        self._seen: dict[str, list[int]] = {}
        self._seen_at = -inf

    def of(self, directory: RunDirectory, seen: Observation) -> str:
        """Say which processes of a run live although its lock is free; nothing where none does."""
        if seen.state is not State.STALE:
            return ""
        moment = time.monotonic()
        if moment > self._seen_at + _LASTING:
            self._seen, self._seen_at = process_tree.processes_of_runs(), moment
        pids = self._seen.get(str(directory.path.resolve()), [])
        if not pids:
            return ""
        more = f" and {len(pids) - 1} more" if pids[1:] else ""
        return f"process {pids[0]}{more} of attempt {seen.attempts} still lives"
