"""The checksum of a file is right, whether or not PyTorch's of its records are used for it."""

from __future__ import annotations

import struct
import zlib
from random import Random
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
import torch

from trainer.checkpoints.record_checksums import LARGE, Archive, joined
from trainer.durable_files import NewFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RECORD = bytes(range(256)) * (LARGE // 256)


def written(path: Path, pieces: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the checksum of a file in which these pieces are, and its content."""
    with NewFile(path.with_name("new")) as file:
        archive = Archive(file)
        for piece in pieces:
            archive.write(piece)
        checksum = file.checksum
        file.become(path, durable=False)
    return checksum, path.read_bytes()


def test_checksums_are_joined() -> None:
    random = Random(0)  # noqa: S311 - no secret
    for _ in range(50):
        one, other = (random.randbytes(random.randrange(3000)) for _ in range(2))
        sums = zlib.crc32(one), zlib.crc32(other)
        assert joined(*sums, len(other)) == zlib.crc32(one + other)


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize(
    "state",
    [
        torch.zeros(1),
        [torch.rand(LARGE // 4), torch.rand(LARGE // 4 - 1), torch.rand(3 * LARGE)],
        b"x" * 2 * LARGE,
    ],
    ids=["small", "large", "plain"],
)
def test_file_of_pytorch_has_the_checksum_of_its_content(
    tmp_path: Path, state: Any, *, is_told: bool
) -> None:
    """Also if PyTorch was told to compute none."""
    torch.serialization.set_crc32_options(is_told)
    try:
        with NewFile(tmp_path / "new") as file:
            torch.save(state, Archive(file))  # type: ignore[arg-type]  # it can be written to
            checksum = file.checksum
            file.become(tmp_path / "it.pt", durable=False)
    finally:
        torch.serialization.set_crc32_options(True)
    assert checksum == zlib.crc32((tmp_path / "it.pt").read_bytes())
    assert not is_told or ZipFile(tmp_path / "it.pt").testzip() is None


@pytest.mark.parametrize("form", ["<III", "<IQQ"])
def test_what_is_told_of_a_record_is_used(tmp_path: Path, form: str) -> None:
    """It is not computed again: a wrong one makes a wrong one."""
    length = len(RECORD)
    for told, is_right in ((zlib.crc32(RECORD), True), (0, False)):
        follows = b"PK\7\10" + struct.pack(form, told, length, length)
        checksum, content = written(tmp_path / "it", [b"a", RECORD, follows, b"b"])
        assert (checksum == zlib.crc32(content)) is is_right


@pytest.mark.parametrize(
    "follows",
    [
        b"",
        b"b",
        b"PK\7\10" + struct.pack("<III", 0, 1, 1),
        b"PK\7\11" + struct.pack("<III", 0, len(RECORD), len(RECORD)),
        RECORD,
    ],
)
def test_anything_else_after_a_record_is_no_checksum(tmp_path: Path, follows: bytes) -> None:
    checksum, content = written(tmp_path / "it", [RECORD, follows, b"end"])
    assert checksum == zlib.crc32(content)
