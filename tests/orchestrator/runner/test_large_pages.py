"""Memory is gathered into large pages, and holds what it held."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GATHERED = """\
import re
from pathlib import Path
from orchestrator.runner.large_pages import gather

def large():
    return int(re.search(r"AnonHugePages: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

content = bytes(range(256)) * 4096
held = [bytearray(content) for _ in range(64)]
before = large()
gather()
assert all(each == content for each in held)
print(large() - before)
"""


def knows_how(*version: int) -> bool:
    """Tell whether the kernel is as new as that."""
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= version


def told_by(script: str) -> list[int]:
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return [int(number) for number in told.stdout.split()]


@pytest.mark.skipif(
    not knows_how(6, 1) or not SWITCH.exists() or "[never]" in SWITCH.read_text(),
    reason="this kernel has no large pages, or none on request",
)
def test_memory_is_gathered_into_large_pages_and_holds_what_it_held() -> None:
    """Most of 64 MB, in a process of its own."""
    assert told_by(GATHERED)[0] > 32 * 1024
