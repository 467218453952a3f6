"""The claim of one process on a run directory: two would overwrite each other's files."""

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
    """Keep other processes from training in a folder, which is created if it is missing.

    It is a POSIX lock: it belongs to this process alone, not to loader workers that are forked from
    it, and is released when this process ends in any way.

    Raises:
        ConfigError: If another process holds it, or the path is not a folder.
        OSError: If the folder or the file cannot be created.
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
                f"{folder.parent}: another process is training this run. Wait until it ends, or stop it."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS_HERE:  # some network file systems have none
                raise
        yield
    finally:
        os.close(descriptor)
