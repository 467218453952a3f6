"""The lock of a run: held by the kernel for as long as any process of an attempt lives.

The descriptor is inherited by all processes of the attempt. No pid, clock or heartbeat is asked:
none of them can be as right as ``flock(2)`` is.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.durable import is_shortage
from orchestrator.rundir.verify_config import MEND

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE: Final = 0.001


class RunLock:
    """The file that is locked; it is made with the run directory, and never removed from it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> int:
        """Open the file and return its descriptor, which is not locked yet.

        Raises:
            FileNotFoundError: The run directory is gone.
            RunDirectoryError: Something else stands under this name, which is left alone; or
                nothing does, and nobody can know whether the run lives.
        """
        return self._open(os.O_RDWR)

    def take(self, descriptor: int) -> bool:
        """Lock a descriptor of the file; False: a process of an attempt lives."""
        from filelock import lock_descriptor  # noqa: PLC0415 # only who takes locks pays for it

        while not lock_descriptor(descriptor, blocking=False):
            # Who only looks whether a run lives shares the lock for microseconds; an attempt does not.
            if self.is_held():
                return False
            time.sleep(_PAUSE)
        return True

    def is_held(self) -> bool:
        """Tell whether a process of an attempt lives.

        The answer comes from asking for a shared lock, which is given back at once; whoever takes
        the lock for an attempt therefore asks more than once.

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
        """Tell whether the file still is the one that a descriptor was opened for.

        It is not where the directory was removed, moved away or made anew meanwhile.
        """
        try:
            named = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # the disk does not answer: that says nothing about the directory
        return os.path.samestat(named, os.fstat(descriptor))

    def _open(self, mode: int) -> int:
        path, mode = self.path, mode | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            try:
                descriptor = os.open(path, mode)
            except PermissionError:  # of another user; to be locked it need not be written
                descriptor = os.open(path, mode & ~os.O_RDWR | os.O_RDONLY)
        except FileNotFoundError:
            if not path.parent.exists():
                raise
            raise RunDirectoryError(
                f"{path}: it is missing, so nobody can tell whether this run is being worked on."
                f" If no process of it lives: touch {path}"
            ) from None
        except OSError as error:
            if is_shortage(error):
                raise
            raise RunDirectoryError(f"{path}: {error.strerror}. {MEND}") from None
        found = os.fstat(descriptor)
        # A second name of an empty file is what a backup by hard links makes; of one with content,
        # it is somebody else's file.
        if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and found.st_size):
            os.close(descriptor)
            raise RunDirectoryError(f"{path}: it is not a regular file of its own. {MEND}")
        return descriptor
