"""The folder of an experiment: ``<results_dir>/<experiment_id>``, and the runs in it."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RunId
from orchestrator.rundir.build import build, publish
from orchestrator.rundir.directory import RunDirectory, observe_done
from orchestrator.rundir.durable import exclusive, join

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.rundir.state import Observation

_RUN_ID = re.compile(r"[0-9a-f]{16}")
_WORKSHOP: Final = ".new-"


class ExperimentDirectory:
    """The folder of an experiment, which need not exist; ``training`` holds its run directories."""

    def __init__(self, results_dir: Path, experiment_id: str) -> None:
        self.results_dir = results_dir
        self.experiment_id = experiment_id
        self.path = results_dir / experiment_id
        self.training = self.path / "training"

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
        try:
            training = os.open(self.training, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # it has gone, or is hardly readable: every run directory sees for itself
            return {run_id: self.run(run_id).observe() for run_id in run_ids}
        try:
            return {
                run_id: observe_done(run_id, training) or self.run(run_id).observe()
                for run_id in run_ids
            }
        finally:
            os.close(training)

    def prepare(self) -> None:
        """Make the folder, prove that it can be written, and sweep what dead processes left.

        Raises:
            RunDirectoryError: It cannot be made or written.
        """
        try:
            self.training.mkdir(parents=True, exist_ok=True)
            with exclusive(self.training):
                for workshop in self.training.glob(f"{_WORKSHOP}*"):
                    shutil.rmtree(workshop)
                probe = self.training / f"{_WORKSHOP}probe"
                probe.mkdir()
                probe.rmdir()
        except OSError as error:
            raise RunDirectoryError(
                f"{self.training}: cannot write here ({error.strerror})."
                " Mend the permissions or the disk, or choose another results_dir."
            ) from None

    def join(self) -> bool:
        """Be one of the experiment's orchestrators until this process ends; tell if it is the only one.

        Raises:
            OSError: The folder cannot be written.
        """
        return join(self.path / "orchestrators.lock")

    def create(self, run: Run) -> RunDirectory:
        """Make the run directory of a run, or find the one that is there already.

        Raises:
            RunDirectoryError: The directory belongs to another config.
            OSError: The disk does not take it; nothing is left behind.
        """
        directory = self.run(run.run_id)
        workshop = self._workshop(run.run_id)
        with exclusive(self.training):
            if directory.path.is_dir():
                shutil.rmtree(workshop, ignore_errors=True)  # another orchestrator was faster
            else:
                if not workshop.is_dir():
                    build(run, workshop)
                publish(workshop, directory.path)
        directory.check_identity(run)
        return directory

    def build_ahead(self, runs: Iterable[Run]) -> None:
        """Build run directories beside their places, where only ``create`` finds them.

        Whoever holds the lock finds each complete or not at all: it is built, swept and renamed
        under the lock, and of two orchestrators each has its own.

        Raises:
            OSError: The disk does not take one; nothing is left behind of it.
        """
        for run in runs:
            workshop = self._workshop(run.run_id)
            if not (workshop.is_dir() or self.run(run.run_id).path.is_dir()):
                with exclusive(self.training):
                    build(run, workshop)

    def tear_down(self) -> None:
        """Remove what this process has built ahead, and ``create`` has not used."""
        # What stays where the disk does not answer is swept by the next ``prepare``.
        with suppress(OSError), exclusive(self.training):
            for workshop in self.training.glob(self._workshop("*").name):
                shutil.rmtree(workshop)

    def _workshop(self, run_id: str) -> Path:
        return self.training / f"{_WORKSHOP}{run_id}-{os.getpid()}"

    def remove(self, run_id: RunId) -> str:
        """Remove a run directory for good, unless a process of it lives; return why it stays.

        It is renamed first, to a name that is swept: whoever is killed in between leaves nothing
        that counts as a run.
        """
        directory = self.run(run_id)
        aside = self.training / f"{_WORKSHOP}removed-{run_id}"
        try:
            with exclusive(self.training):
                lock = directory.lock.open()
                try:
                    if not directory.lock.take(lock):
                        return "a process of it lives"
                    shutil.rmtree(aside, ignore_errors=True)
                    directory.path.rename(aside)
                    shutil.rmtree(aside)
                finally:
                    os.close(lock)
        except FileNotFoundError:
            return ""  # somebody else has removed it
        except OSError as error:
            return error.strerror or str(error)
        except RunDirectoryError as error:
            return str(error)
        return ""


def _is_run(name: str) -> bool:
    return _RUN_ID.fullmatch(name) is not None
