"""The process tree: finds, reaps and signals all descendants of this process, including daemons.

A process group misses processes that called ``setsid``. The kernel reparents the children of a dead
process to the nearest subreaper above it, so all processes of an attempt stay below its runner.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER: Final = 36  # <linux/prctl.h>; Python does not define it
_PF_EXITING: Final = 0x4  # <linux/sched.h>, in the flags of /proc/PID/stat


def adopt_orphans() -> None:
    """Become a subreaper: the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def below(pid: int) -> list[int]:
    """Return the descendants of a process, nearest first; those that start meanwhile may be missed."""
    found = list(_children(pid))
    for child in found:  # it grows while we walk
        found.extend(_children(child))
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, (thread / "children").read_text().split())


def is_gone(pid: int) -> bool:
    """Return whether there is no such process any more, not even one that has ended and was not reaped."""
    return not os.path.exists(f"/proc/{pid}")  # noqa: PTH110 # as a string


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped (SIGSTOP, Ctrl-Z): it does nothing until SIGCONT."""
    with contextlib.suppress(OSError):
        return _stat_of(pid)[0] in (b"T", b"t")
    return False


def is_ending(pid: int) -> bool:
    """Return whether a process has ended, or the kernel is closing its files after it was killed.

    Its children see its pipes closed a moment before they get another parent.
    """
    try:
        return bool(int(_stat_of(pid)[6]) & _PF_EXITING)
    except OSError:
        return True


def age_of(pid: int) -> float:
    """Return how long ago a process was started, in seconds, by a clock that nobody sets.

    Raises:
        OSError: There is no such process.
    """
    started = int(_stat_of(pid)[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def _stat_of(pid: int) -> list[bytes]:
    """Return the fields of ``/proc/PID/stat`` from the state on, behind the name, which may be anything."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def send(number: int) -> None:
    """Send a signal to every descendant of this process."""
    for pid in below(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap(besides: int | None = None) -> bool:
    """Reap children that have ended, except ``besides``; return whether any child is left."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        if ended is None or ended.si_pid == besides:
            return True
        with contextlib.suppress(ChildProcessError):
            os.waitpid(ended.si_pid, 0)


def children() -> list[int]:
    """Return the processes whose parent is this one, those that have ended included."""
    return list(_children(os.getpid()))


@contextlib.contextmanager
def end_of(pid: int) -> Iterator[int]:
    """Open a descriptor that becomes readable when a child of this process has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def exit_code_of(pid: int) -> int:
    """Return the exit code of a child that has ended, negative for a signal; do not reap it."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    if ended is None:
        return 0
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def has_succeeded(pid: int) -> bool:
    """Return whether a child has ended with exit code 0 and was not reaped yet."""
    with contextlib.suppress(ChildProcessError):
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is not None and (ended.si_code, ended.si_status) == (os.CLD_EXITED, 0)
    return False
