"""Reading checkpoints: verified by their checksum, and loaded without executing code."""

from __future__ import annotations

import os
import re
import stat
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from trainer.checkpoints.fast_pickle import ATOMS
from trainer.checkpoints.snapshot import SMALL
from trainer.errors import CheckpointError, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch.types import Storage

    State = dict[str, Any]

NAME = re.compile(r"(\d{6,})-([0-9a-f]{8})\.pt")
SUM = re.compile(r"(?:within-)?\d{6,}-([0-9a-f]{8})\.pt")

_NOT_WRITTEN = "it is damaged, or torch.save did not write it"
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 1 << 20  # bytes
_BEGINS = b"PK\3\4"
_ENDS = b"PK\5\6"
_END = 22  # bytes, of an archive without a comment


class Unusable(Exception):  # noqa: N818 - it describes a checkpoint, and never leaves this package
    """The reason why a checkpoint cannot be used."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A state as it was read, on the CPU; `far` are the addresses of tensors that were on a GPU."""

    state: State
    far: frozenset[int]

    def is_far(self, tensor: Tensor) -> bool:
        """Return whether a tensor of the state was on a GPU when it was saved."""
        return tensor.layout is torch.strided and tensor.untyped_storage().data_ptr() in self.far


def read_checkpoint(path: Path) -> Saved:
    """Read a checkpoint, verified by the checksum in its name.

    Raises:
        Unusable: If it is damaged, or not a checkpoint.
    """
    with open_checkpoint(path) as file:
        _verify(file, path)
        return _load(file, path)


def verify_checkpoint(path: Path) -> Path:
    """Return the path of a checkpoint if its content has the checksum in its name.

    Raises:
        Unusable: If it does not.
    """
    with open_checkpoint(path) as file:
        _verify(file, path)
    return path


@dataclass(frozen=True, slots=True)
class SavedModules:
    """The states of the modules in a checkpoint by their roles, and the modes in which they were saved.

    The modes are None if an earlier version saved it.
    """

    states: State
    modes: State | None = None

    @property
    def modes_of_model(self) -> Mapping[str, bool] | None:
        """Those of the model and of its parts."""
        return None if self.modes is None else self.modes["model"]


def read_model_state(path: Path) -> State:
    """Return the `state_dict` of the model in a checkpoint of any run, on the CPU.

    Raises:
        CheckpointError: If it is damaged, or not a checkpoint.
    """
    model: State = read_modules(path).states["model"]
    return model


def read_modules(path: Path) -> SavedModules:
    """Return the states of the modules in a checkpoint of any run, on the CPU.

    Raises:
        CheckpointError: If it is damaged, or not a checkpoint.
    """
    try:
        with open_checkpoint(path.resolve()) as file:
            _verify_by_neighbours(file, path)
            state = _load(file, path).state["state"]
            modules: State = state["modules"]
            modules["model"]
            if modes := state.get("modes"):
                modes["model"][""]
    except (Unusable, KeyError, TypeError) as reason:
        raise CheckpointError(f"{path}: it cannot be used: {reason}. Name another.") from None
    return SavedModules(modules, modes)


def read_any_file(path: Path) -> State:
    """Return the mapping in a file that `torch.save` wrote, with its tensors on the CPU, without executing code.

    Raises:
        CheckpointError: If it is damaged, or has something else in it than tensors and plain values.
    """
    is_archive = True
    try:
        with open_checkpoint(path.resolve()) as file:
            is_archive = os.pread(file.fileno(), len(_BEGINS), 0) == _BEGINS
            if is_archive:  # PyTorch does not verify the checksums in it
                _verify_by_neighbours(file, path)
            return _load(file, path).state
    except Unusable as error:
        reason = str(error) if is_archive else _NOT_WRITTEN
        raise CheckpointError(
            f"{path}: it cannot be used: {reason}. Name a file with a state_dict."
        ) from None


def is_same_file(path: Path, other: Path) -> bool:
    """Return whether a path is a link to a file or, on file systems without links, a copy of it."""
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
    """Open a regular file for reading, without following links or waiting for pipes.

    Raises:
        Unusable: If it is not a regular file, or cannot be read.
    """
    try:
        file = open(os.open(path, _OPEN), "rb", buffering=0)  # noqa: PTH123, SIM115 - it wraps a descriptor
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise Unusable(f"{path.name}: {reason}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unusable(f"{path.name}: it is not a regular file")
    return file


def _verify(file: IO[bytes], path: Path) -> None:
    """Compare a file with the checksum in its name; check first that it looks like an archive."""
    try:
        is_whole = _is_archive(file) and _checksum(file) == _named(path)
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror}") from None
    if not is_whole:
        raise Unusable(f"{path.name} is damaged")


def _verify_by_neighbours(file: IO[bytes], path: Path) -> None:
    """Verify a file that may have another name: `best.pt` is a second name of a file beside it.

    Elsewhere only the records of the archive are verified.
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
    found = SUM.fullmatch(path.name)
    return int(found[1], 16) if found else None


def _is_archive(file: IO[bytes]) -> bool:
    """Return whether a file begins and ends like a checkpoint."""
    length = os.fstat(file.fileno()).st_size
    if length < _END:
        return False
    begin = os.pread(file.fileno(), len(_BEGINS), 0)
    end = os.pread(file.fileno(), len(_ENDS), length - _END)
    return (begin, end) == (_BEGINS, _ENDS)


def _checksum(file: IO[bytes]) -> int:
    """Return the CRC-32 of a file, read in pieces."""
    piece = bytearray(_PIECE)
    checksum = 0
    file.seek(0)
    while count := file.readinto(piece):  # type: ignore[attr-defined]  # a raw file has it
        checksum = zlib.crc32(memoryview(piece)[:count], checksum)
    return checksum


def _load(file: IO[bytes], path: Path) -> Saved:
    """Load a verified file."""
    far = set()

    def stay(storage: Storage, origin: str) -> Storage:
        if origin != "cpu":
            far.add(storage.data_ptr())
        return storage

    file.seek(0)
    try:
        with torch.serialization.safe_globals([bytes]):  # empty bytes are pickled as a call
            content = torch.load(file, stay, weights_only=True)
    except Exception as error:
        # The content may fail in any way; running out of memory is not its fault.
        if is_out_of_memory(error):
            raise
        raise Unusable(f"{path.name}: {str(error).partition('.')[0]}") from None
    if not isinstance(content, dict):
        raise Unusable(f"{path.name} has a {type(content).__name__}, not a mapping")
    tensors = [*_tensors_in(content)]
    # In checkpoints of an earlier version; they count all tensors.
    numbers = {*(content.pop("far", ()) if "state" in content else ())}
    strided = {place: each for place, each in enumerate(tensors) if each.layout is torch.strided}
    is_far = [place in numbers or _address(each) in far for place, each in strided.items()]
    _separate([*strided.values()])
    pairs = zip(strided.values(), is_far, strict=True)
    return Saved(content, frozenset(_address(each) for each, its_far in pairs if its_far))


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _separate(tensors: list[Tensor]) -> None:
    """Give small tensors memory of their own: in the file they share it, which modules do not expect."""
    for tensor in tensors:
        if tensor.nbytes < min(tensor.untyped_storage().nbytes(), SMALL + 1):
            own = tensor.detach().clone()
            with torch.no_grad():  # it may be a parameter
                tensor.set_(own.untyped_storage(), 0, own.shape, own.stride())


def _tensors_in(state: object) -> Iterator[Tensor]:
    """Yield the tensors of a state in their order in the file, each once."""
    seen = set()
    left = [state]
    while left:
        value = left.pop()
        if type(value) in ATOMS or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            inside = [each for pair in value.items() for each in pair]
            left += reversed([*inside, *getattr(value, "__dict__", {}).values()])
        elif isinstance(value, (list, tuple, set)):
            left += reversed([*value])
