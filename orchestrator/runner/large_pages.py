"""Large pages: what makes a fork of a process that has loaded PyTorch cheap.

A fork copies the table of the pages of its parent: with PyTorch loaded these are 57,000 small ones,
or a hundred large ones once they are gathered.
"""

from __future__ import annotations

import contextlib
import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE: Final = 2 << 20  # bytes; where large pages are larger, the kernel gathers nothing
_MADV_COLLAPSE: Final = 25  # <linux/mman.h>, from Linux 6.1 on; Python has no name for it
_LIBC: Final = ctypes.CDLL(None)


def gather() -> None:
    """Gather the memory of this process into large pages, as far as the kernel can.

    Where it does not know how, or has no room, nothing happens.
    """
    for start, end in _ranges():
        first, last = -(-start // _LARGE) * _LARGE, end // _LARGE * _LARGE
        if first < last:
            _LIBC.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), _MADV_COLLAPSE)


def _ranges() -> Iterator[tuple[int, int]]:
    """Yield the addresses of memory that belongs to no file and can be written."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, _offset, _device, _inode, *name = line.split()
            if rights == "rw-p" and name in ([], ["[heap]"]):
                start, end = (int(number, 16) for number in place.split("-"))
                yield start, end
