"""The orchestrator and the trainer share no code, and judge alike which lack of memory no retry helps."""

from __future__ import annotations

from itertools import product

import pytest

from orchestrator.runner import impossible_allocations
from trainer import impossible_memory

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
NUMBERS = ("0", "1", "1.00", "7.", "24.0", "1023.99", "25000000000000")
OF_TORCH = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
    " to allocate {} {}. Error code 12 (Cannot allocate memory)"
)
OF_NUMPY = "Unable to allocate {} {} for an array with shape (9,) and data type float64"
OF_CUDA = (
    "CUDA out of memory. Tried to allocate {} {}. GPU 0 has a total capacity of 139.72 GiB of which 1.0"
    " GiB is free. Process 1 has 138 GiB memory in use."
)
OTHERS = (
    "",
    "MemoryError",
    "Unable to allocate 3 things",
    "Unable to allocate . GiB",
    "Unable to allocate ... GiB",
    "Unable to allocate 1.2.3 GiB",
    "Unable to allocate 3 gib for an array",
    "you tried to allocate 24.0 TiB",
    "You tried to allocate 24.0 TiB",
    "Tried to allocate 24.00 TiB. GPU 3 has a total capacity of unknown",
    "HIP out of memory. Tried to allocate 24.00 TiB. GPU 12 has a total capacity of 63.98 GiB of which",
    "Unable to allocate 24.0 TiB\nUnable to allocate 1.0 KiB",
    OF_CUDA.format("24.00", "TiB") + OF_NUMPY.format("1.0", "KiB"),
)
MESSAGES = [
    *(
        each.format(*size)
        for each in (OF_TORCH, OF_NUMPY, OF_CUDA)
        for size in product(NUMBERS, UNITS)
    ),
    *OTHERS,
]


@pytest.mark.parametrize("memory", [0.0, 2.0**10, 24 * 2.0**30, 2.0**60])
def test_both_judge_every_message_alike(monkeypatch: pytest.MonkeyPatch, memory: float) -> None:
    """Whatever the memory of the machine is, also where it is not known."""
    monkeypatch.setattr(impossible_memory, "total_memory", lambda: memory)
    for message in MESSAGES:
        there = impossible_allocations.describe_excess(message, memory)
        assert impossible_memory.describe_excess(RuntimeError(message)) == there, message


def test_table_has_both_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a function that always gives the same one differs."""
    monkeypatch.setattr(impossible_memory, "total_memory", lambda: 24 * 2.0**30)
    said = [impossible_memory.describe_excess(MemoryError(message)) for message in MESSAGES]
    assert 30 < sum(map(bool, said)) < len(MESSAGES) - 30
