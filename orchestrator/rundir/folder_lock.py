"""Locks on folders and files that every orchestrator takes for a moment: waited for, never in silence."""

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
_SILENCE: Final = (
    1.0  # in seconds: no orchestrator holds such a lock for longer, unless it is stopped
)
_AT_ONCE: Final = 0.3
_SHOWN: Final = 60
_LOCKS: Final = Path("/proc/locks")


class HeldLockError(OSError):
    """Another process holds a lock and does not give it back soon."""


def raise_held(reason: str) -> None:
    """Do not wait: the caller has something else to do meanwhile.

    Raises:
        HeldLockError: Always.
    """
    raise HeldLockError(errno.EAGAIN, reason)


@contextlib.contextmanager
def exclusive(folder: Path, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep other processes out of a folder; the kernel opens the door again when we die.

    Args:
        folder: The folder, which has to be there.
        tell: Told once, after a second, who holds the lock; the wait goes on until a signal's
            handler raises. None: no wait that is worth a word.

    Raises:
        HeldLockError: Without ``tell``: another process does not give the lock back.
        OSError: The folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        take(descriptor, fcntl.LOCK_EX, folder, tell)
        yield
    finally:
        os.close(descriptor)


def is_enforced(folder: Path) -> bool:
    """Tell whether locks on a folder, which the caller holds, keep others out.

    Some file systems grant every lock. What is not seen here is a folder that is reached through two
    mounts which share no locks.
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
        time.sleep(pause)  # in short pieces: flock(2) itself would not let Ctrl-C through
        pause = min(2 * pause, _LONGEST_PAUSE)


def join(path: Path, tell: Callable[[str], None] | None = None) -> bool:
    """Be among the holders of a lock file until this process ends; return whether it is alone there.

    Raises:
        HeldLockError: As for ``exclusive``.
        OSError: The file cannot be made or opened.
    """
    descriptor = _open(path)
    is_alone = _try(descriptor, fcntl.LOCK_EX)
    if not is_alone:  # whoever only looks whether somebody is there holds it for microseconds
        time.sleep(_FIRST_PAUSE)
        is_alone = _try(descriptor, fcntl.LOCK_EX)
    take(descriptor, fcntl.LOCK_SH, path, tell)
    return is_alone


def is_joined(path: Path) -> bool:
    """Tell whether a process is among the holders of a lock file.

    Raises:
        OSError: That cannot be told.
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
    except PermissionError:  # of another user, whose umask lets others read it: that is enough
        return os.open(path, os.O_RDONLY | flags, 0o666)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Name the process that holds a lock, as far as the kernel shows it to us."""
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
