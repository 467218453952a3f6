"""Owns how bytes reach the disk: a file is there whole or not at all, and stays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY = ".tmp"


def replace_file(path: Path, content: bytes | memoryview, *, durable: bool) -> None:
    """Write a file so that readers find the old content or the new one, never a part.

    With `durable`, it is on the disk when this returns, once the caller has synced the folder.
    After an error the old file is as it was and no temporary file is left.
    """
    temporary = path.with_name(path.name + TEMPORARY)
    # A file left by a killed process is not opened again: a failed fsync may have marked it clean.
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
