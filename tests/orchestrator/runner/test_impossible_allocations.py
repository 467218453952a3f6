"""A program that asked for more memory than there is has failed; one that may get it later is out of memory."""

from __future__ import annotations

import pytest

from orchestrator.runner.failure_classes import Traces, classify

GIB = 2**30
TORCH = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory:"
    " you tried to allocate {} bytes. Error code 12 (Cannot allocate memory)"
)
NUMPY = (
    "numpy._core._exceptions._ArrayMemoryError: Unable to allocate {} for an array with shape (9,)"
)
CUDA = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {}. GPU 0 has a total capacity of 139.72"
    " GiB of which 1.0 GiB is free."
)


def classified(last_line: str, memory: float = 24 * GIB) -> tuple[str, str]:
    """Return the class and the message of a program that ended with an error."""
    trace = (
        f'Traceback (most recent call last):\n  File "train.py", line 1, in <module>\n{last_line}\n'
    )
    failure = classify(1, Traces(trace, machine_memory=memory))
    return failure.kind, failure.message


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        (TORCH.format(24 * 2**40), "24.0 TiB of memory at once, and this machine has 24.0 GiB"),
        (TORCH.format(25 * GIB), "25.0 GiB of memory at once, and this machine has 24.0 GiB"),
        (NUMPY.format("24.0 TiB"), "24.0 TiB of memory at once, and this machine has 24.0 GiB"),
        (NUMPY.format("7. EiB"), "7.0 EiB of memory at once, and this machine has 24.0 GiB"),
        (CUDA.format("24.00 TiB"), "24.0 TiB of memory at once, and the GPU has 139.7 GiB"),
    ],
)
def test_what_is_more_than_all_memory_is_an_error_that_says_so(line: str, needed: str) -> None:
    """It is not retried; what the program said follows."""
    kind, message = classified(line)
    assert kind == "error"
    assert message == f"it needs {needed} in all: {line}"


@pytest.mark.parametrize(
    "line",
    [
        TORCH.format(20 * GIB),
        NUMPY.format("20.0 GiB"),
        CUDA.format("20.00 GiB"),
        CUDA.format("30.00 GiB"),  # more than this machine has, but not the GPU
        "MemoryError",
        "RuntimeError: Unable to allocate 3 things, out of memory",
        "MemoryError: Unable to allocate ... GiB",
    ],
)
def test_what_may_be_free_later_is_a_lack_of_memory(line: str) -> None:
    assert classified(line) == ("out-of-memory", line)


def test_nothing_is_claimed_of_a_machine_whose_memory_is_not_known() -> None:
    assert classified(TORCH.format(24 * 2**40), 0)[0] == "out-of-memory"
