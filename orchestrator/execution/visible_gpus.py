"""The GPUs of this machine, as NVML sees them, and which of them a command may use.

Only ``Nvml`` talks to the driver; everything else works on values. A GPU is known by its UUID:
indices change with the order in which CUDA enumerates the devices.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from orchestrator.errors import UsageError
from orchestrator.execution.slots import Gpu
from orchestrator.runner import process_tree
from orchestrator.runner.nvml_library import compute_processes, memory_by_process, nvml_library

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

ALL: Final = "all"
NO_GPUS: Final = "none"
_GIB: Final = 1 << 30
# A GPU that others use is full below this share of free memory, if the config does not set one.
_LEAST_SHARE: Final = 0.1
_BETWEEN_LOOKS: Final = 1.0
_UNKNOWN_DISTANCE: Final = 1000  # all levels of NVML are less


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a GPU at one moment: free memory in bytes, and the processes that compute on it."""

    free: int
    processes: frozenset[int]


class Gpus(Protocol):
    """What this package has to know about GPUs; ``Nvml``, or a fake of it."""

    def found(self) -> tuple[Gpu, ...]:
        """Return the GPUs of this machine, by index; none without a driver."""

    def use(self, gpu: Gpu) -> Use | None:
        """Return the use of a GPU now, or None if the driver does not report it."""

    def memory_by_process(self, uuid: str | None) -> Mapping[int, int] | None:
        """Return the bytes that each process uses on a GPU, or None if the driver does not report it."""

    def distance(self, one: Gpu, other: Gpu) -> int:
        """Return how far two GPUs are from each other: 0 if NVLink connects them."""


class Nvml:
    """The GPUs as NVIDIA's management library reports them."""

    def found(self) -> tuple[Gpu, ...]:
        """Return the GPUs of this machine, by index; none without a driver."""
        nvml = nvml_library()
        if nvml is None:
            return ()
        found = []
        with contextlib.suppress(nvml.NVMLError):
            for number in range(nvml.nvmlDeviceGetCount()):
                with contextlib.suppress(nvml.NVMLError):  # a lost GPU does not count
                    found.append(self._describe(nvml, number))
        return tuple(found)

    def use(self, gpu: Gpu) -> Use | None:
        """Return the use of a GPU now, or None if the driver does not report it."""
        nvml = nvml_library()
        if nvml is None:
            return None
        with contextlib.suppress(nvml.NVMLError):
            device = nvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
            processes = compute_processes(nvml, device)
            return Use(
                int(nvml.nvmlDeviceGetMemoryInfo(device).free),
                frozenset(int(process.pid) for process in processes),
            )
        return None

    def memory_by_process(self, uuid: str | None) -> dict[int, int] | None:
        """Return the bytes that each process uses on a GPU, or None if the driver does not report it."""
        return memory_by_process(uuid)

    def distance(self, one: Gpu, other: Gpu) -> int:
        """Return how far two GPUs are from each other: 0 if NVLink connects them.

        Otherwise it is NVML's level of what connects them, from a PCIe switch to other sockets; more than that if the
        driver does not tell.
        """
        nvml = nvml_library()
        if nvml is None:
            return _UNKNOWN_DISTANCE
        try:
            pair = [nvml.nvmlDeviceGetHandleByUUID(gpu.uuid) for gpu in (one, other)]
            with contextlib.suppress(nvml.NVMLError):
                status = nvml.nvmlDeviceGetP2PStatus(*pair, nvml.NVML_P2P_CAPS_INDEX_NVLINK)
                if status == nvml.NVML_P2P_STATUS_OK:
                    return 0
            return 1 + int(nvml.nvmlDeviceGetTopologyCommonAncestor(*pair))
        except nvml.NVMLError:
            return _UNKNOWN_DISTANCE

    @staticmethod
    def _describe(nvml: Any, number: int) -> Gpu:  # noqa: ANN401 # the library has no types
        device = nvml.nvmlDeviceGetHandleByIndex(number)
        uuid, name = nvml.nvmlDeviceGetUUID(device), nvml.nvmlDeviceGetName(device)
        memory = 0
        with contextlib.suppress(nvml.NVMLError_NotSupported):
            memory = int(nvml.nvmlDeviceGetMemoryInfo(device).total)
        return Gpu(number, str(uuid), str(name), memory)


def choose(found: Sequence[Gpu], wanted: str | None, visible: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that runs may use.

    Args:
        found: The GPUs of this machine.
        wanted: ``all``, ``none``, or indices and UUIDs separated by commas; None for all.
        visible: The value of ``CUDA_VISIBLE_DEVICES``, which limits what ``all`` means.

    Raises:
        UsageError: There is no such GPU.
    """
    if wanted in (NO_GPUS, ""):  # an empty list in a config
        return ()
    allowed = found if visible is None else tuple(_named(found, visible))
    if wanted is None:
        return tuple(allowed)
    if wanted == ALL:
        if not allowed:
            raise UsageError("--gpus all: no GPU was found on this machine. Use --gpus none.")
        return tuple(allowed)
    chosen = tuple(_named(found, wanted))
    names = [part.strip() for part in wanted.split(",")]
    if len(chosen) != len(names):
        raise UsageError(f"--gpus {wanted}: not all of them exist. {_list(found)}")
    return chosen


def refuse_missing(
    found: Sequence[Gpu], option: str, numbers: Collection[int], may_exist: Callable[[int], bool]
) -> None:
    """Make sure that GPUs exist, as far as that can be known.

    Args:
        found: The GPUs of this machine.
        option: The option that names the others.
        numbers: The numbers that it names.
        may_exist: Whether there may be a GPU that the driver does not report, as one that it has lost.

    Raises:
        UsageError: There is no such GPU.
    """
    for number in numbers:
        if all(gpu.number != number for gpu in found) and not may_exist(number):
            raise UsageError(f"{option} {number}: there is no such GPU. {_list(found)}")


def _list(found: Sequence[Gpu]) -> str:
    known = ", ".join(f"{gpu.number} ({gpu.name})" for gpu in found) or "none"
    return f"This machine has {known}."


def _named(found: Sequence[Gpu], names: str) -> Iterator[Gpu]:
    """Yield GPUs by index or UUID; a prefix of a UUID is enough, as for CUDA."""
    for name in dict.fromkeys(part.strip() for part in names.split(",")):
        for gpu in found:
            if name and (name == str(gpu.number) or gpu.uuid.startswith(name)):
                yield gpu
                break


def obstacle(
    gpu: Gpu, use: Use | None, ours: Collection[int], needed: int | None, *, is_taken: bool
) -> str:
    """Return why no run should start on a GPU now; an empty string if one may.

    Args:
        gpu: The GPU.
        use: Its use; None if unknown, and then a run may start.
        ours: The processes of this orchestrator's runs.
        needed: The memory in bytes that a run needs; None for a tenth of the GPU's.
        is_taken: Whether a run of this orchestrator is on it. If none is, others use all that is
            used, even if their processes are not visible: in a container, and on a desktop.
    """
    if use is None or (is_taken and not use.processes - set(ours)):
        return ""
    least = needed if needed is not None else int(gpu.memory * _LEAST_SHARE)
    if use.free >= least:
        return ""
    return (
        f"GPU {gpu.number}: {use.free / _GIB:.1f} of {gpu.memory / _GIB:.1f} GiB are free,"
        f" other programs use the rest; a run needs {least / _GIB:.1f} GiB"
    )


class GpuGate:
    """Keeps runs off GPUs that other programs have filled; queries each at most once per second.

    Args:
        gpus: The GPUs.
        needed: The memory in bytes that a run needs; None for a tenth of the GPU's.
        servers: Returns processes that use GPUs on behalf of the runs.
    """

    def __init__(
        self, gpus: Gpus, needed: int | None, servers: Callable[[], Collection[int]] = frozenset
    ) -> None:
        self._gpus = gpus
        self._needed = needed
        self._servers = servers
        self._said: dict[Gpu, tuple[float, str]] = {}

    def obstacle(self, gpu: Gpu, *, is_taken: bool) -> str:
        """Return why no run should start on a GPU now; an empty string if one may."""
        moment = time.monotonic()
        at, said = self._said.get(gpu, (-_BETWEEN_LOOKS, ""))
        if moment - at >= _BETWEEN_LOOKS:
            ours = {*process_tree.below(os.getpid()), *self._servers()}
            use = self._gpus.use(gpu)
            said = obstacle(gpu, use, ours, self._needed, is_taken=is_taken)
            self._said[gpu] = moment, said
        return said
