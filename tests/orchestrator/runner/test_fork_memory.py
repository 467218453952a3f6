"""Memory is gathered into large pages and copied ahead of its use, and holds what it held."""

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
from orchestrator.runner.fork_memory import gather

def large():
    return int(re.search(r"AnonHugePages: +(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

content = bytes(range(256)) * 4096
held = [bytearray(content) for _ in range(64)]
before = large()
gather()
assert all(each == content for each in held)
print(large() - before)
"""
# Forks one process after the other; each writes to pages, and says how many faults that took.
FORKS = """\
import mmap, os, socket
from resource import RUSAGE_SELF, getrusage
from orchestrator.runner.fork_memory import Footprint

PAGES = 4000
held = bytearray(b"1" * mmap.PAGESIZE * PAGES)
footprint = Footprint()
ours, theirs = socket.socketpair()

def fork(pages, then=lambda: None):
    reading, writing = os.pipe()
    if os.fork() == 0:
        footprint.follow(until=theirs)
        before = getrusage(RUSAGE_SELF).ru_minflt
        for page in range(pages):
            held[page * mmap.PAGESIZE] += 1
        faults = getrusage(RUSAGE_SELF).ru_minflt - before
        assert set(held[: pages * mmap.PAGESIZE : mmap.PAGESIZE]) in ({ord("2")}, set())
        assert held.count(b"1") == len(held) - pages
        footprint.leave()
        then()
        os.write(writing, str(faults).encode())
        os._exit(0)
    os.wait()
    os.close(writing)
    print(os.read(reading, 9).decode() or "died")

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


@pytest.mark.skipif(not knows_how(5, 14), reason="this kernel copies nothing on request")
def test_fork_copies_ahead_what_one_before_it_has_written_to() -> None:
    """It has to wait for no page then; which they are is learnt from the first."""
    first, second, third = told_by(FORKS + "for _ in range(3): fork(PAGES)")
    assert first > 3000
    assert second < 100
    assert third < 100


def test_fork_that_writes_little_has_nothing_to_tell() -> None:
    """What it wrote to is not worth the look."""
    told = told_by(FORKS + "fork(1000); fork(1000)")
    assert min(told) > 900


def test_fork_that_has_its_orders_does_not_wait() -> None:
    """What it writes to is copied when it is written to, as ever."""
    told = told_by(FORKS + "fork(PAGES); ours.send(b'!'); fork(PAGES)")
    assert min(told) > 3000


@pytest.mark.parametrize("garbage", ["b'x' * 4096", "b'\\xff' * (1 << 16)"])
def test_whatever_a_fork_does_to_what_is_told_the_next_one_lives(garbage: str) -> None:
    """It copies its pages later, that is all."""
    spoil = f"lambda: footprint._shared.seek(0) or footprint._shared.write({garbage})"
    told = told_by(FORKS + f"fork(PAGES, {spoil}); fork(PAGES)")
    assert len(told) == 2
