"""Impossible allocations: a program that asked for more memory than there is, which no retry helps."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SIZE: Final = rf"(\d+(?:\.\d*)?) ({'|'.join(_UNITS)})"
# As PyTorch and NumPy write it, for the machine and for GPUs.
_OF_MACHINE: Final = rf"(?:you tried to allocate|Unable to allocate) {_SIZE}"
_OF_GPU: Final = rf"Tried to allocate {_SIZE}\. GPU \d+ has a total capacity of {_SIZE}"


def describe_excess(message: str, machine_memory: float) -> str:
    """Return how much memory a message says was asked for, if there is never as much; else nothing.

    Args:
        message: The error message.
        machine_memory: The memory of the machine in bytes; 0 if it is not known.
    """
    if match := re.search(_OF_GPU, message):
        needed, there, what = _bytes(*match.groups()[:2]), _bytes(*match.groups()[2:]), "the GPU"
    elif match := re.search(_OF_MACHINE, message):
        needed, there, what = _bytes(*match.groups()), machine_memory, "this machine"
    else:
        return ""
    if not needed > there > 0:
        return ""
    return f"it needs {_shown(needed)} of memory at once, and {what} has {_shown(there)} in all"


def _bytes(number: str, unit: str) -> float:
    return float(number) * 1024.0 ** _UNITS.index(unit)


def _shown(size: float) -> str:
    units = enumerate(_UNITS)
    place, unit = next((each for each in units if size < 1024.0 ** (each[0] + 1)), (6, _UNITS[6]))
    return f"{size / 1024.0**place:.1f} {unit}"
