"""Impossible memory: an allocation that exceeds all the memory there is, which no retry helps."""

from __future__ import annotations

import dis
import os
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

_RAISE: Final = dis.opmap["RAISE_VARARGS"]
OVERCOMMIT: Final = "/proc/sys/vm/overcommit_memory"
UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SIZE: Final = rf"(\d+(?:\.\d*)?) ({'|'.join(UNITS)})"
# As PyTorch and NumPy write it, for this machine and for GPUs.
_OF_MACHINE: Final = rf"(?:you tried to allocate|Unable to allocate) {_SIZE}"
_OF_GPU: Final = rf"Tried to allocate {_SIZE}\. GPU \d+ has a total capacity of {_SIZE}"


def describe_excess(error: BaseException) -> str:
    """Return how much memory an error says was asked for, if there is never as much; else nothing."""
    said = str(error)
    if match := re.search(_OF_GPU, said):
        needed, there, what = _bytes(*match.groups()[:2]), _bytes(*match.groups()[2:]), "the GPU"
    elif match := re.search(_OF_MACHINE, said):
        needed, there, what = _bytes(*match.groups()), total_memory(), "this machine"
    elif type(error) is MemoryError and not said and _is_refusal(error) and never_lends():
        return f"it needs more memory at once than the {_shown(total_memory())} that this machine has in all"
    else:
        return ""
    if not needed > there > 0:
        return ""
    return f"it needs {_shown(needed)} of memory at once, and {what} has {_shown(there)} in all"


def total_memory() -> float:
    """Return the memory of this machine in bytes, including swap space; 0 if it is not known."""
    with suppress(OSError, ValueError):
        total: float = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with suppress(OSError):
            swap = re.search(r"SwapTotal: +(\d+) kB", Path("/proc/meminfo").read_text("ascii"))
            total += int(swap[1]) * 1024 if swap else 0
        return total
    return 0


def _is_refusal(error: MemoryError) -> bool:
    """Return whether an error was not raised by a `raise`, but by an allocation that the system refused."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code.co_code[place.tb_lasti] != _RAISE


def never_lends() -> bool:
    """Return whether the system refuses only what exceeds all memory at once, including swap space.

    Linux lends everything else, and kills where it is missing then, unless it counts strictly, or
    the memory of the process is limited.
    """
    try:
        is_strict = Path(OVERCOMMIT).read_text("ascii").strip() not in ("0", "1")
    except OSError:
        return False
    limits = (resource.RLIMIT_AS, resource.RLIMIT_DATA)
    return not is_strict and all(
        resource.getrlimit(limit)[0] == resource.RLIM_INFINITY for limit in limits
    )


def _bytes(number: str, unit: str) -> float:
    return float(number) * 1024.0 ** UNITS.index(unit)


def _shown(size: float) -> str:
    units = enumerate(UNITS)
    place, unit = next((each for each in units if size < 1024.0 ** (each[0] + 1)), (6, UNITS[6]))
    return f"{size / 1024.0**place:.1f} {unit}"
