"""Owns the archive in which PyTorch keeps a state: the bytes that `torch.load` reads.

It is a ZIP file (PKWARE's APPNOTE 6.3.10; the sections are named below) of stored records, each
beginning at a multiple of 64 bytes: a pickle, the pieces of memory that it speaks of, and what
version of all this it is. `torch.save` makes the same out of many small writes, each of which holds
up the training that goes on meanwhile.
"""

from __future__ import annotations

import struct
import sys
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Content = bytes | memoryview

ALIGNMENT: Final = 64
FOLDER: Final = "archive/"

_LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")  # 4.3.7
_LOCAL_SIZES: Final = struct.Struct("<2H2Q")  # 4.5.3, sizes beyond 4 GiB; used for all of them
_PADDING: Final = struct.Struct("<2H")  # 4.5.1, a field that readers skip
_DIRECTORY_ENTRY: Final = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_DIRECTORY_SIZES: Final = struct.Struct("<2H3Q")  # 4.5.3
_END_64: Final = struct.Struct("<4sQ2H2I4Q")  # 4.3.14
_LOCATOR_64: Final = struct.Struct("<4sIQI")  # 4.3.15
_END: Final = struct.Struct("<4s4H2IH")  # 4.3.16

_ZIP64: Final = 45  # the version of the format that knows large files
_FIRST_DAY: Final = 0x21  # 1980-01-01: the same state is the same file
_SEE_EXTRA: Final = 0xFFFFFFFF
_SEE_EXTRA_COUNT: Final = 0xFFFF
_SIZES: Final = 0x0001
_FILLED_UP: Final = 0x4246  # "FB", as PyTorch writes it


def archive(pickle: bytes, memory: Sequence[Content]) -> Iterator[Content]:
    """Yield the file of a state in pieces.

    Args:
        pickle: What the state is; it names pieces of memory by their numbers.
        memory: The pieces of memory.
    """
    records: list[tuple[str, Content]] = [
        ("data.pkl", pickle),
        (".format_version", b"1"),
        (".storage_alignment", str(ALIGNMENT).encode()),
        ("byteorder", sys.byteorder.encode()),
        *((f"data/{number}", piece) for number, piece in enumerate(memory)),
        ("version", b"3\n"),
    ]
    directory = bytearray()
    offset = 0
    for name, content in records:
        path = (FOLDER + name).encode()
        size, checksum = len(content), zlib.crc32(content)
        header = _local_header(path, size, checksum, offset)
        yield header
        yield content
        directory += _directory_entry(path, size, checksum, offset)
        offset += len(header) + size
    yield bytes(directory)
    yield _end(len(records), len(directory), offset)


def _local_header(path: bytes, size: int, checksum: int, offset: int) -> bytes:
    """Return what goes before a record, so long that the record is aligned."""
    known = _LOCAL_HEADER.size + len(path) + _LOCAL_SIZES.size + _PADDING.size
    padding = -(offset + known) % ALIGNMENT
    extra = _LOCAL_SIZES.size + _PADDING.size + padding
    about = (_ZIP64, 0, 0, 0, _FIRST_DAY, checksum, _SEE_EXTRA, _SEE_EXTRA)
    return b"".join(
        [
            _LOCAL_HEADER.pack(b"PK\3\4", *about, len(path), extra),
            path,
            _LOCAL_SIZES.pack(_SIZES, _LOCAL_SIZES.size - 4, size, size),
            _PADDING.pack(_FILLED_UP, padding),
            b"Z" * padding,
        ]
    )


def _directory_entry(path: bytes, size: int, checksum: int, offset: int) -> bytes:
    """Return what the directory at the end says of a record."""
    about = (_ZIP64, _ZIP64, 0, 0, 0, _FIRST_DAY, checksum, _SEE_EXTRA, _SEE_EXTRA)
    sizes = _DIRECTORY_SIZES.pack(_SIZES, _DIRECTORY_SIZES.size - 4, size, size, offset)
    lengths = (len(path), len(sizes), 0, 0, 0, 0)
    return _DIRECTORY_ENTRY.pack(b"PK\1\2", *about, *lengths, _SEE_EXTRA) + path + sizes


def _end(count: int, size: int, offset: int) -> bytes:
    """Return the end of the file, which says where the directory is."""
    made_by = (_END_64.size - 12, _ZIP64, _ZIP64, 0, 0)
    end_64 = _END_64.pack(b"PK\6\6", *made_by, count, count, size, offset)
    locator = _LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1)
    many, far = _SEE_EXTRA_COUNT, _SEE_EXTRA
    return end_64 + locator + _END.pack(b"PK\5\6", 0, 0, many, many, far, far, 0)
