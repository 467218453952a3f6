"""A stand-in for NVIDIA's management library: GPUs whose memory is kept in files, per process.

``$GPU_STAND_IN`` is a folder with a folder per GPU, named by its UUID. ``total`` in it has its bytes, and
each other file is named by a process and has what that uses. ``allocate`` is what a program of a test
calls instead of CUDA; like that, it refuses what is not there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace


class NVMLError(Exception):
    """The library's own error."""


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818 # as the library names it
    """What it says of a card that cannot answer."""


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises."""


def nvmlInit() -> None:  # noqa: N802 # as the library names it
    """Find no driver without the folder."""
    if "GPU_STAND_IN" not in os.environ:
        raise NVMLError


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(_cards())


def nvmlDeviceGetHandleByIndex(number: int) -> Path:  # noqa: N802
    return _cards()[number]


def nvmlDeviceGetHandleByUUID(uuid: str) -> Path:  # noqa: N802
    return Path(os.environ["GPU_STAND_IN"], uuid)


def nvmlDeviceGetUUID(card: Path) -> str:  # noqa: N802
    return card.name


def nvmlDeviceGetName(_: Path) -> str:  # noqa: N802
    return "stand-in"


def nvmlDeviceGetMemoryInfo(card: Path) -> SimpleNamespace:  # noqa: N802
    total = int((card / "total").read_text())
    return SimpleNamespace(total=total, free=total - sum(_used(card).values()))


def nvmlDeviceGetComputeRunningProcesses(card: Path) -> list[SimpleNamespace]:  # noqa: N802
    return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in _used(card).items()]


def nvmlDeviceGetMPSComputeRunningProcesses(_: Path) -> list[SimpleNamespace]:  # noqa: N802
    return []


def allocate(size: int) -> None:
    """Let this process use as much of its GPU, or raise PyTorch's error."""
    card = nvmlDeviceGetHandleByUUID(os.environ["CUDA_VISIBLE_DEVICES"])
    with (card / "total").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = sum(used for pid, used in _used(card).items() if pid != os.getpid())
        if others + size > int((card / "total").read_text()):
            raise OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size} bytes.")
        whole = card / f".{os.getpid()}"
        whole.write_text(str(size))
        whole.replace(card / str(os.getpid()))


def _cards() -> list[Path]:
    return sorted(Path(os.environ["GPU_STAND_IN"]).glob("GPU-*"))


def _used(card: Path) -> dict[int, int]:
    """Return what live processes use; memory is free once its process has ended."""
    found = {}
    for path in card.iterdir():
        if path.name.isdecimal() and _is_live(path.name):
            found[int(path.name)] = int(path.read_text())
    return found


def _is_live(pid: str) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
