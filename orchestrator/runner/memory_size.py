"""The memory size: how much memory the machine has at all, including swap space."""

from __future__ import annotations

import contextlib
import os
import re


def measure() -> float:
    """Return the memory of this machine in bytes, including swap space; 0 if it is not known."""
    with contextlib.suppress(OSError, ValueError):
        total: float = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with contextlib.suppress(OSError), open("/proc/meminfo", "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            swap = re.search(rb"SwapTotal: +(\d+) kB", file.read())
            total += int(swap[1]) * 1024 if swap else 0
        return total
    return 0
