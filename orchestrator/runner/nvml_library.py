"""NVIDIA's management library: the only place that loads it, and what it says of the memory of processes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from typing import Any


@functools.cache
def nvml_library() -> Any:  # noqa: ANN401 # the library has no types
    """Load NVML once per process; return None without a driver."""
    if "pynvml" not in sys.modules and not _is_installed():
        return None
    import pynvml  # noqa: PLC0415 # ten milliseconds

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _is_installed() -> bool:
    """Return whether there is the library of the driver that pynvml loads."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def memory_by_process(uuid: str | None) -> dict[int, int] | None:
    """Return the bytes that each process uses on a GPU, or None if the driver does not report it."""
    nvml = nvml_library()
    if nvml is None or not uuid:
        return None
    with contextlib.suppress(nvml.NVMLError):
        processes = compute_processes(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid))
        # In a container, the driver reports no process, or none with its memory.
        return {int(it.pid): int(it.usedGpuMemory) for it in processes if it.usedGpuMemory}
    return None


def compute_processes(nvml: Any, device: object) -> list[Any]:  # noqa: ANN401 # the library has no types
    """Return the processes that compute on a GPU, those that are clients of MPS included.

    Raises:
        NVMLError: The driver does not report them.
    """
    found = [*nvml.nvmlDeviceGetComputeRunningProcesses(device)]
    with contextlib.suppress(nvml.NVMLError):  # old drivers have no such function
        found += nvml.nvmlDeviceGetMPSComputeRunningProcesses(device)
    return found
