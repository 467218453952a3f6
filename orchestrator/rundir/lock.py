"""The lock of a run: it is held as long as any process of an attempt lives.

All processes of the attempt inherit the descriptor. Process IDs, timestamps and heartbeats are never
consulted. It consists of two locks of the kernel, because between hosts some file systems share only
one of them: an ``flock(2)``, and a lock of the open file description, ``F_OFD_SETLK`` of fcntl(2).
Both belong to the open file, so a file system that makes one of the other sees no conflict.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.identity_file import MOVE_AWAY, unusable

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE: Final = 0.001
_FLOCK: Final = "hhqqi4x"  # struct flock of fcntl(2): l_type, l_whence, l_start, l_len, l_pid


class RunLock:
    """The lock file, which is created with the run directory and never removed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Open the file and return its descriptor, which is not locked yet.

        Raises:
            FileNotFoundError: The run directory is gone.
            RunDirectoryError: The file is missing, so that it is unknown whether the run is live, or
                it is something else, which is left unchanged.
        """
        return self._open(os.O_RDWR)

    def take(self, descriptor: int) -> bool:
        """Lock a descriptor of the file; return False if a process of an attempt lives."""
        from filelock import lock_descriptor  # noqa: PLC0415 # slow, and not needed to plan

        while not lock_descriptor(descriptor, blocking=False):
            # ``is_held`` of another process holds a shared lock for microseconds.
            if self.is_held():
                return False
            time.sleep(_PAUSE)
        if _take_range(descriptor):
            return True
        # Another host holds it, and its flock does not reach this one.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False

    def is_held(self) -> bool:
        """Return whether a process of an attempt lives.

        It takes a shared lock and releases it at once; therefore ``take`` tries more than once.

        Raises:
            RunDirectoryError: As for ``open``.
        """
        try:
            descriptor = self._open(os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return _is_range_taken(descriptor)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    def is_of(self, descriptor: int) -> bool:
        """Return whether the file is still the one that a descriptor was opened for.

        It is not if the directory was removed, moved or recreated meanwhile.
        """
        try:
            named = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # unknown: the error says nothing about the directory
        return os.path.samestat(named, os.fstat(descriptor))

    @staticmethod
    def is_lost(descriptor: int) -> bool:
        """Return whether the server of a network file system no longer knows a lock taken here.

        A host that was cut off for long comes back without its locks: then reading such a descriptor
        fails, while other files work again. Another host may have taken them.
        """
        try:
            os.pread(descriptor, 1, 0)
        except OSError:
            return True
        return False

    def _open(self, mode: int) -> int:
        path, mode = self.path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            try:
                descriptor = os.open(path, mode)
            except PermissionError:  # another user's; a read-only descriptor can be locked, too
                descriptor = os.open(path, mode & ~os.O_RDWR | os.O_RDONLY)
        except FileNotFoundError:
            if not path.parent.exists():
                raise
            raise RunDirectoryError(
                f"{path}: it is missing, so a live process of the run cannot be detected."
                f" If no process of it is live, run: touch {path}"
            ) from None
        except OSError as error:
            raise unusable(path, error) from None
        found = os.fstat(descriptor)
        # A second name of an empty file comes from a backup with hard links; a file with content is
        # not a lock file.
        if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and found.st_size):
            os.close(descriptor)
            raise RunDirectoryError(f"{path}: it is not a lock file. {MOVE_AWAY}")
        return descriptor


def _take_range(descriptor: int) -> bool:
    """Lock all bytes of a file; return False if another open file holds an exclusive lock on some.

    Where that is impossible (a descriptor for reading only, a file system without such locks), the
    ``flock`` has to do.
    """
    with suppress(OSError):
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _all_bytes(fcntl.F_WRLCK))
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES
            return not _is_range_taken(descriptor)
    return True


def _is_range_taken(descriptor: int) -> bool:
    """Return whether another open file holds an exclusive lock on bytes of a file."""
    with suppress(OSError):
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _all_bytes(fcntl.F_RDLCK))
        return bool(struct.unpack(_FLOCK, found)[0] == fcntl.F_WRLCK)
    return False


def _all_bytes(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
