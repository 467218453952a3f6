"""Owns the claim of one process on a run directory: two would write over each other's files."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from trainer.durable_files import make_folder
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAIM: Final = ".claim"
_NO_LOCKS_HERE: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made if it is not there.

    The lock is one of POSIX: it belongs to this process alone, not to loader workers that are forked
    from it, and is free the moment this process is gone, however it ends.

    Raises:
        ConfigError: If another process has it, or no folder may be there.
        OSError: If the folder or the file cannot be made.
    """
    make_folder(folder)
    descriptor = os.open(
        folder / CLAIM, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
    )
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ConfigError(
                f"{folder.parent}: another process is training this run. Wait for its end, or stop it."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:  # some network file systems have none
                raise
        yield
    finally:
        os.close(descriptor)
