"""Replaced runs: the run directories that ``orch rerun`` keeps until their new attempts are done.

``replaced/<run_id>`` beside ``training`` is the run directory as it was. It is moved there before the
run starts from nothing, and removed once the new run directory is done. A mark ``<run_id>.done`` keeps
the same command from repeating what is done, as long as a rerun of another run is not.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RunId
from orchestrator.rundir import durable
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.identity_file import read_identity
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


FOLDER: Final = "replaced"
REPLACES: Final = "replaces"  # in run.json: when the directory was created that a rerun replaces
IS_LIVE: Final = "a process of it is live"
_DONE: Final = ".done"


class ReplacedRuns:
    """The kept run directories of an experiment, and the marks of those whose reruns are done.

    ``training`` is the folder of the run directories; ``is_run`` tells their names from others.
    """

    def __init__(self, training: Path, is_run: Callable[[str], bool]) -> None:
        self.path = training.parent / FOLDER
        self._training = training
        self._is_run = is_run

    def run_ids(self) -> list[RunId]:
        """Return the runs whose earlier directory is kept, in order."""
        return sorted(RunId(name) for name in self._names() if self._is_run(name))

    def kept(self, run_id: RunId) -> RunDirectory:
        """Return the earlier directory of a run, whether it is kept or not."""
        return RunDirectory(self.path / run_id)

    def is_finished(self, run_id: RunId) -> bool:
        """Return whether a run was rerun by a command that has not rerun all of its runs yet."""
        return (self.path / f"{run_id}{_DONE}").exists()

    def choose(self, run_ids: Sequence[RunId]) -> Sequence[RunId]:
        """Return those of the runs that a rerun has to execute.

        If an earlier rerun of one of them was interrupted, those that it has finished are left out.
        """
        begun = set(self.run_ids())
        if begun.isdisjoint(run_ids):
            return run_ids
        return [each for each in run_ids if each in begun or not self.is_finished(each)]

    def prepare(self) -> None:
        """Create the folder that directories are moved to.

        Raises:
            RunDirectoryError: It cannot be created.
        """
        try:
            durable.make_folder(self.path)
        except OSError as error:
            raise RunDirectoryError(
                f"{self.path}: cannot write here ({error.strerror or error})."
                " Check the permissions and the disk, or move away what is there."
            ) from None

    def put_aside(self, run_ids: Iterable[RunId], tell: Callable[[str], None]) -> dict[RunId, str]:
        """Move run directories aside; return those that stay in place, with the reason.

        One that is kept already stays: its new attempt is continued. Each move is one rename, after
        which the run has not run yet; a process that is killed leaves the others as they were.

        Raises:
            RunDirectoryError: As for ``prepare``.
            OSError: The folder of the run directories cannot be locked.
        """
        self.prepare()
        reasons = {}
        for run_id in run_ids:
            with exclusive(self._training, tell):
                if reason := self._put_aside(run_id):
                    reasons[run_id] = reason
        durable.sync_directory(self.path)
        durable.sync_directory(self._training)
        return reasons

    def _put_aside(self, run_id: RunId) -> str:
        directory, aside = RunDirectory(self._training / run_id), self.path / run_id
        if aside.exists() or not directory.path.exists():
            return ""
        lock = -1
        try:
            if reason := why_not_moved(directory):
                return reason
            lock = directory.lock.open()
            if not directory.lock.take(lock):
                return IS_LIVE
            (self.path / f"{run_id}{_DONE}").unlink(missing_ok=True)
            directory.path.rename(aside)
        except OSError as error:
            return error.strerror or str(error)
        except RunDirectoryError as error:
            return str(error)
        finally:
            if lock >= 0:
                os.close(lock)
        return ""

    def settle(self) -> list[Path]:
        """Set the earlier directories of runs that are done free, and return where they are now.

        The folder's lock has to be held. What is not removed then is swept later.
        """
        kept = self.run_ids()
        freed = [self._settle(run_id) for run_id in kept if self._is_done(run_id)]
        if kept and not self.run_ids():
            for name in self._names():
                if name.endswith(_DONE):
                    with suppress(OSError):
                        (self.path / name).unlink()
            with suppress(OSError):
                self.path.rmdir()
        return [path for path in freed if path]

    def _is_done(self, run_id: RunId) -> bool:
        return RunDirectory(self._training / run_id).is_done()

    def _settle(self, run_id: RunId) -> Path | None:
        with suppress(OSError):
            (self.path / f"{run_id}{_DONE}").touch()
            return release(self.path / run_id, self._training)
        return None

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.path)  # noqa: PTH208 # only names
        except OSError:  # there is none
            return []


def why_not_moved(directory: RunDirectory) -> str:
    """Return why a run directory must stay in its place; an empty string if it may be moved."""
    if directory.path.is_symlink():
        return "it is a link to another folder. Remove it by hand"
    seen = directory.observe()
    if seen.state is State.RUNNING:  # also if nobody holds the lock
        return IS_LIVE
    return seen.reason if seen.state is State.UNPROVEN else ""


def release(path: Path, training: Path) -> Path | None:
    """Rename a run directory to a name that is swept, and return that; None if it does not exist.

    Raises:
        OSError: It cannot be renamed.
    """
    aside = training / f".new-swept-{os.urandom(16).hex()}"
    with suppress(FileNotFoundError):
        path.rename(aside)
        return aside
    return None


def kept_for(directory: RunDirectory) -> Path | None:
    """Return the earlier directory of a run that a rerun keeps, None if there is none."""
    kept = directory.path.parents[1] / FOLDER / directory.run_id
    return kept if kept.is_dir() else None


def is_rerun(directory: RunDirectory) -> bool:
    """Return whether a run directory replaces an earlier one of the run.

    Raises:
        RunDirectoryError: ``run.json`` is missing or damaged.
    """
    return REPLACES in read_identity(directory.identity)


def replaced_by(training: Path, run_id: RunId) -> str | None:
    """Return when the earlier directory of a run was created, if it is kept until a new one is done."""
    with suppress(RunDirectoryError):
        return RunDirectory(training.parent / FOLDER / run_id).read_created_at()
    return None
