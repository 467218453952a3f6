"""Owns how bytes reach the disk: a file is there whole or not at all, and stays."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Self

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY = ".tmp"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_END = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGE = 1 << 16  # bytes


class NewFile:
    """Write a file under a temporary name; it is there, whole, only once it is given its own.

    Used as a context, it leaves nothing behind after an error. Large pieces are written and summed
    without holding up other threads.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._checksum = 0
        # Small pieces wait for each other: calls of the kernel hold up whoever else runs Python.
        self._gathered = bytearray()
        try:
            self._descriptor = os.open(temporary, _NEW, 0o666)
        except FileExistsError:
            # What a killed process left is not opened: a failed fsync may have marked it clean.
            put_aside(temporary)
            temporary.unlink(missing_ok=True)
            self._descriptor = os.open(temporary, _NEW, 0o666)

    def __enter__(self) -> Self:
        """Begin; the file is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Close the file, and remove it after an error."""
        # After an error, closing may meet it again; the first one is on its way.
        with suppress(OSError) if kind is not None else nullcontext():
            os.close(self._descriptor)
        if kind is not None:
            self.temporary.unlink(missing_ok=True)

    @property
    def checksum(self) -> int:
        """The CRC-32 of what was written so far."""
        return zlib.crc32(self._gathered, self._checksum)

    def write(self, content: bytes | memoryview) -> None:
        """Append.

        Raises:
            OSError: If the disk refuses it; it may do so only later.
        """
        if len(content) >= _LARGE:
            self._hand_over(content)
        else:
            self._gathered += content
            if len(self._gathered) >= _LARGE:
                self._hand_over()

    def flush(self) -> None:
        """Do nothing, as PyTorch wants it done: what was gathered is written in the end."""

    def _hand_over(self, content: bytes | memoryview = b"") -> None:
        """Write what was gathered, and more."""
        gathered, self._gathered = self._gathered, bytearray()
        for piece in (gathered, content):
            self._checksum = zlib.crc32(piece, self._checksum)
            write_all(self._descriptor, piece)

    def become(self, path: Path, *, durable: bool) -> None:
        """Replace the file of that name.

        With `durable`, it is on the disk when this returns, once the caller has synced the folder.

        Raises:
            OSError: If the disk refused a part of it.
        """
        self._hand_over()
        if durable:
            os.fsync(self._descriptor)
        try:
            os.replace(self.temporary, path)  # noqa: PTH105 - that of a path makes it anew first
        except IsADirectoryError:
            put_aside(path)
            os.replace(self.temporary, path)  # noqa: PTH105 - as above


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Write a file so that readers find the old content or the new one, never a part.

    After an error the old file is as it was and no temporary file is left. See `NewFile.become`.
    """
    with NewFile(path.with_name(path.name + TEMPORARY)) as file:
        file.write(content)
        file.become(path, durable=durable)


def put_aside(path: Path) -> None:
    """Rename a folder that is in the way of a file; nothing in it is touched."""
    if path.is_symlink() or not path.is_dir():
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.in-the-way-{number}")).exists():
        number += 1
    path.rename(aside)


def make_folder(path: Path) -> None:
    """Make a folder, unless it is there.

    Raises:
        ConfigError: If a link is there, for what it leads to may be another's, or something else.
    """
    try:
        path.mkdir()
    except FileExistsError:
        if path.is_symlink():
            raise ConfigError(
                f"{path}: it is a symbolic link, and links are not followed. Remove it; for another"
                " disk, set results_dir to a folder there."
            ) from None
        if not path.is_dir():
            raise ConfigError(f"{path}: it is not a folder. Move it away.") from None


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
    descriptor = os.open(path, _END, 0o644)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    """Write everything; a disk that takes only a part says at the next call of the kernel why."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: new, replaced and linked ones."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
