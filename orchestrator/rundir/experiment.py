"""The experiment directory: ``<results_dir>/<experiment_id>``, and the run directories in it."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RUN_ID_DIGITS, RunId
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.folder_lock import HeldLockError, exclusive, is_enforced, is_joined, join
from orchestrator.rundir.identity_file import NO_DIRECTORY
from orchestrator.rundir.logs import check_folder
from orchestrator.rundir.quick_look import observe_done
from orchestrator.rundir.replaced import IS_LIVE, ReplacedRuns, release, why_not_moved
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.rundir.build import StagedDirectories
    from orchestrator.rundir.control_file import ControlFile
    from orchestrator.rundir.experiment_stop_file import StopFile
    from orchestrator.rundir.state import Observation

_RUN_ID = re.compile(rf"[0-9a-f]{{{RUN_ID_DIGITS}}}")
_ORCHESTRATORS: Final = "orchestrators.lock"
_CONTROL: Final = "control.json"


class ExperimentDirectory:
    """The folder of an experiment, which need not exist; ``training`` holds its run directories.

    ``identity_exclude`` are the keys that are not part of the identity of its runs; None if unknown.
    """

    def __init__(
        self, results_dir: Path, experiment_id: str, identity_exclude: Sequence[str] | None = None
    ) -> None:
        self.results_dir = results_dir
        self.experiment_id = experiment_id
        self.path = results_dir / experiment_id
        self.training = self.path / "training"
        self.identity_exclude = identity_exclude
        # Numbers of iterations of runs that new ones may extend.
        self.totals: frozenset[int] = frozenset()
        self._is_alone: bool | None = None  # None: this process has not joined
        self.replaced = ReplacedRuns(self.training, is_run_id)

    @cached_property
    def _staged(self) -> StagedDirectories:
        from orchestrator.rundir.build import StagedDirectories  # noqa: PLC0415 # a plan builds nothing

        return StagedDirectories(self.training, self.identity_exclude)

    def run(self, run_id: RunId) -> RunDirectory:
        """Return the run directory of a run, whether it exists or not."""
        return RunDirectory(self.training / run_id)

    def runs(self) -> list[RunDirectory]:
        """Return the run directories that exist, in the order of run IDs; ignore other names.

        Raises:
            RunDirectoryError: The folder cannot be read.
        """
        return [self.run(run_id) for run_id in self.run_ids()]

    def standing(self) -> list[RunDirectory]:
        """Return the run directories whose results stand: of a rerun that is not done, the earlier one.

        Raises:
            RunDirectoryError: The folder cannot be read.
        """
        run_ids, kept = self.run_ids(), set(self.replaced.run_ids())
        return [
            self.replaced.kept(run_id)
            if run_id in kept and not self.run(run_id).is_done()
            else self.run(run_id)
            for run_id in (sorted(kept.union(run_ids)) if kept else run_ids)
        ]

    def run_ids(self) -> list[RunId]:
        """Return the names of the run directories that exist, in order.

        Raises:
            RunDirectoryError: The folder cannot be read.
        """
        try:
            names = os.listdir(self.training)  # noqa: PTH208 # faster for 100,000 names
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RunDirectoryError(
                f"{self.training}: {error.strerror}. Check its permissions, or choose another results_dir."
            ) from None
        return [RunId(name) for name in sorted(names) if is_run_id(name)]

    def observe(self, run_ids: Iterable[RunId]) -> dict[RunId, Observation]:
        """Observe many runs; the progress of those that are done is not read."""
        survivors = Survivors()
        try:
            training = os.open(self.training, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # it is gone or unreadable, which each run directory reports
            return {run_id: self.run(run_id).observe(survivors) for run_id in run_ids}
        try:
            return {
                run_id: observe_done(run_id, training) or self.run(run_id).observe(survivors)
                for run_id in run_ids
            }
        finally:
            os.close(training)

    def observe_among(
        self, runs: Sequence[Run], existing: Collection[RunId]
    ) -> dict[int, Observation]:
        """Observe those of the runs that have a directory; return what was seen, by their indices."""
        from orchestrator.grid.lazy_runs import find_places  # noqa: PLC0415 # only for grids

        places = find_places(runs, existing)
        seen = self.observe(places)
        return {at: seen[run_id] for run_id, at in places.items()}

    def prepare(self, tell: Callable[[str], None] | None = None) -> None:
        """Create the folder, check that it is writable, and sweep what dead processes left.

        ``tell`` is called if another process keeps this one waiting.

        Raises:
            RunDirectoryError: It cannot be created or written.
            HeldLockError: Without ``tell``, another process does not release the folder's lock.
        """
        from orchestrator.rundir.build import sweep  # noqa: PLC0415 # as above

        try:
            self.training.mkdir(parents=True, exist_ok=True)
            with exclusive(self.training, tell):
                if not is_enforced(self.training):
                    raise RunDirectoryError(
                        f"{self.training}: locks do not work on this file system, so live runs cannot"
                        " be detected. Choose a results_dir on another file system."
                    )
                sweep(self.training)
                probe = self.training / f".new-{os.urandom(8).hex()}"
                probe.mkdir()
                probe.rmdir()
                freed = self.replaced.settle()
            for path in freed:
                shutil.rmtree(path, ignore_errors=True)
        except HeldLockError:
            raise
        except OSError as error:
            raise RunDirectoryError(
                f"{self.training}: cannot write here ({error.strerror or error})."
                " Check the permissions and the disk, or choose another results_dir."
            ) from None

    def join(self, tell: Callable[[str], None] | None = None) -> bool:
        """Register as an orchestrator of the experiment until this process ends.

        Returns whether it is the only one; the same again if it is called again.

        Raises:
            HeldLockError: As for ``prepare``.
            RunDirectoryError: The file cannot be locked, or something else stands in its place.
        """
        if self._is_alone is not None:
            return self._is_alone
        path = self.path / _ORCHESTRATORS
        try:
            self._is_alone = join(path, tell)
            return self._is_alone
        except HeldLockError:
            raise
        except OSError as error:
            raise RunDirectoryError(
                f"{path}: it cannot be locked ({error.strerror or error})."
                " Remove it, or fix the permissions or the disk."
            ) from None

    def is_executed(self) -> bool:
        """Return whether an orchestrator executes the experiment, also between runs and in pauses."""
        try:
            return is_joined(self.path / _ORCHESTRATORS)
        except OSError:
            return False

    def is_first(self) -> bool:
        """Return whether this experiment has no runs yet, and there is nothing else beside it."""
        try:
            beside = [name for name in os.listdir(self.results_dir) if name != self.experiment_id]  # noqa: PTH208 # names suffice
        except OSError:
            beside = []
        return not beside and not self.run_ids()

    def stop_file(self) -> StopFile:
        """Return the file by which orchestrators of the experiment are asked to stop."""
        from orchestrator.rundir.experiment_stop_file import StopFile  # noqa: PLC0415 # not to plan

        return StopFile(self.path)

    def control_file(self) -> ControlFile:
        """Return the file by which orchestrators of the experiment are asked to change."""
        from orchestrator.rundir.control_file import ControlFile  # noqa: PLC0415 # as above

        return ControlFile(self.path / _CONTROL, self.training)

    def create(self, run: Run) -> RunDirectory:
        """Create the run directory of a run, or complete the existing one.

        Raises:
            RunDirectoryError: The directory belongs to another config, or is not a directory.
            HeldLockError: Another process does not release the folder's lock.
            OSError: It cannot be written; nothing is left behind.
        """
        from orchestrator.rundir.healing import heal  # noqa: PLC0415 # as above

        directory = self.run(run.run_id)
        with exclusive(self.training):
            if directory.path.is_dir():
                self._staged.drop([run.run_id])  # another orchestrator was faster
                heal(directory, run, self.identity_exclude)
            elif os.path.lexists(directory.path):
                raise RunDirectoryError(f"{directory.path}: {NO_DIRECTORY}")
            else:
                self._staged.publish(run, directory.path, self.totals)
        directory.check_identity(run, self.identity_exclude)
        check_folder(directory.path)
        return directory

    def build_ahead(self, runs: Iterable[Run]) -> None:
        """Build run directories in staging directories, from where ``create`` publishes them.

        Raises:
            HeldLockError: Another process does not release the folder's lock.
            OSError: One cannot be written; nothing of it is left behind.
        """
        for run in runs:
            if not (run.run_id in self._staged or self.run(run.run_id).path.is_dir()):
                with exclusive(self.training):
                    self._staged.build(run, self.totals)

    def tear_down(self) -> None:
        """Remove what this process has built ahead, and earlier directories of runs that are done."""
        # What cannot be removed is swept by the next ``prepare``.
        with suppress(OSError):
            with exclusive(self.training):
                self._staged.drop()
                freed = self.replaced.settle()
            for path in freed:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, run_id: RunId, tell: Callable[[str], None] | None = None) -> str:
        """Remove a run directory, unless a process of it lives; return why it was kept, if it was.

        It is renamed first, to a name that is swept, so that a process that is killed in between
        leaves nothing that looks like a run.
        """
        directory = self.run(run_id)
        lock = -1
        try:
            with exclusive(self.training, tell):
                if os.path.lexists(directory.path):
                    if why_not := self._why_not_removed(directory):
                        return why_not
                    lock = directory.lock.open()
                    if not directory.lock.take(lock):
                        return IS_LIVE
                paths = self.replaced.kept(run_id).path, directory.path
                freed = [release(path, self.training) for path in paths]
            for path in filter(None, freed):
                shutil.rmtree(path)  # while its lock is held, so that no other process sweeps it
        except FileNotFoundError:
            return ""  # another process has removed it
        except OSError as error:
            return error.strerror or str(error)
        except RunDirectoryError as error:
            return str(error)
        finally:
            if lock >= 0:
                os.close(lock)
        return ""

    def _why_not_removed(self, directory: RunDirectory) -> str:
        if not (directory.path.is_symlink() or directory.is_done()) and self.is_executed():
            return "another orch run executes this experiment, and may be about to start it"
        return why_not_moved(directory)


def is_run_id(name: str) -> bool:
    """Return whether a name is that of a run directory."""
    return _RUN_ID.fullmatch(name) is not None
