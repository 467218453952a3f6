"""The GPU meter: the most memory that an attempt has used on its GPUs, and who shares them with it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.run_of_process import run_dir_of
from orchestrator.runner import process_tree
from orchestrator.runner.nvml_library import memory_by_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Usage = Callable[[str], Mapping[int, int] | None]

_BETWEEN: Final = 1.0
# What a process uses besides the memory of PyTorch's allocator: the CUDA context, and its libraries.
CONTEXT: Final = 1 << 30


class GpuMeter:
    """Looks at the GPUs of an attempt, at most once per second.

    Args:
        gpus: Their UUIDs, separated by commas; None or empty if it has none, and nothing is looked at.
        usage: Returns the bytes of each process on a GPU, or None if they are not known.
    """

    def __init__(self, gpus: str | None = None, usage: Usage = memory_by_process) -> None:
        self._gpus = gpus.split(",") if gpus else []
        self._usage = usage
        self._looked_at = 0.0
        self.peak: int | None = None
        self.runs = 1  # on the GPUs, this one included

    def begin(self, moment: float) -> None:
        """Begin: the first look is a second from now, so that short runs do not wait for the driver."""
        self._looked_at = moment

    def look(self, moment: float) -> float:
        """Look, if it is time to; return the seconds since the last look that other runs have taken.

        Of a GPU that N runs share, each has one N-th of the time.
        """
        if not self._gpus:
            return 0.0
        passed = moment - self._looked_at
        if passed < _BETWEEN:
            return 0.0
        self._looked_at = moment
        used = [self._usage(gpu) or {} for gpu in self._gpus]
        own = {os.getpid(), *process_tree.below(os.getpid())}
        known = [size for each in used for pid, size in each.items() if pid in own]
        if known:
            self.peak = max(self.peak or 0, sum(known))
        before, self.runs = self.runs, 1 + count_runs({pid for each in used for pid in each} - own)
        return passed * (1 - 1 / before)


def count_runs(pids: Iterable[int]) -> int:
    """Return the number of runs that processes of this user belong to; those of others do not count."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.add(run_dir_of(pid))
    return len(found - {""})


def combine_peaks(seen: int | None, reserved: int | None) -> int | None:
    """Return the most memory of an attempt, in bytes; None if it is unknown.

    Args:
        seen: The most that was seen, once per second.
        reserved: The most that its program says its allocator has reserved.
    """
    if reserved is None or (seen is not None and seen >= reserved):
        return seen
    return reserved + CONTEXT
