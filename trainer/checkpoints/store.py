"""Owns the checkpoints of a run: complete or absent, verified before use, few."""

from __future__ import annotations

import io
import pickle
import re
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile, ZipFile

import torch

from trainer.checkpoints.snapshot import Snapshots
from trainer.disk import TEMPORARY, NewFile, sync_folder
from trainer.errors import CheckpointError
from trainer.outputs import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.types import Storage

    from trainer.checkpoints.snapshot import Snapshot

    State = dict[str, Any]

Content = TypeVar("Content")

BEST = "best.pt"
NEW = f"new.pt{TEMPORARY}"
NAME = re.compile(r"(\d{6,})-([0-9a-f]{8})\.pt")


class Unusable(Exception):  # noqa: N818 - it says what a checkpoint is, and never leaves this module
    """Say why a checkpoint cannot be resumed from."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Hold a state as it was read, all of it on the CPU; `far` is the memory that was on a GPU."""

    state: State
    far: frozenset[int]

    def is_far(self, tensor: Tensor) -> bool:
        """Tell whether a tensor of the state was on a GPU when it was saved."""
        return tensor.layout is torch.strided and tensor.untyped_storage().data_ptr() in self.far


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold an iteration that is on its way to the disk."""

    iteration: int
    snapshot: Snapshot
    is_best: bool


class Checkpoints:
    """Keep the last few checkpoints and the best one, each named `<iteration>-<CRC-32>.pt`.

    Kept are the last `keep_last` and the one that each of those calls the best; `best.pt` is
    another name of the best so far.

    Args:
        folder: Where they are; made at the first save.
        keep_last: How many to keep for the case that the newest is damaged.
        fingerprint: What tells this run's checkpoints from another run's.
    """

    def __init__(self, folder: Path, keep_last: int, fingerprint: str) -> None:
        self.folder = folder
        self.keep_last = keep_last
        self.fingerprint = fingerprint
        self._best_of: dict[int, int | None] = {}
        self._snapshots = Snapshots()
        self._new = folder / NEW
        self._best = folder / BEST
        self._new_best = folder / f"{BEST}{TEMPORARY}"
        # What is in the folder, once we write to it: from then on nobody else does.
        self._present: list[tuple[int, Path]] | None = None

    def take(self, iteration: int, state: State, best: int | None) -> Taken:
        """Copy an iteration's state, which may change afterwards; the one before must be written.

        Args:
            iteration: The iteration that is complete.
            state: What must survive, in tensors and plain values.
            best: The best iteration so far, this one included.

        Raises:
            CheckpointError: If the state holds something that could not be loaded safely.
        """
        first = iteration - self.keep_last + 1
        kept = {known: its for known, its in self._best_of.items() if first <= known < iteration}
        self._best_of = {**kept, iteration: best}
        content = {"iteration": iteration, "fingerprint": self.fingerprint, "state": state}
        snapshot = self._snapshots.take(content | {"best_of": self._best_of})
        return Taken(iteration, snapshot, is_best=best == iteration)

    def write(self, taken: Taken) -> Path:
        """Write what was taken, and return when it is on the disk.

        Raises:
            OSError: If the disk refuses; what was there before is still there.
        """
        if self._present is None:
            self.folder.mkdir(exist_ok=True)
            self._present = self._files()
        with NewFile(self._new) as file:
            for piece in taken.snapshot.pieces():
                file.write(piece)
            path = self.folder / f"{taken.iteration:06d}-{file.checksum:08x}.pt"
            file.become(path, durable=True)
        if taken.is_best:
            self._link_best(path)
        sync_folder(self.folder)
        self._present = [*self._only_kept(self._present, path), (taken.iteration, path)]
        return path

    def newest(self) -> tuple[Path, Saved] | None:
        """Return the newest checkpoint that is whole, and whose best one is; say what is not."""
        self._remove_leftovers()
        files = self._files()
        for iteration, path in sorted(files, reverse=True):
            try:
                saved = self._read(path)
                best_of = saved.state["best_of"]
                best = best_of[iteration]
                best_path = path
                if best not in (None, iteration):
                    best_path = self._first_whole(best, _path_verified)
            except Unusable as reason:
                say(f"{path.parent.name}/{path.name} cannot be used: {reason}")
                continue
            self._best_of = best_of
            for number, other in files:
                if number == iteration and other != path:
                    other.unlink()  # a killed process had overtaken it, and did not come to this
            if best is not None and not self._is_best(best_path):
                self._link_best(best_path)
            return path, Saved(saved.state["state"], saved.far)
        if files:
            say("no checkpoint can be used: starting from the beginning")
        return None

    def begin_again(self) -> None:
        """Know of no checkpoint: those that were found are somewhere else now."""
        self._best_of = {}

    def state_at(self, iteration: int) -> Saved:
        """Return the state of an iteration that is kept.

        Raises:
            CheckpointError: If it is gone or damaged.
        """
        try:
            saved = self._first_whole(iteration, self._read)
        except Unusable as reason:
            raise CheckpointError(
                f"{self.folder}: the checkpoint of iteration {iteration} is needed: {reason}. "
                "Start the run again: it resumes from an earlier one, or set test_with: last."
            ) from None
        return Saved(saved.state["state"], saved.far)

    def _read(self, path: Path) -> Saved:
        """Read a checkpoint of ours."""
        saved = _read_verified(path, path.name)
        if saved.state.get("fingerprint") != self.fingerprint:
            raise Unusable(f"{path.name} belongs to a run with another configuration")
        if max(saved.state["best_of"]) != int(path.name.partition("-")[0]):
            raise Unusable(f"{path.name} holds another iteration")
        return saved

    def _files(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        names = ((NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [(int(found[1]), path) for found, path in names if found and path.is_file()]

    def _remove_leftovers(self) -> None:
        """Remove what a process that was killed while writing has left."""
        for path in self.folder.glob(f"*{TEMPORARY}"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _first_whole(self, iteration: int, read: Callable[[Path], Content]) -> Content:
        """Read the checkpoint of an iteration; of two, as a kill may leave them, one that is whole."""
        reason = Unusable(f"iteration {iteration} is gone")
        for path in [path for number, path in self._files() if number == iteration]:
            try:
                return read(path)
            except Unusable as damage:
                reason = damage
        raise reason

    def _is_best(self, path: Path) -> bool:
        return self._best.exists() and self._best.samefile(path)

    def _link_best(self, path: Path) -> None:
        """Name a checkpoint, which must not have the name, the best one, in one step."""
        try:
            self._new_best.hardlink_to(path)
        except FileExistsError:
            self._new_best.unlink()
            self._new_best.hardlink_to(path)
        self._new_best.replace(self._best)

    def _only_kept(
        self, present: list[tuple[int, Path]], newest: Path
    ) -> Iterator[tuple[int, Path]]:
        """Remove what is older than we keep, and what a resumed run has overtaken; yield the rest."""
        kept = {*self._best_of, *self._best_of.values()}
        latest = max(self._best_of)
        for iteration, path in present:
            if iteration in kept and iteration != latest:
                yield iteration, path
            elif path != newest:
                path.unlink(missing_ok=True)


def read_model_state(path: Path) -> State:
    """Return what a checkpoint of any run holds of the model: its `state_dict`, on the CPU.

    Raises:
        CheckpointError: If it is damaged, or no checkpoint.
    """
    try:
        # `best.pt` is another name of a file whose own name says what its content must be.
        names = [each.name for each in path.parent.iterdir() if NAME.fullmatch(each.name)]
        same = [name for name in names if path.samefile(path.with_name(name))]
        saved = _read_verified(path, same[0] if same else path.name)
        model: State = saved.state["state"]["modules"]["model"]
    except (Unusable, KeyError, TypeError) as reason:
        raise CheckpointError(f"{path}: it cannot be used: {reason}. Name another.") from None
    return model


def _read_verified(path: Path, name: str) -> Saved:
    """Read a checkpoint, its content verified by the name that a run gave it, then interpreted.

    Under another name its parts are verified, though not that they belong to each other.
    """
    content = _verified(path, name)
    far = set()

    def stay(storage: Storage, origin: str) -> Storage:
        if origin != "cpu":
            far.add(storage.data_ptr())
        return storage

    try:
        if NAME.fullmatch(name) is None and ZipFile(io.BytesIO(content)).testzip() is not None:
            raise Unusable(f"{path.name} is damaged")
        with torch.serialization.safe_globals([bytes]):  # an empty one is written as a call of it
            checkpoint: State = torch.load(io.BytesIO(content), stay, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, BadZipFile) as error:
        raise Unusable(f"{path.name}: {str(error).partition('.')[0]}") from None
    return Saved(checkpoint, frozenset(far))


def _path_verified(path: Path) -> Path:
    """Return the path of a checkpoint, once it is verified."""
    _verified(path)
    return path


def _verified(path: Path, name: str = "") -> bytes:
    """Read a checkpoint, verified by the checksum in its name, or in another that it has."""
    found = NAME.fullmatch(name or path.name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path.name}: {error.strerror}") from None
    if found is not None and zlib.crc32(content) != int(found[2], 16):
        raise Unusable(f"{path.name} is damaged")
    return content
