"""The store of a run's checkpoints: written atomically, verified before use, and limited in number."""

from __future__ import annotations

import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from trainer.checkpoints.reading import (
    NAME,
    Saved,
    Unusable,
    is_same_file,
    open_checkpoint,
    read_checkpoint,
    verify_checkpoint,
)
from trainer.checkpoints.record_checksums import Archive
from trainer.checkpoints.snapshot import Snapshots
from trainer.durable_files import (
    TEMPORARY,
    NewFile,
    make_folder,
    move_over,
    put_aside,
    sync_folder,
)
from trainer.errors import CheckpointError
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from trainer.checkpoints.snapshot import Snapshot

    State = dict[str, Any]

Content = TypeVar("Content")

BEST = "best.pt"
NEW = f"new.pt{TEMPORARY}"
NEW_BEST = f"{BEST}{TEMPORARY}"


@dataclass(frozen=True, slots=True)
class Taken:
    """An iteration that is to be written, and the iterations that are kept beside it."""

    iteration: int
    snapshot: Snapshot
    kept: frozenset[int | None]
    is_best: bool


class Checkpoints:
    """The last few checkpoints and the best one, each named `<iteration>-<CRC-32>.pt`.

    The last `keep_last` are kept, and the best one of each of them; `best.pt` is a hard link to the
    best so far, or a copy on file systems without hard links.

    Args:
        folder: The folder, which is created with the first checkpoint.
        keep_last: How many to keep in case the newest is damaged.
        fingerprint: Identifies this run's checkpoints.
    """

    def __init__(self, folder: Path, keep_last: int, fingerprint: str) -> None:
        self.folder = folder
        self.keep_last = keep_last
        self.fingerprint = fingerprint
        self._best_of: dict[int, int | None] = {}
        self._snapshots = Snapshots()
        self._new = folder / NEW
        self._best = folder / BEST
        self._new_best = folder / NEW_BEST
        # The files in the folder, read once: no other process writes to it.
        self._present: list[tuple[int, Path]] | None = None

    def take(self, iteration: int, state: State, best: int | None) -> Taken:
        """Copy an iteration's state, which may change afterwards.

        Args:
            iteration: The completed iteration.
            state: The state, in tensors and plain values.
            best: The best iteration so far, including this one.

        Raises:
            CheckpointError: If the state has a value that cannot be loaded safely.
        """
        known = [(each, its) for each, its in self._best_of.items() if each < iteration]
        best_of = {**dict([*known, (iteration, best)][-self.keep_last :])}
        snapshot = self._snapshots.take(self._content(iteration, state, best_of))
        self._best_of = best_of
        return Taken(iteration, snapshot, self._kept(), is_best=best == iteration)

    def take_best(self, iteration: int, state: State) -> Taken:
        """Copy the modules in the state of the best iteration so far, if no run can resume from it."""
        kept: State = {key: state[key] for key in ("modules", "modes") if key in state}
        content = self._content(iteration, {"iteration": iteration, **kept}, {iteration: iteration})
        snapshot = self._snapshots.take(content | {"is_only_best": True})
        return Taken(iteration, snapshot, self._kept() | {iteration}, is_best=True)

    def _kept(self) -> frozenset[int | None]:
        """Return the last few iterations, and the best one of each of them."""
        return frozenset(self._best_of) | frozenset(self._best_of.values())

    def _content(self, iteration: int, state: State, best_of: dict[int, int | None]) -> State:
        own = {"iteration": iteration, "fingerprint": self.fingerprint}
        return {**own, "state": state, "best_of": best_of}

    def write(self, *all_taken: Taken) -> Path:
        """Write checkpoints, the oldest first, and return once they are on the disk.

        Checkpoints that would be removed at once are skipped.

        Raises:
            OSError: If one cannot be written; the earlier ones are unchanged.
        """
        if self._present is None:
            make_folder(self.folder)
            self._present = self._files()
        kept = all_taken[-1].kept
        written: dict[int, Path] = {}
        for taken in all_taken:
            if taken.iteration in kept:
                written[taken.iteration] = self._write(taken)
            self.give_back(taken)
        bests = [taken.iteration for taken in all_taken if taken.is_best]
        if bests and bests[-1] in written:
            self._name_best(written[bests[-1]])
        sync_folder(self.folder)
        self._remove_others(kept, written)
        return written[all_taken[-1].iteration]

    def _write(self, taken: Taken) -> Path:
        """Write a checkpoint."""
        with NewFile(self._new) as file:
            taken.snapshot.save(cast("IO[bytes]", Archive(file)))
            path = self.folder / f"{taken.iteration:06d}-{file.checksum:08x}.pt"
            file.become(path, durable=True)
        return path

    def give_back(self, taken: Taken) -> None:
        """Let the next copy reuse the memory of one that is no longer needed."""
        self._snapshots.give_back(taken.snapshot)

    def newest(self) -> tuple[Path, Saved] | None:
        """Return the newest undamaged checkpoint whose best one is undamaged; print damaged ones.

        Raises:
            ConfigError: If the path of the folder is something else.
        """
        make_folder(self.folder)
        self._remove_leftovers()
        files = self._files()
        for iteration, path in sorted(files, reverse=True):
            try:
                saved = self._read(path)
                if saved.state.get("is_only_best"):
                    continue  # it has only the best modules
                best_of = saved.state["best_of"]
                best = best_of[iteration]
                best_path = path
                if best not in (None, iteration):
                    best_path = self._first_whole(best, verify_checkpoint)
            except Unusable as reason:
                say(f"{path.parent.name}/{path.name} cannot be used: {reason}")
                continue
            self._best_of = best_of
            for number, other in files:
                if number == iteration and other != path:
                    other.unlink()  # left by a process that was killed before it removed it
            if best is not None and not is_same_file(self._best, best_path):
                self._name_best(best_path)
            return path, Saved(saved.state["state"], saved.far)
        if files:
            say("no checkpoint can be used; starting from the first iteration")
        return None

    def begin_again(self) -> None:
        """Forget the checkpoints that were found: they have been moved away."""
        self._best_of = {}

    def state_at(self, iteration: int) -> Saved:
        """Return the state of an iteration that is kept.

        Raises:
            CheckpointError: If it is missing or damaged.
        """
        try:
            saved = self._first_whole(iteration, self._read)
        except Unusable as reason:
            raise CheckpointError(
                f"{self.folder}: the checkpoint of iteration {iteration} cannot be used: {reason}. "
                "Start the run again to resume from an earlier one, or set test_with: last."
            ) from None
        return Saved(saved.state["state"], saved.far)

    def _read(self, path: Path) -> Saved:
        """Read a checkpoint of this run."""
        saved = read_checkpoint(path)
        if saved.state.get("fingerprint") != self.fingerprint:
            raise Unusable(f"{path.name} belongs to a run with another configuration")
        if max(saved.state["best_of"]) != int(path.name.partition("-")[0]):
            raise Unusable(f"{path.name} is of another iteration")
        return saved

    def _files(self) -> list[tuple[int, Path]]:
        if not self.folder.is_dir():
            return []
        names = ((NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [(int(found[1]), path) for found, path in names if found and _is_regular(path)]

    def _remove_leftovers(self) -> None:
        """Remove the temporary files of a process that was killed while writing."""
        for name in (NEW, NEW_BEST):
            if _is_regular(self.folder / name):
                (self.folder / name).unlink()

    def _first_whole(self, iteration: int, read: Callable[[Path], Content]) -> Content:
        """Read the checkpoint of an iteration; of two, as a kill may leave them, the undamaged one."""
        reason = Unusable(f"iteration {iteration} is missing")
        for path in [path for number, path in self._files() if number == iteration]:
            try:
                return read(path)
            except Unusable as damage:
                reason = damage
        raise reason

    def _name_best(self, path: Path) -> None:
        """Make `best.pt` a name of another checkpoint, atomically."""
        new = self._new_best
        try:
            try:
                new.hardlink_to(path)
            except FileExistsError:  # left by a killed process, or a folder of somebody
                put_aside(new)
                new.unlink(missing_ok=True)
                new.hardlink_to(path)
        except OSError:
            # FAT and many network and FUSE file systems have no hard links; the errors differ.
            with open_checkpoint(path) as original, NewFile(new) as copy:
                shutil.copyfileobj(original, cast("IO[bytes]", copy), 1 << 20)
                copy.become(self._best, durable=True)
            return
        move_over(new, self._best)

    def _remove_others(self, kept: frozenset[int | None], written: dict[int, Path]) -> None:
        """Remove checkpoints that are not kept, and those that a resumed run has replaced."""
        before, self._present = self._present or [], [*written.items()]
        for iteration, path in before:
            if iteration in kept and iteration not in written:
                self._present.append((iteration, path))
            elif path != written.get(iteration):
                path.unlink(missing_ok=True)


def _is_regular(path: Path) -> bool:
    """Return whether a path is a regular file, and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
