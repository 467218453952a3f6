"""Large pages: reduce the cost of forking a process that has loaded PyTorch.

A fork copies the page table of its parent: with PyTorch loaded these are 57,000 small pages, or a
hundred large ones once they are collapsed.
"""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE: Final = 2 << 20  # bytes; if large pages are larger, the kernel collapses nothing
_MADV_COLLAPSE: Final = 25  # <linux/mman.h>, since Linux 6.1; Python does not define it
_LIBC: Final = ctypes.CDLL(None)


def gather() -> None:
    """Collapse the memory of this process into large pages; do nothing if the kernel cannot."""
    for start, end in _ranges():
        first, last = -(-start // _LARGE) * _LARGE, end // _LARGE * _LARGE
        if first < last:
            _LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_COLLAPSE)


def _ranges() -> Iterator[tuple[int, int]]:
    """Yield the start and end of each writable anonymous mapping."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, _offset, _device, _inode, *name = line.split()
            if rights == "rw-p" and name in ([], ["[heap]"]):
                start, end = (int(number, 16) for number in place.split("-"))
                yield start, end
