"""The lock of a run: an ``flock(2)`` that is held as long as any process of an attempt lives.

All processes of the attempt inherit the descriptor. Process IDs, timestamps and heartbeats are never
consulted.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.identity_file import MOVE_AWAY, unusable

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE: Final = 0.001


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
        return True

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
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

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
