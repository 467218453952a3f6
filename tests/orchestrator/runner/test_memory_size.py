"""The memory size is at least what the machine has free."""

from pathlib import Path

from orchestrator.runner import memory_size


def test_memory_is_that_of_the_kernel_with_swap() -> None:
    """Its own memory is not part of what it reports."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    kilobytes = {name: int(size) for name, size, *_ in lines}
    total = 1024 * (kilobytes["MemTotal:"] + kilobytes["SwapTotal:"])
    assert 0.9 * total < memory_size.measure() < 1.1 * total
