"""A user's module, in the folder that orch is called in, that kills everything once."""

import os
import signal
from pathlib import Path
from typing import Any


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children_of(pid: int) -> list[int]:
    """Return the children of a process."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdecimal() and parent_of(int(path.name)) == pid:
                found.append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


class KillEverything:
    """Kills the orchestrator and all below it, itself last, at an iteration of the first attempt."""

    def __init__(self, at: int, seed: int) -> None:
        self.at = at
        self.seed = seed

    def cb_on_iteration_begin(self, _trainer: Any, iteration: int) -> None:
        """Kill at the place of this run, the second time there is one before."""
        if iteration != self.at or os.environ["ORCH_ATTEMPT"] != "1" or self.seed != 1:
            return
        runner = os.getppid()
        keeper = parent_of(runner)
        orchestrator = parent_of(parent_of(keeper))
        for pid in (orchestrator, *children_of(orchestrator), keeper, runner, os.getpid()):
            os.kill(pid, signal.SIGKILL)
