"""The folder of an experiment: ``<results_dir>/<experiment_id>``, and the runs in it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RUN_ID_DIGITS, RunId
from orchestrator.rundir.build import Workshops, sweep
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.folder_lock import HeldLockError, exclusive, is_enforced, is_joined, join
from orchestrator.rundir.healing import heal
from orchestrator.rundir.logs import check_folder
from orchestrator.rundir.quick_look import observe_done
from orchestrator.rundir.state import State
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.rundir.state import Observation

_RUN_ID = re.compile(rf"[0-9a-f]{{{RUN_ID_DIGITS}}}")
_ORCHESTRATORS: Final = "orchestrators.lock"
_LIVES: Final = "a process of it lives"


class ExperimentDirectory:
    """The folder of an experiment, which need not exist; ``training`` holds its run directories.

    ``identity_exclude`` are the keys that do not count for the identity of its runs; None: that is
    not known.
    """

    def __init__(
        self, results_dir: Path, experiment_id: str, identity_exclude: Sequence[str] | None = None
    ) -> None:
        self.results_dir = results_dir
        self.experiment_id = experiment_id
        self.path = results_dir / experiment_id
        self.training = self.path / "training"
        self._exclude = identity_exclude
        self._workshops = Workshops(self.training, identity_exclude)

    def run(self, run_id: RunId) -> RunDirectory:
        """Return the run directory of a run, whether it exists or not."""
        return RunDirectory(self.training / run_id)

    def runs(self) -> list[RunDirectory]:
        """Return the run directories that exist, by run ID; foreign names are passed over.

        Raises:
            RunDirectoryError: The folder cannot be read.
        """
        return [self.run(run_id) for run_id in self.run_ids()]

    def run_ids(self) -> list[RunId]:
        """Return the names of the run directories that exist, in order.

        Raises:
            RunDirectoryError: The folder cannot be read.
        """
        try:
            names = os.listdir(self.training)  # noqa: PTH208 # names are all we need, of 100,000
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise RunDirectoryError(f"{self.training}: {error.strerror}.") from None
        return [RunId(name) for name in sorted(names) if _is_run(name)]

    def observe(self, run_ids: Iterable[RunId]) -> dict[RunId, Observation]:
        """Look at many runs as each run directory would; pass over the progress of those done."""
        survivors = Survivors()
        try:
            training = os.open(self.training, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # it has gone, or is hardly readable: every run directory sees for itself
            return {run_id: self.run(run_id).observe(survivors) for run_id in run_ids}
        try:
            return {
                run_id: observe_done(run_id, training) or self.run(run_id).observe(survivors)
                for run_id in run_ids
            }
        finally:
            os.close(training)

    def prepare(self, tell: Callable[[str], None] | None = None) -> None:
        """Make the folder, prove that it can be written, and sweep what dead processes left.

        ``tell`` is told where another process keeps this one waiting.

        Raises:
            RunDirectoryError: It cannot be made or written.
            HeldLockError: Without ``tell``, another process does not give the folder's lock back.
        """
        try:
            self.training.mkdir(parents=True, exist_ok=True)
            with exclusive(self.training, tell):
                if not is_enforced(self.training):
                    raise RunDirectoryError(
                        f"{self.training}: locks do not work on this file system, so nobody can"
                        " tell which runs live. Choose a results_dir on another one."
                    )
                sweep(self.training)
                probe = self.training / f".new-{secrets.token_hex(8)}"
                probe.mkdir()
                probe.rmdir()
        except HeldLockError:
            raise
        except OSError as error:
            raise RunDirectoryError(
                f"{self.training}: cannot write here ({error.strerror or error})."
                " Mend the permissions or the disk, or choose another results_dir."
            ) from None

    def join(self, tell: Callable[[str], None] | None = None) -> bool:
        """Be one of the experiment's orchestrators until this process ends; tell if it is the only one.

        Raises:
            HeldLockError: As for ``prepare``.
            OSError: The folder cannot be written.
        """
        return join(self.path / _ORCHESTRATORS, tell)

    def is_executed(self) -> bool:
        """Tell whether an orchestrator is at work on the experiment: between runs and in pauses, too."""
        try:
            return is_joined(self.path / _ORCHESTRATORS)
        except OSError:
            return False

    def create(self, run: Run) -> RunDirectory:
        """Make the run directory of a run, or find the one that is there already, and make it whole.

        Raises:
            RunDirectoryError: The directory belongs to another config.
            HeldLockError: Another process does not give the folder's lock back.
            OSError: The disk does not take it; nothing is left behind.
        """
        directory = self.run(run.run_id)
        with exclusive(self.training):
            if directory.path.is_dir():
                self._workshops.drop([run.run_id])  # another orchestrator was faster
                heal(directory, run, self._exclude)
            else:
                self._workshops.publish(run, directory.path)
        directory.check_identity(run, self._exclude)
        check_folder(directory.path)
        return directory

    def build_ahead(self, runs: Iterable[Run]) -> None:
        """Build run directories beside their places, where only ``create`` finds them.

        Raises:
            HeldLockError: Another process does not give the folder's lock back.
            OSError: The disk does not take one; nothing is left behind of it.
        """
        for run in runs:
            if not (run.run_id in self._workshops or self.run(run.run_id).path.is_dir()):
                with exclusive(self.training):
                    self._workshops.build(run)

    def tear_down(self) -> None:
        """Remove what this process has built ahead, and ``create`` has not used."""
        # What stays where the disk does not answer is swept by the next ``prepare``.
        with suppress(OSError), exclusive(self.training):
            self._workshops.drop()

    def remove(self, run_id: RunId, tell: Callable[[str], None] | None = None) -> str:
        """Remove a run directory for good, unless a process of it lives; return why it stays.

        It is renamed first, to a name that is swept: a process that is killed in between leaves
        nothing that counts as a run.
        """
        directory = self.run(run_id)
        lock = -1
        try:
            with exclusive(self.training, tell):
                if why_not := self._why_not_removed(directory):
                    return why_not
                lock = directory.lock.open()
                if not directory.lock.take(lock):
                    return _LIVES
                aside = self.training / f".new-swept-{secrets.token_hex(16)}"
                directory.path.rename(aside)
            shutil.rmtree(aside)  # while its lock is held, so that nobody else sweeps it
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
        if directory.path.is_symlink():
            return "it is a link, and what it leads to is not in this folder. Remove it by hand"
        if not directory.is_done() and is_joined(self.path / _ORCHESTRATORS):
            return "another orch run is at work here, and may be about to start it"
        if directory.observe().state is State.RUNNING:  # also where nobody holds the lock any more
            return _LIVES
        return ""


def _is_run(name: str) -> bool:
    return _RUN_ID.fullmatch(name) is not None
