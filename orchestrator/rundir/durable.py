"""Durable files: atomic writes that survive a power cut, and reads that neither hang nor follow links.

The order temporary file, fsync, rename, fsync of the directory survives a power cut on ext4: without
the first fsync the file may come back as zeros, without the second not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_RECORD: Final = 1_000_000
_SMALL: Final = 1 << 13  # bytes, more than most records have
# A pipe would block without O_NONBLOCK; O_NOFOLLOW fails on a link with ELOOP.
_NO_SURPRISES: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | _NO_SURPRISES
_CHANGE: Final = os.O_RDWR | _NO_SURPRISES
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_SURPRISES
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


_SHORTAGES: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))

# The path does not exist, or it is not a file.
_MISPLACED: Final = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO))


class NotRegularError(OSError):
    """A path is not a regular file, or the file is too large."""


def is_shortage(error: OSError) -> bool:
    """Return whether an error means that this process is out of descriptors, memory or processes."""
    return error.errno in _SHORTAGES


def is_refusal(error: OSError) -> bool:
    """Return whether the system refused to look at a file: it says nothing about what is there."""
    return not isinstance(error, NotRegularError) and error.errno not in _MISPLACED


def write_file(path: Path, content: bytes, *, lasting: bool = True, named: bool = True) -> None:
    """Replace a file atomically and durably: after a power cut it has the old or the new content.

    Without ``named`` a power cut may bring the old content back, until ``sync_directory`` is called.
    Without ``lasting`` nothing is synced, and the content may be lost. Only one process may write a
    file at a time: every file has one owner, or a lock.

    Raises:
        OSError: It cannot be written; the previous content and no temporary file is left.
    """
    # The name is not random, so that the file of a killed writer is replaced.
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if lasting and named:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Sync a directory, so that the names in it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_plain(path: Path | str, *, writable: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file for reading and return its descriptor and its status.

    ``writable``: for changing it as well.

    Raises:
        FileNotFoundError: It does not exist.
        NotRegularError: It is a link, a pipe or a directory.
        OSError: It cannot be opened.
    """
    return _regular(os.open(path, _CHANGE if writable else _READ))


def open_below(root: Path, name: str, *, append: bool = False) -> tuple[int, os.stat_result]:
    """Open a regular file below a folder and return its descriptor and its status.

    Only ``root`` may contain links: none is followed in any part of ``name``. Every file of a run
    directory, and of an experiment's folder, is opened with this function or ``open_plain``.

    Args:
        root: The folder, which is trusted.
        name: The file's path below it.
        append: Open it for appending, and create it and its folders if they are missing.

    Raises:
        FileNotFoundError: It does not exist.
        NotRegularError: It is not a regular file, or a part of its path is not a folder.
        OSError: It cannot be opened.
    """
    *folders, last = name.split("/")
    here = os.open(root, _FOLDER)
    try:
        for each in folders:
            if append:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(each, dir_fd=here)
            inner = _open_folder(each, here)
            os.close(here)
            here = inner
        return _regular(os.open(last, _APPEND if append else _READ, 0o666, dir_fd=here))
    finally:
        os.close(here)


def make_folder(path: Path) -> None:
    """Create a folder if it is missing.

    Raises:
        NotRegularError: The path is a link, or something else that is not a folder.
        OSError: It cannot be created.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    os.close(_open_folder(str(path), None))


def _open_folder(name: str, folder: int | None) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise NotRegularError(
                error.errno, "it is not a folder, or it is a link", name
            ) from None
        raise


def _regular(descriptor: int) -> tuple[int, os.stat_result]:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NotRegularError("it is not a regular file")
    return descriptor, found


def read_file(
    path: Path | str, *, folder: int | None = None, largest: int = LARGEST_RECORD
) -> bytes:
    """Return the content of a small regular file.

    Args:
        path: Its name.
        folder: The descriptor of the folder that a relative path starts from, if not the current.
        largest: The bytes that it may have.

    Raises:
        FileNotFoundError: It does not exist.
        NotRegularError: It is a link, a pipe, a directory, or too large.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, _READ, dir_fd=folder)
    try:
        # Most records are read at once, since status reads 50,000 of them; a pipe has no position, and is
        # refused.
        content = os.pread(descriptor, _SMALL, 0)
        if len(content) < min(_SMALL, largest + 1):
            return content
        size = _regular_size(descriptor, largest)
        while piece := os.pread(descriptor, size + 1 - len(content), len(content)):
            content += piece
            if len(content) >= size:
                break
        return content
    except OSError as error:
        raise _irregular(error) from None
    finally:
        os.close(descriptor)


def _irregular(error: OSError) -> OSError:
    """Return the error of reading at a position; that of a pipe or a directory says what it means."""
    is_irregular = error.errno in (errno.ESPIPE, errno.EISDIR, errno.EINVAL)
    return NotRegularError("it is not a regular file") if is_irregular else error


def _regular_size(descriptor: int, largest: int) -> int:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularError("it is not a regular file")
    if found.st_size > largest:
        raise NotRegularError(f"it has {found.st_size} bytes")
    return found.st_size


def read_lines(path: Path | str) -> Iterator[bytes]:
    """Yield the lines of a regular file of any size, many at a time; the last need not be complete.

    A line that is longer than ``LARGEST_RECORD`` is left out, so the memory is bounded.

    Raises:
        OSError: As for ``open_plain``.
    """
    descriptor, _ = open_plain(path)
    try:
        rest, is_too_long = b"", False
        while piece := os.read(descriptor, LARGEST_RECORD):
            lines, newline, piece = piece.rpartition(b"\n")
            if newline:
                yield lines.partition(b"\n")[2] if is_too_long else rest + lines
                rest, is_too_long = b"", False
            rest += piece
            if len(rest) > LARGEST_RECORD:
                rest, is_too_long = b"", True
        if rest and not is_too_long:
            yield rest
    finally:
        os.close(descriptor)


def read_head(path: Path | str, length: int) -> bytes:
    """Return the first bytes of a regular file of any size.

    Raises:
        OSError: As for ``open_plain``.
    """
    descriptor, _ = open_plain(path)
    try:
        return os.pread(descriptor, length, 0)
    finally:
        os.close(descriptor)


def read_tail(path: Path | str, length: int) -> bytes:
    """Return the last bytes of a regular file of any size, from the start of a line.

    Raises:
        OSError: As for ``open_plain``.
    """
    descriptor = os.open(path, _READ)
    try:
        # As above: nothing but a regular file has both a position and content.
        size = os.lseek(descriptor, 0, os.SEEK_END)
        start = max(0, size - length)
        content = os.pread(descriptor, min(length, size), start)
    except OSError as error:
        raise _irregular(error) from None
    finally:
        os.close(descriptor)
    return content.partition(b"\n")[2] if start else content
