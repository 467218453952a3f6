"""The archive is a ZIP file that Python and PyTorch read, of any size."""

import io
import mmap
import zlib
from contextlib import suppress
from pathlib import Path
from zipfile import ZipFile

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.checkpoints.archive import ALIGNMENT, archive
from trainer.checkpoints.snapshot import Snapshots


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=5))
def test_python_reads_every_record(pickle: bytes, memory: list[bytes]) -> None:
    """With its checksum, and where PyTorch may map it into memory."""
    content = b"".join(archive(pickle, memory))
    file = ZipFile(io.BytesIO(content))
    assert file.testzip() is None
    assert file.read("archive/data.pkl") == pickle
    assert [file.read(f"archive/data/{number}") for number in range(len(memory))] == memory
    for each in file.infolist():
        begin = content.index(each.filename.encode(), each.header_offset)
        extra = int.from_bytes(content[each.header_offset + 28 : each.header_offset + 30], "little")
        place = begin + len(each.filename) + extra
        assert place % ALIGNMENT == 0
        assert zlib.crc32(content[place : place + each.file_size]) == each.CRC


def test_records_are_those_of_pytorch() -> None:
    """But for a number that it gives each of its own files."""
    state = {"weights": torch.ones(3), "count": torch.tensor(2)}
    file = io.BytesIO()
    torch.save(state, file)
    theirs = {each.partition("/")[2]: each for each in ZipFile(file).namelist()}
    ours = ZipFile(io.BytesIO(b"".join(Snapshots().take(state).pieces())))
    names = [each.removeprefix("archive/") for each in ours.namelist()]
    assert {*theirs} - {*names} == {".data/serialization_id"}
    for name in {*names} - {"data.pkl"}:
        assert ours.read(f"archive/{name}") == ZipFile(file).read(theirs[name]), name


def test_the_same_state_is_the_same_file() -> None:
    """So that a name with its checksum tells of the state alone."""
    files: set[tuple[bytes, ...]] = set()
    for _ in range(5):
        snapshots = Snapshots()
        state = {"a": torch.ones(3), "b": torch.ones(5)}
        files.add(tuple(b"".join(snapshots.take(state).pieces()) for _ in range(3)))
        torch.rand(1000)  # leaves something in the memory that is used next
    assert len(files) == 1


def test_more_than_four_gigabytes(tmp_path: Path) -> None:
    """A large piece, and what comes behind it, are found. The file has holes, and takes no room."""
    path = tmp_path / "large.pt"
    size = (4 << 30) + 64
    large = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
    with suppress(OSError):
        large.madvise(mmap.MADV_HUGEPAGE)  # one page of zeros for all of it
    with path.open("wb") as file:
        for piece in archive(b"pickle", [memoryview(large), b"behind it"]):
            if len(piece) == size:
                file.seek(size, io.SEEK_CUR)
            else:
                file.write(piece)
    with ZipFile(path) as found:
        assert found.getinfo("archive/data/0").file_size == size
        assert found.read("archive/data/1") == b"behind it"


def test_pytorch_maps_it_into_memory(tmp_path: Path) -> None:
    """As `torch.load(mmap=True)` does, for weights that are larger than the memory."""
    path = tmp_path / "state.pt"
    weights = torch.arange(1000.0)
    path.write_bytes(b"".join(Snapshots().take({"weights": weights}).pieces()))
    found = torch.load(path, weights_only=True, mmap=True)
    assert torch.equal(found["weights"], weights)
