"""Owns how bytes reach the disk: a file is there whole or not at all, and stays."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY = ".tmp"


class NewFile:
    """Write a file under a temporary name; it is there, whole, only once it is given its own.

    `checksum` is the CRC-32 of what was written so far. Used as a context, it leaves nothing
    behind after an error. Large pieces are written and summed without holding up other threads.
    What the disk refuses is raised by `become`, for a library that writes may hide it.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.checksum = 0
        self._refusal: OSError | None = None
        # A file left by a killed process is not opened again: a failed fsync may have marked it clean.
        temporary.unlink(missing_ok=True)
        self._file = temporary.open("xb")

    def __enter__(self) -> Self:
        """Begin; the file is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Close the file, and remove it after an error."""
        # After an error, closing may meet it again; the first one is on its way.
        with suppress(OSError) if kind is not None else nullcontext():
            self._file.close()
        if kind is not None:
            self.temporary.unlink(missing_ok=True)

    def write(self, content: bytes | memoryview) -> int:
        """Append, and return how many bytes there were."""
        self.checksum = zlib.crc32(content, self.checksum)
        if self._refusal is None:
            try:
                self._file.write(content)
            except OSError as error:
                self._refusal = error
        return len(content)

    def flush(self) -> None:
        """Do nothing: libraries call this, and `become` hands everything to the disk."""

    def become(self, path: Path, *, durable: bool) -> None:
        """Replace the file of that name.

        With `durable`, it is on the disk when this returns, once the caller has synced the folder.

        Raises:
            OSError: If the disk refused a part of it.
        """
        if self._refusal is not None:
            raise self._refusal
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())
        self.temporary.replace(path)


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Write a file so that readers find the old content or the new one, never a part.

    After an error the old file is as it was and no temporary file is left. See `NewFile.become`.
    """
    with NewFile(path.with_name(path.name + TEMPORARY)) as file:
        file.write(content)
        file.become(path, durable=durable)


def is_there(path: Path) -> bool:
    """Tell whether a file is there.

    Raises:
        OSError: If something else is: a pipe would keep us waiting, a link lead elsewhere.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(errno.EEXIST, "it is no plain file", str(path))
    return True


def append_durably(path: Path, content: bytes) -> None:
    """Append, and return when it is on the disk; a kill or a full disk may leave a torn last line."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # A disk that takes only a part says at the next write why.
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: new, replaced and linked ones."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
