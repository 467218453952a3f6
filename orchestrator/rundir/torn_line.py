"""The last line of a file of records without a newline: the next record would be glued to it, and lost."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = 1 << 16


def end_last_line(lines: Path) -> None:
    """Make sure, durably, that what is appended next begins a line; requires the lock of the run.

    A line that is a whole record gets the newline that it lacks, and one that a kill has torn is removed. If that
    is impossible, nothing is changed.
    """
    with contextlib.suppress(OSError):
        descriptor, found = durable.open_plain(lines, writable=True)
        try:
            _end_last_line(descriptor, found.st_size)
        finally:
            os.close(descriptor)


def _end_last_line(descriptor: int, size: int) -> None:
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    start = _find_start(descriptor, size)
    is_readable = size - start <= durable.LARGEST_RECORD
    if is_readable and isinstance(records.parse(os.pread(descriptor, size - start, start)), dict):
        os.pwrite(descriptor, b"\n", size)
    else:
        os.ftruncate(descriptor, start)
    os.fsync(descriptor)


def _find_start(descriptor: int, end: int) -> int:
    """Return where the line begins that ends at a position."""
    while end:
        begin = max(0, end - _BLOCK)
        newline = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0
