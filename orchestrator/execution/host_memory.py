"""The memory of this machine, or of the container that this process is in."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

_MEMINFO: Final = Path("/proc/meminfo")
_CGROUP: Final = Path("/sys/fs/cgroup")
_KIB: Final = 1024
_PART: Final = 0.1


def is_scarce(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> bool:
    """Return whether less than a tenth of the memory is left; False if that cannot be read."""
    return _is_full(meminfo) or _is_limit_reached(cgroup)


def _is_full(meminfo: Path) -> bool:
    found = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in {"MemTotal", "MemAvailable"}:
                found[name] = int(rest.split()[0]) * _KIB
    return len(found) > 1 and found["MemAvailable"] < _PART * found["MemTotal"]


def _is_limit_reached(cgroup: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        limit = int((cgroup / "memory.max").read_text())  # "max" without a limit
        used = int((cgroup / "memory.current").read_text())
        for line in (cgroup / "memory.stat").read_text().splitlines():
            name, _, size = line.partition(" ")
            used -= int(size) if name == "inactive_file" else 0  # of the cache, which gives way
        return limit - used < _PART * limit
    return False
