"""Record checksums: PyTorch computes one of each record of an archive, from which that of the file follows.

Of large records it is not computed again, which takes as long as writing them.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from trainer.durable_files import NewFile

LARGE: Final = 1 << 16  # bytes
POLYNOMIAL: Final = 0xEDB88320  # of CRC-32; bit 31 is the constant
ONE_BYTE: Final = 1 << 23  # x to the power of 8
# What follows a record: a signature, its CRC-32, and twice its length, in 4 or 8 bytes.
FOLLOWS: Final = b"PK\7\10"
FORMS: Final = {16: struct.Struct("<4xIII"), 24: struct.Struct("<4xIQQ")}


class Archive:
    """Hands what `torch.save` writes on to a file.

    Args:
        file: The file.
    """

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self._record: bytes | memoryview = b""
        self._has_checksums: bool = torch.serialization.get_crc32_options()

    def write(self, content: bytes | memoryview) -> None:
        """Append.

        Raises:
            OSError: If it cannot be written; the error may also be raised later.
        """
        if self._record:
            record, self._record = self._record, b""
            told = _told(content, len(record))
            self._file.add_to_checksum(
                lambda before: (
                    zlib.crc32(record, before)
                    if told is None
                    else joined(before, told, len(record))
                )
            )
        if self._has_checksums and len(content) >= LARGE:
            self._file.write_summed_later(content)
            self._record = content
        else:
            self._file.write(content)

    def flush(self) -> None:
        """Do nothing; PyTorch calls it."""


def _told(content: bytes | memoryview, length: int) -> int | None:
    """Return the checksum of a record of some length, if what follows the record tells it."""
    form = FORMS.get(len(content))
    if form is None or bytes(content[: len(FOLLOWS)]) != FOLLOWS:
        return None
    checksum, *lengths = form.unpack(content)
    return int(checksum) if lengths == [length, length] else None


def joined(before: int, after: int, length: int) -> int:
    """Return the CRC-32 of two pieces in a row.

    Args:
        before: That of the first.
        after: That of the second.
        length: The length of the second in bytes.
    """
    return _product(_power(length), before) ^ after


@lru_cache(maxsize=256)
def _power(length: int) -> int:
    """Return x to the power of as many bits as there are in some bytes."""
    power, square = 1 << 31, ONE_BYTE
    while length:
        if length & 1:
            power = _product(power, square)
        square = _product(square, square)
        length >>= 1
    return power


def _product(one: int, other: int) -> int:
    """Return the product of two polynomials, modulo that of CRC-32."""
    product = 0
    for place in range(31, -1, -1):
        if one >> place & 1:
            product ^= other
        other = other >> 1 ^ (POLYNOMIAL if other & 1 else 0)
    return product
