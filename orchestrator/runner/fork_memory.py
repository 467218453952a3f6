"""What a fork costs of this process' memory, and how to spare it.

A fork copies the table of the pages: with PyTorch loaded, 57,000 small ones, or a hundred large ones
once they are gathered. What the fork then writes to is copied in small pieces, at the moment it is
written to: a training of 0.2 s waits for a tenth of that. The pieces are nearly the same for each
run, so a fork that waits for its orders copies those that one before it has written to.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource
import select
import struct
import zlib
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from socket import socket

_LARGE: Final = 2 << 20  # bytes; where large pages are larger, the kernel gathers nothing
# <linux/mman.h>: from Linux 5.14 and 6.1 on; Python has no names for them.
_MADV_POPULATE_WRITE: Final = 23
_MADV_COLLAPSE: Final = 25
# Documentation/admin-guide/mm/pagemap.rst: the page is there, and in no other process.
_OWN: Final = 1 << 63 | 1 << 56
_ENTRY: Final = 8

_HEAD: Final = struct.Struct("=III")
_RANGE: Final = struct.Struct("=QQ")
_ROOM: Final = 1 << 16
_MOST: Final = (_ROOM - _HEAD.size) // _RANGE.size
# Fewer faults than that are not worth a look at what was written to; and after each look, fewer than so
# many more: what is left then is memory that every run needs anew.
_MANY: Final = 1500
_MORE: Final = 500
_AT_ONCE: Final = 32
_LIBC: Final = ctypes.CDLL(None)


def gather() -> None:
    """Gather what fits; where the kernel does not know how, or has no room, nothing happens."""
    for start, end in _places():
        first, last = -(-start // _LARGE) * _LARGE, end // _LARGE * _LARGE
        if first < last:
            _advise(first, last - first, _MADV_COLLAPSE)


class Footprint:
    """The pages of this process that its forks write to: one tells that ends, those that wait follow.

    It lies in memory that all of them share. Whatever a fork may do to it, the others copy pages of
    their own ahead, or do not.
    """

    def __init__(self) -> None:
        self._places = tuple(_places())
        self._shared = mmap.mmap(-1, _ROOM)
        self._faults = 0

    def follow(self, until: socket) -> None:
        """In a fork that waits: copy what was written to before, until there is something to read."""
        orders = select.poll()
        orders.register(until, select.POLLIN)
        _, ranges = self._read()
        for number, (first, count) in enumerate(ranges):
            if number % _AT_ONCE == 0 and orders.poll(0):
                break
            _advise(first * mmap.PAGESIZE, count * mmap.PAGESIZE, _MADV_POPULATE_WRITE)
        self._faults = _faults()

    def leave(self) -> None:
        """In a fork that ends: tell what it has written to, unless the most was foreseen."""
        looks, _ = self._read()
        if _faults() - self._faults >= _MANY + _MORE * looks:
            with contextlib.suppress(OSError, MemoryError):  # it has closed itself in
                self._write(looks + 1, [*self._ranges()])

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the first page and the number of each range of pages that only this fork has."""
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for start, end in self._places:
                first, last = start // mmap.PAGESIZE, end // mmap.PAGESIZE
                entries = array("Q")
                entries.frombytes(os.pread(pagemap, (last - first) * _ENTRY, first * _ENTRY))
                own = [page for page, entry in enumerate(entries, first) if entry & _OWN == _OWN]
                yield from _runs(own)
        finally:
            os.close(pagemap)

    def _write(self, looks: int, ranges: list[tuple[int, int]]) -> None:
        content = b"".join(_RANGE.pack(*each) for each in ranges[:_MOST])
        head = _HEAD.pack(looks, len(content), zlib.crc32(content))
        self._shared[: len(head) + len(content)] = head + content

    def _read(self) -> tuple[int, Iterable[tuple[int, int]]]:
        """Return how often somebody looked, and the ranges that were found last."""
        looks, size, checksum = _HEAD.unpack_from(self._shared)
        content = self._shared[_HEAD.size : _HEAD.size + size]
        if zlib.crc32(content) != checksum:  # it is being written, or was written over
            return 0, ()
        return looks, _RANGE.iter_unpack(content)


def _runs(pages: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Join pages, in order, to ranges, each a first page and a number; gaps of one page are filled."""
    first = end = -1
    for page in pages:
        if page > end + 1:
            if first >= 0:
                yield first, end - first
            first = page
        end = page + 1
    if first >= 0:
        yield first, end - first


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _advise(start: int, length: int, advice: int) -> None:
    """Tell the kernel what to do with memory; where it does not know how, it does nothing."""
    _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), advice)


def _places() -> Iterator[tuple[int, int]]:
    """Yield where memory is that belongs to no file, and can be written."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, _offset, _device, _inode, *name = line.split()
            if rights == "rw-p" and name in ([], ["[heap]"]):
                start, end = (int(number, 16) for number in place.split("-"))
                yield start, end
