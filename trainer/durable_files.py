"""Durable files: written atomically, and synced to the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import zlib
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final, Self

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEMPORARY = ".tmp"
# In bytes: what is written directly begins with a page, in memory and in the file, and is large, because
# each such write waits for the disk.
PAGE: Final = 4096
DIRECT: Final = 1 << 20

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_END = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGE = 1 << 16  # bytes
_LARGEST_RECORD = 1_000_000
_DIRECTLY = getattr(os, "O_DIRECT", 0)  # macOS has none
# How a file system refuses to write directly at all, or from this memory.
_CANNOT = {errno.EINVAL, errno.EOPNOTSUPP, errno.EFAULT}


class NewFile:
    """A file that is written under a temporary name, and appears complete when it is renamed.

    As a context manager, it removes the temporary file after an error. Large pieces are written and
    checksummed without holding the GIL.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._checksum = 0
        # Small pieces are gathered: every system call delays the other threads of Python.
        self._gathered = bytearray()
        try:
            self._descriptor = os.open(temporary, _NEW, 0o666)
        except FileExistsError:
            # The file of a killed process is not reused: a failed fsync may have marked it clean.
            put_aside(temporary)
            temporary.unlink(missing_ok=True)
            self._descriptor = os.open(temporary, _NEW, 0o666)

    def __enter__(self) -> Self:
        """Return the file, which is already open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        """Close the file, and remove it after an error, which gets its name."""
        # After an error, closing may raise it again; the first one is already raised.
        with suppress(OSError) if kind is not None else nullcontext():
            os.close(self._descriptor)
        if kind is not None:
            name_file(error, self.temporary)
            self.temporary.unlink(missing_ok=True)

    @property
    def checksum(self) -> int:
        """The CRC-32 of the content so far."""
        return zlib.crc32(self._gathered, self._checksum)

    def write(self, content: bytes | memoryview) -> None:
        """Append.

        Raises:
            OSError: If it cannot be written; the error may also be raised later.
        """
        if len(content) >= _LARGE:
            self._hand_over(content)
        else:
            self._gathered += content
            if len(self._gathered) >= _LARGE:
                self._hand_over()

    def write_summed_later(self, content: bytes | memoryview) -> None:
        """Append a large piece; `add_to_checksum` has to be called before anything else.

        Raises:
            OSError: If it cannot be written.
        """
        self._hand_over()
        written = _write_past_the_cache(self._descriptor, content)
        write_all(self._descriptor, content[written:])

    def add_to_checksum(self, add: Callable[[int], int]) -> None:
        """Let a function return the checksum with that piece, from the one without it."""
        self._checksum = add(self._checksum)

    def _hand_over(self, content: bytes | memoryview = b"") -> None:
        """Write what was gathered, and the content."""
        gathered, self._gathered = self._gathered, bytearray()
        for piece in (gathered, content):
            self._checksum = zlib.crc32(piece, self._checksum)
            write_all(self._descriptor, piece)

    def become(self, path: Path, *, durable: bool) -> None:
        """Rename the file to `path`, and replace an existing file.

        With `durable`, the content is on the disk when this returns; the caller syncs the folder.

        Raises:
            OSError: If a part of it could not be written.
        """
        self._hand_over()
        if durable:
            os.fsync(self._descriptor)
        move_over(self.temporary, path)


def replace_file(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file so that readers find the old content or the new one, never a part.

    After an error the old file is unchanged and no temporary file is left. See `NewFile.become`.
    """
    with NewFile(path.with_name(path.name + TEMPORARY)) as file:
        file.write(content)
        file.become(path, durable=durable)


def move_over(path: Path, other: Path) -> None:
    """Rename a file, and replace an existing file; a folder of that name is put aside."""
    try:
        os.replace(path, other)  # noqa: PTH105 - `Path.replace` creates another path
    except IsADirectoryError:
        put_aside(other)
        os.replace(path, other)  # noqa: PTH105 - as above


def put_aside(path: Path) -> None:
    """Rename a folder that has the name of a file; its content is unchanged."""
    if path.is_symlink() or not path.is_dir():
        return
    number = 1
    while (aside := path.with_name(f"{path.name}.in-the-way-{number}")).exists():
        number += 1
    path.rename(aside)


def make_folder(path: Path) -> None:
    """Create a folder if it is missing.

    Raises:
        ConfigError: If the path is a link, which may lead to another run's folder, or a file.
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
    """Return whether a regular file exists.

    Raises:
        OSError: If the path is something else, such as a pipe or a link.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise OSError(errno.EEXIST, "it is not a regular file", str(path))
    return True


def read_plain(path: Path, most: int = _LARGEST_RECORD) -> bytes:
    """Return the end of a regular file, or all of it; nothing else is waited for or followed.

    Raises:
        OSError: If it cannot be read, or the path is something else, such as a pipe or a link.
    """
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.pread(descriptor, most, max(0, found.st_size - most))
    finally:
        os.close(descriptor)


def append_durably(path: Path, content: bytes) -> None:
    """Append and sync; a kill or a full disk may leave a partial last line."""
    descriptor = os.open(path, _END, 0o644)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    except OSError as error:
        name_file(error, path)
        raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    """Write all of the content; after a partial write, the next write raises the error."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _write_past_the_cache(descriptor: int, content: bytes | memoryview) -> int:
    """Write the whole pages of a large piece from its memory to the disk, and return how many bytes.

    Copying them into the system's cache, and syncing them from there, takes several times as long.
    Nothing is written where that cannot be done: some file systems always copy, and a place in the file
    within a page would have each piece copied and synced.
    """
    whole = len(content) // PAGE * PAGE
    if whole < DIRECT or os.lseek(descriptor, 0, os.SEEK_CUR) % PAGE:
        return 0
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | _DIRECTLY)
        return os.write(descriptor, content[:whole])
    except OSError as error:
        if error.errno in _CANNOT:
            return 0
        raise
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new, replaced and linked names in it are durable.

    Raises:
        OSError: If it cannot be synced; the error has its name.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        name_file(error, folder)
        raise
    finally:
        os.close(descriptor)


def name_file(error: BaseException | None, path: Path) -> None:
    """Give an error that has no name, as one of writing or syncing, the name of the file."""
    if isinstance(error, OSError) and error.filename is None:
        error.filename = str(path)
