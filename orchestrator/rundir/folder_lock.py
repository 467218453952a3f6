"""Folder locks, which every orchestrator holds only briefly; a long wait is reported."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIRST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.05
_SILENCE: Final = 1.0  # seconds; no orchestrator holds a lock for longer, unless it is stopped
_AT_ONCE: Final = 0.3
_SHOWN: Final = 60
_LOCKS: Final = Path("/proc/locks")


class HeldLockError(OSError):
    """Another process holds a lock and does not release it soon."""


def raise_held(reason: str) -> None:
    """Raise instead of waiting: the default of ``exclusive``.

    Raises:
        HeldLockError: Always.
    """
    raise HeldLockError(errno.EAGAIN, reason)


@contextlib.contextmanager
def exclusive(folder: Path, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the exclusive lock of a folder; the kernel releases it if this process dies.

    Args:
        folder: The folder, which has to exist.
        tell: Called once, after a second, with the holder of the lock; the wait continues until a
            signal handler raises. None: the wait ends after 0.3 s.

    Raises:
        HeldLockError: Without ``tell``, another process does not release the lock.
        OSError: The folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        take(descriptor, fcntl.LOCK_EX, folder, tell)
        yield
    finally:
        os.close(descriptor)


def is_enforced(folder: Path) -> bool:
    """Return whether the lock on a folder, which the caller holds, excludes others.

    Some file systems grant every lock. Two mounts of a folder that do not share locks are not
    detected.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return not _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def take(descriptor: int, kind: int, path: Path, tell: Callable[[str], None] | None) -> None:
    """Lock a descriptor of a path; see ``exclusive``."""
    began, pause, told = time.monotonic(), _FIRST_PAUSE, False
    while not _try(descriptor, kind):
        waited = time.monotonic() - began
        if not told and waited > (_AT_ONCE if tell is None else _SILENCE):
            (tell or raise_held)(f"{path}: {_holder(descriptor)} holds its lock")
            told = True
        time.sleep(pause)  # polled: a blocking flock(2) would not be interrupted by Ctrl-C
        pause = min(2 * pause, _LONGEST_PAUSE)


def join(path: Path, tell: Callable[[str], None] | None = None) -> bool:
    """Hold the shared lock of a file until this process ends; return whether nobody else holds it.

    Raises:
        HeldLockError: As for ``exclusive``.
        OSError: The file cannot be created or opened.
    """
    descriptor = _open(path)
    is_alone = _try(descriptor, fcntl.LOCK_EX)
    if not is_alone:  # ``is_joined`` of another process holds it for microseconds
        time.sleep(_FIRST_PAUSE)
        is_alone = _try(descriptor, fcntl.LOCK_EX)
    take(descriptor, fcntl.LOCK_SH, path, tell)
    return is_alone


def is_joined(path: Path) -> bool:
    """Return whether a process holds the shared lock of a file.

    Raises:
        OSError: The file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags, 0o666)
    except PermissionError:  # another user's, readable for others: that is enough
        return os.open(path, os.O_RDONLY | flags, 0o666)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Return a description of the process that holds a lock, if the kernel shows it."""
    inode = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _LOCKS.read_text().splitlines():
            fields = line.split()
            if fields[1:2] == ["FLOCK"] and fields[5].rpartition(":")[2] == inode:
                pid = int(fields[4])
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
                command = printable(words.decode(errors="replace"))
                return (
                    f"process {pid} ({command[:_SHOWN]})" if pid != os.getpid() else "this process"
                )
    return "another process"
