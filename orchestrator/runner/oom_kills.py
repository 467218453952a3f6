"""Kills for memory: whether the kernel may have killed a process of an attempt, because memory ran out.

The kernel does not tell whom it has killed, but how often: on this machine, in any cgroup. Only its kills
shortly before an end can be the cause of it.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Final

_VMSTAT: Final = 1 << 16  # bytes, far more than it has
# How long a killed process may take to end: its memory is freed first, and torchrun ends other ranks.
_WINDOW: Final = 60.0


def count_oom_kills() -> int:
    """Return the number of OOM kills on this machine so far, in any cgroup."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.open("/proc/vmstat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            counts = os.pread(descriptor, _VMSTAT, 0)
        finally:
            os.close(descriptor)
        # Not line by line: every attempt asks.
        _, _, rest = counts.partition(b"\noom_kill ")
        return int(rest.partition(b"\n")[0])
    return 0


class OomKills:
    """Remembers how many there were one to two windows ago, at first when it was made: ``before``."""

    def __init__(self) -> None:
        self.before = self._lately = count_oom_kills()
        self._counted_at = time.monotonic()

    def look(self, moment: float) -> None:
        """Count, if it is time to; to be called about once per second."""
        if moment - self._counted_at >= _WINDOW:
            self.before, self._lately = self._lately, count_oom_kills()
            self._counted_at = moment

    def are_recent(self) -> bool:
        """Return whether there was any within the last window."""
        return count_oom_kills() > self.before
