"""NVML is loaded once, where there is a driver; the library itself is stood in for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from orchestrator.runner.nvml_library import memory_by_process, nvml_library


class FakeNvmlError(Exception):
    """The library's own error."""


@pytest.fixture(autouse=True)
def _library_anew() -> Iterator[None]:
    nvml_library.cache_clear()
    yield
    nvml_library.cache_clear()


def load(
    monkeypatch: pytest.MonkeyPatch,
    *processes: SimpleNamespace,
    works: bool = True,
    clients: Callable[[], list[SimpleNamespace]] = list,
) -> None:
    def init() -> None:
        if not works:
            raise FakeNvmlError

    def handle(uuid: str) -> str:
        if uuid != "GPU-0":
            raise FakeNvmlError
        return uuid

    fake = SimpleNamespace(
        NVMLError=FakeNvmlError,
        nvmlInit=init,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetComputeRunningProcesses=lambda _: processes,
        nvmlDeviceGetMPSComputeRunningProcesses=lambda _: clients(),
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)


def test_memory_of_each_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes whose memory the driver hides, as in a container, are left out."""
    load(
        monkeypatch,
        SimpleNamespace(pid=7, usedGpuMemory=70),
        SimpleNamespace(pid=8, usedGpuMemory=None),
    )
    assert memory_by_process("GPU-0") == {7: 70}
    assert memory_by_process("GPU-1") is None
    assert memory_by_process(None) is None


def test_clients_of_mps_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver lists them apart from others; one that is old does not know them."""
    load(
        monkeypatch,
        SimpleNamespace(pid=7, usedGpuMemory=70),
        clients=lambda: [SimpleNamespace(pid=9, usedGpuMemory=90)],
    )
    assert memory_by_process("GPU-0") == {7: 70, 9: 90}

    def is_old() -> list[SimpleNamespace]:
        raise FakeNvmlError

    nvml_library.cache_clear()
    load(monkeypatch, SimpleNamespace(pid=7, usedGpuMemory=70), clients=is_old)
    assert memory_by_process("GPU-0") == {7: 70}


def test_machine_without_a_driver_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    load(monkeypatch, works=False)
    assert nvml_library() is None
    assert memory_by_process("GPU-0") is None
