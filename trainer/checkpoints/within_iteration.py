"""The checkpoint within an iteration: the one file of an iteration that is in progress."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final, cast

from trainer.checkpoints.reading import Saved, Unusable, read_checkpoint
from trainer.checkpoints.record_checksums import Archive
from trainer.checkpoints.snapshot import Snapshots
from trainer.durable_files import TEMPORARY, NewFile, make_folder, sync_folder
from trainer.run_files import say

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.checkpoints.snapshot import Snapshot

    State = dict[str, Any]

PREFIX: Final = "within-"
NAME: Final = re.compile(rf"{PREFIX}(\d{{6,}})-[0-9a-f]{{8}}\.pt")
NEW: Final = f"within.pt{TEMPORARY}"


class WithinIteration:
    """The newest state within an iteration, named `within-<iteration>-<CRC-32>.pt`.

    It continues the checkpoint of the iteration before, and is of no use without it.

    Args:
        folder: The folder of the checkpoints.
        fingerprint: Identifies this run's checkpoints.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self._snapshots = Snapshots()

    def take(self, state: State) -> Snapshot:
        """Copy a state, which may change afterwards.

        Raises:
            CheckpointError: If the state has a value that cannot be loaded safely.
        """
        return self._snapshots.take({"fingerprint": self.fingerprint, "state": state})

    def write(self, iteration: int, snapshot: Snapshot) -> None:
        """Write a copy, and return once it is on the disk and others are removed.

        Raises:
            OSError: If it cannot be written; the earlier one is unchanged.
        """
        make_folder(self.folder)
        before = self._files()
        with NewFile(self.folder / NEW) as file:
            snapshot.save(cast("IO[bytes]", Archive(file)))
            path = self.folder / f"{PREFIX}{iteration:06d}-{file.checksum:08x}.pt"
            file.become(path, durable=True)
        sync_folder(self.folder)
        self._snapshots.give_back(snapshot)
        for other in before:
            if other != path:
                other.unlink(missing_ok=True)

    def newest(self, iteration: int) -> Saved | None:
        """Return the undamaged state within an iteration, if there is one; print damaged ones."""
        for path in self._files():
            if int(path.name.split("-")[1]) != iteration:
                continue
            try:
                saved = read_checkpoint(path)
            except Unusable as reason:
                say(f"{path.parent.name}/{path.name} cannot be used: {reason}")
                continue
            if saved.state.get("fingerprint") == self.fingerprint:
                return Saved(saved.state["state"], saved.far)
            say(f"{path.parent.name}/{path.name} belongs to a run with another configuration")
        return None

    def remove(self) -> None:
        """Remove what is left: the iterations are saved."""
        for path in self._files():
            path.unlink(missing_ok=True)
        (self.folder / NEW).unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in sorted(self.folder.iterdir()) if NAME.fullmatch(path.name)]
