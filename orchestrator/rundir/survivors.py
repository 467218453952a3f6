"""Survivors: live processes of runs whose lock nobody holds, found by their environment.

A process may have closed the descriptor of the lock that it inherited, as child processes of Python's
``subprocess`` do. The keeper above it holds the lock then; but the keeper may be killed, too.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from orchestrator.rundir.run_of_process import run_dir_of


class Survivors:
    """The processes on this machine that belong to runs, scanned at the first query.

    One object serves the observation of many runs; a later observation takes a new one.
    """

    def __init__(self) -> None:
        self._by_directory: dict[str, list[int]] | None = None

    def of(self, run_dir: Path) -> tuple[int, ...]:
        """Return the processes of a run, except this process and its ancestors."""
        if self._by_directory is None:
            self._by_directory = _find()
        return tuple(self._by_directory.get(str(run_dir.resolve()), ()))


def _find() -> dict[str, list[int]]:
    """Return the processes of this user that belong to runs, by run directory.

    Child processes inherit the variable, whatever their parent is now and whichever descriptors they
    closed.
    """
    found: dict[str, list[int]] = {}
    own = _above(os.getpid())  # a shell in which a run is debugged is not a process of it
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and int(entry.name) not in own:
                with contextlib.suppress(OSError):  # it is another user's, or gone
                    if run_dir := run_dir_of(int(entry.name)):
                        found.setdefault(run_dir, []).append(int(entry.name))
    return found


def _above(pid: int) -> set[int]:
    """Return a process and its ancestors."""
    found: set[int] = set()
    with contextlib.suppress(OSError, ValueError):
        while pid and pid not in found:
            found.add(pid)
            _, _, rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")
            pid = int(rest.split()[1])
    return found
