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

    A line that is a whole record gets the newline that it lacks, and one that a kill has torn is removed.
    One that is too long to be read gets a newline, too: readers leave it out. If that is impossible, nothing
    is changed.
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
    if start is None or _is_record(os.pread(descriptor, size - start, start)):
        os.pwrite(descriptor, b"\n", size)
    else:
        os.ftruncate(descriptor, start)
    os.fsync(descriptor)


def _is_record(line: bytes) -> bool:
    return isinstance(records.parse(line), dict)


def _find_start(descriptor: int, end: int) -> int | None:
    """Return where the line begins that ends at a position; None if it is too long for a record."""
    least = max(0, end - durable.LARGEST_RECORD)
    while end > least:
        begin = max(least, end - _BLOCK)
        newline = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return None if least else 0
