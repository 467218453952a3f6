"""Owns how a checkpoint is read: verified to the last bit, and never by running what is in it."""

from __future__ import annotations

import os
import re
import stat
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import torch

from trainer.checkpoints.snapshot import tensors_in
from trainer.errors import CheckpointError, is_out_of_memory

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor
    from torch.types import Storage

    State = dict[str, Any]

NAME = re.compile(r"(\d{6,})-([0-9a-f]{8})\.pt")

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 1 << 20  # bytes
_BEGINS = b"PK\3\4"
_ENDS = b"PK\5\6"
_END = 22  # bytes, of an archive without a comment


class Unusable(Exception):  # noqa: N818 - it says what a checkpoint is, and never leaves this room
    """Say why a checkpoint cannot be resumed from."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Hold a state as it was read, all of it on the CPU; `far` is the memory that was on a GPU."""

    state: State
    far: frozenset[int]

    def is_far(self, tensor: Tensor) -> bool:
        """Tell whether a tensor of the state was on a GPU when it was saved."""
        return tensor.layout is torch.strided and tensor.untyped_storage().data_ptr() in self.far


def read_checkpoint(path: Path) -> Saved:
    """Read what a run saved, verified by the checksum in the name.

    Raises:
        Unusable: If it is damaged, or something else under such a name.
    """
    with open_checkpoint(path) as file:
        _verify(file, path)
        return _load(file, path)


def verify_checkpoint(path: Path) -> Path:
    """Return the path of a checkpoint whose content is what its name says.

    Raises:
        Unusable: If it is not.
    """
    with open_checkpoint(path) as file:
        _verify(file, path)
    return path


def read_model_state(path: Path) -> State:
    """Return what a checkpoint of any run holds of the model: its `state_dict`, on the CPU.

    Raises:
        CheckpointError: If it is damaged, or no checkpoint.
    """
    try:
        with open_checkpoint(path.resolve()) as file:
            _verify_by_neighbours(file, path)
            model: State = _load(file, path).state["state"]["modules"]["model"]
    except (Unusable, KeyError, TypeError) as reason:
        raise CheckpointError(f"{path}: it cannot be used: {reason}. Name another.") from None
    return model


def is_same_file(path: Path, other: Path) -> bool:
    """Tell whether a name is that of another file, or, on disks without links, of a copy of it."""
    try:
        found, wanted = path.lstat(), other.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != wanted.st_size:
            return False
        if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
            return True
        with open_checkpoint(path) as file:
            return _checksum(file) == _named(other)
    except (OSError, Unusable):
        return False


def open_checkpoint(path: Path) -> IO[bytes]:
    """Open a file for reading; links are not followed, and pipes not waited for.

    Raises:
        Unusable: If it is not a regular file, or cannot be read.
    """
    try:
        file = open(os.open(path, _OPEN), "rb", buffering=0)  # noqa: PTH123, SIM115 - of a descriptor
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise Unusable(f"{path.name}: {reason}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unusable(f"{path.name}: it is not a regular file")
    return file


def _verify(file: IO[bytes], path: Path) -> None:
    """Compare a file with its name, from the shape of an archive on: a file of holes may be long."""
    try:
        is_whole = _is_archive(file) and _checksum(file) == _named(path)
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror}") from None
    if not is_whole:
        raise Unusable(f"{path.name} is damaged")


def _verify_by_neighbours(file: IO[bytes], path: Path) -> None:
    """Verify a file that may have another name: `best.pt` is a second one of a file beside it.

    Elsewhere its parts are verified, though not that they belong to each other.
    """
    named = [each for each in path.resolve().parent.iterdir() if NAME.fullmatch(each.name)]
    is_second_name = any(os.path.samestat(os.fstat(file.fileno()), each.lstat()) for each in named)
    try:
        is_whole = _is_archive(file) and _checksum(file) in {_named(each) for each in named}
        if not is_whole and not is_second_name:
            file.seek(0)
            is_whole = ZipFile(file).testzip() is None
    except (OSError, BadZipFile) as error:
        raise Unusable(f"{path.name}: {error}") from None
    if not is_whole:
        raise Unusable(f"{path.name} is damaged")


def _named(path: Path) -> int | None:
    """Return the checksum in a name."""
    found = NAME.fullmatch(path.name)
    return int(found[2], 16) if found else None


def _is_archive(file: IO[bytes]) -> bool:
    """Tell whether a file begins and ends as a checkpoint does."""
    length = os.fstat(file.fileno()).st_size
    if length < _END:
        return False
    begin = os.pread(file.fileno(), len(_BEGINS), 0)
    end = os.pread(file.fileno(), len(_ENDS), length - _END)
    return (begin, end) == (_BEGINS, _ENDS)


def _checksum(file: IO[bytes]) -> int:
    """Return the CRC-32 of a file, of which a piece is in memory at a time."""
    piece = bytearray(_PIECE)
    checksum = 0
    file.seek(0)
    while count := file.readinto(piece):  # type: ignore[attr-defined]  # a raw file has it
        checksum = zlib.crc32(memoryview(piece)[:count], checksum)
    return checksum


def _load(file: IO[bytes], path: Path) -> Saved:
    """Interpret a file that is verified."""
    far = set()

    def stay(storage: Storage, origin: str) -> Storage:
        if origin != "cpu":  # as checkpoints said it that do not count them
            far.add(storage.data_ptr())
        return storage

    file.seek(0)
    try:
        with torch.serialization.safe_globals([bytes]):  # an empty one is written as a call of it
            content = torch.load(file, stay, weights_only=True)
    except Exception as error:
        # What others put there may fail in any way; that memory is short is not its fault.
        if is_out_of_memory(error):
            raise
        raise Unusable(f"{path.name}: {str(error).partition('.')[0]}") from None
    if not isinstance(content, dict):
        raise Unusable(f"{path.name} holds a {type(content).__name__}, not a checkpoint")
    numbers = content.pop("far", ())
    if numbers:
        tensors = [*tensors_in(content)]
        strided = (tensors[each] for each in numbers if tensors[each].layout is torch.strided)
        far.update(each.untyped_storage().data_ptr() for each in strided)
    return Saved(content, frozenset(far))
