"""The run that a process belongs to, by its environment, which child processes inherit."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_VARIABLE: Final = b"ORCH_RUN_DIR"
_LOOKS: Final = 10_000  # 1 s in all; what is waited for takes microseconds of a processor
_BETWEEN_LOOKS: Final = 0.0001  # seconds


def run_dir_of(pid: int) -> str:
    """Return the run directory of a process; empty if it belongs to no run.

    Raises:
        OSError: It has ended, or is another user's.
    """
    for variable in _environment(_PROCESSES / str(pid)).split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == _VARIABLE:
            return os.fsdecode(value)
    return ""


def _environment(process: Path) -> bytes:
    """Return the environment that a process was started with.

    While a process executes another program, Linux shows neither environment nor arguments, although
    it has both: it is asked again. The process that started it may already know that it has begun.
    """
    for _ in range(_LOOKS):
        if found := (process / "environ").read_bytes():
            return found
        if (process / "cmdline").read_bytes() or not _has_program(process):
            return b""
        time.sleep(_BETWEEN_LOOKS)
    return b""


def _has_program(process: Path) -> bool:
    """Return whether this is neither a kernel thread nor a process that has ended."""
    with contextlib.suppress(OSError):
        return bool((process / "exe").readlink())
    return False
