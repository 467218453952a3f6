"""Memory is gathered into large pages, and holds what it held."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SCRIPT = """\
import re
from pathlib import Path
from orchestrator.launchers.memory import gather

def large():
    return int(re.search(r"AnonHugePages: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

content = bytes(range(256)) * 4096
held = [bytearray(content) for _ in range(64)]
before = large()
gather()
assert all(each == content for each in held)
print(large() - before)
"""


def knows_how() -> bool:
    """Tell whether the kernel gathers memory when it is asked to."""
    version = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    return version >= (6, 1) and SWITCH.exists() and "[never]" not in SWITCH.read_text()


@pytest.mark.skipif(not knows_how(), reason="this kernel has no large pages, or none on request")
def test_memory_is_gathered_into_large_pages_and_holds_what_it_held() -> None:
    """Most of 64 MB, in a process of its own."""
    command = [sys.executable, "-c", SCRIPT]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(told) > 32 * 1024
