"""The run directory: the names of its files, and what they say about the run.

``<results_dir>/<experiment_id>/training/<run_id>/`` is complete from the moment it exists;
``rundir.build`` builds it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeGuard, cast

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import durable, program_files
from orchestrator.rundir.chosen_values import ChosenValues, parse_chosen
from orchestrator.rundir.identity_file import (
    FIX_DISK,
    NO_DIRECTORY,
    read_identity,
    unusable,
    whose,
)
from orchestrator.rundir.lock import RunLock
from orchestrator.rundir.logs import log_of, logged_attempts, names_in
from orchestrator.rundir.malformed_files import describe_odd_files
from orchestrator.rundir.mlflow_run_request import describe_problem
from orchestrator.rundir.program_files import METRICS, PROGRESS, RESULTS, stat_of
from orchestrator.rundir.run_metrics import read_versions
from orchestrator.rundir.state import Observation, Record, State, Status, Unreadable
from orchestrator.rundir.status_file import STATUS, read_earlier, read_status, write_status
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.rundir.run_metrics import Outcome
    from orchestrator.rundir.state import Progress

_CONFIG: Final = "config.yaml"
IDENTITY: Final = "run.json"
_LOCK: Final = "run.lock"
NOTE: Final = "note.json"


class RunDirectory:
    """The directory of one run; ``path`` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> RunId:
        """The run's ID, which is the directory's name."""
        return cast("RunId", self.path.name)

    @property
    def lock(self) -> RunLock:
        """The lock that processes of an attempt hold."""
        return RunLock(self.path / _LOCK)

    @property
    def config(self) -> Path:
        """The resolved config that the run trains with."""
        return self.path / _CONFIG

    @property
    def identity(self) -> Path:
        """``run.json``: the identity of the run, and when it was created."""
        return self.path / IDENTITY

    @property
    def metrics(self) -> Path:
        """The metric points that the trainer appends."""
        return self.path / METRICS

    @property
    def results(self) -> Path:
        """The test results that the trainer writes at the end."""
        return self.path / RESULTS

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint of the best iteration, if the trainer keeps one."""
        return self.path / "checkpoints/best.pt"

    @property
    def made_of(self) -> tuple[Path, ...]:
        """The files that a run directory has from the moment it exists."""
        return self.config, self.identity, self.lock.path

    def is_untouched(self) -> bool:
        """Return whether no attempt has left a file here."""
        own = {path.name for path in self.made_of}
        return all(
            name in own or name.startswith((".", f"{IDENTITY}.unreadable-"))
            for name in names_in(self.path)
        )

    def is_done(self) -> bool:
        """Return whether the status says that the run has finished."""
        return says_done(self.read_status())

    def attempt_logs(self) -> list[Path]:
        """Return the logs of the attempts so far, in order."""
        return [log_of(self.path, attempt) for attempt in logged_attempts(self.path)]

    def look(self) -> tuple[object, ...]:
        """Return a value that changes with status, metrics and note; costs three ``stat`` calls."""
        return tuple(stat_of(f"{self.path}/{name}") for name in (STATUS, METRICS, NOTE))

    def was_made_after(self, path: Path) -> bool:
        """Return whether the directory was created after a file was written; costs two ``stat`` calls."""
        made, written = stat_of(f"{self.path}/{IDENTITY}"), stat_of(str(path))
        return bool(made and written and made[-1] > written[-1])

    @property
    def delivery(self) -> Path:
        """The record of what was delivered to MLflow; outside, as finished runs are never changed."""
        return self.path.parents[1] / "tracking" / f"{self.run_id}.json"

    def attempt_log(self, attempt: int) -> Path:
        """Return the file for the output of an attempt."""
        return log_of(self.path, attempt)

    def observe(self, survivors: Survivors | None = None) -> Observation:
        """Observe the status, the lock and the progress, without changing anything.

        The status is read again after the lock was found free, so that an attempt that ends in
        between does not look like a killed one.

        Args:
            survivors: Shared by the observations of many runs; None: a scan for this run alone.

        Raises:
            OSError: This process is out of descriptors or memory.
        """
        status = self.read_status()
        if says_done(status):  # that is final
            return self._compare_identity(self._observation(status, locked=False))
        try:
            locked = self.lock.is_held()
        except RunDirectoryError as error:
            is_there = os.path.lexists(self.lock.path)
            if is_there or status is not None or not self.is_untouched():
                attempts = self._count_attempts(status)
                return Observation(status, attempts=attempts, damage=str(error))
            locked = False  # a partial directory without attempts is healed when the run starts
        if locked:
            return self._observation(status, locked=True)
        seen = self._observation(self.read_status(), locked=False)
        if seen.is_unlocked_and_unfinished:  # or does a process live that does not hold the lock?
            seen = replace(seen, survivors=(survivors or Survivors()).of(self.path))
            seen = self._compare_host(seen)
        return self._compare_identity(seen)

    def _compare_identity(self, seen: Observation) -> Observation:
        """Add whether ``run.json`` names another run, or cannot be read."""
        try:
            identity = read_identity(self.identity)
        except RunDirectoryError as error:
            if self.path.is_file() or (self.path.is_symlink() and not self.path.exists()):
                return replace(seen, damage=f"{self.path}: {NO_DIRECTORY}")
            # If the run is still to be executed, the file is healed, or an error, at its start.
            return replace(seen, flaw=str(error)) if seen.state is State.DONE else seen
        foreign = whose(identity, self.run_id)
        damage = f"{self.identity}: {foreign}" if foreign else seen.damage
        return replace(seen, identity=identity, damage=damage)

    def _compare_host(self, seen: Observation) -> Observation:
        """Add the host on which a run may be live although its lock is free here."""
        status = seen.status
        if not isinstance(status, Status) or status.record is not Record.RUNNING:
            return seen
        from orchestrator.rundir.sharing_hosts import unreachable_host  # noqa: PLC0415 # few end so

        return replace(seen, unreachable=unreachable_host(self.path, status))

    def observe_locked(self) -> Observation:
        """Observe as the holder of the lock: the last attempt is over, as far as locks can tell."""
        return self._compare_host(self._observation(self.read_status(), locked=False))

    def _observation(self, status: Status | Unreadable | None, *, locked: bool) -> Observation:
        progress = None if status is None else self.read_progress()
        may_resume = status is not None and not says_done(status)
        damage = ""
        if isinstance(status, Unreadable) and status.is_refused and not locked:
            damage = f"{self.path / STATUS}: {status.why}. {FIX_DISK}"
        checkpoint = program_files.find_checkpoint(f"{self.path}") if may_resume else ""
        attempts = self._count_attempts(status)
        return Observation(status, locked, attempts, progress, checkpoint, damage=damage)

    def read_status(self) -> Status | Unreadable | None:
        """Return the status that the last attempt wrote; None if there was no attempt.

        Raises:
            OSError: This process is out of descriptors or memory.
        """
        return read_status(f"{self.path}")

    def write_status(self, status: Status, *, named: bool = True) -> None:
        """Replace the status, durably, as ``status_file``. Requires the lock."""
        write_status(self.path, status, named=named)

    def earlier_attempts(self) -> Mapping[int, Status]:
        """Return the last status of each attempt before the last one, by their numbers."""
        return read_earlier(self.path)

    def read_progress(self) -> Progress | None:
        """Return the progress that the program reports, or None."""
        return program_files.read_progress(f"{self.path}")

    def outcome(self, *, whole: bool = False) -> Outcome:
        """Return the metrics of the run; ``whole``: also those that are rarely logged."""
        return program_files.read_outcome(f"{self.path}", whole=whole)

    def notices(self) -> tuple[str, ...]:
        """Return the program's note, the files of an unexpected shape, and whether MLflow was missing."""
        note = progress.note if (progress := self.read_progress()) else ""
        problem = describe_problem(self.path, self._count_attempts(self.read_status()))
        return (*((note,) if note else ()), *describe_odd_files(f"{self.path}"), *problem)

    def versions(self) -> frozenset[int | None]:
        """Return the numbers versions behind the results; an empty set without results."""
        return read_versions(f"{self.path}/{RESULTS}")

    def read_chosen(self) -> ChosenValues:
        """Return the values that the run was created with.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged.
        """
        return parse_chosen(read_identity(self.identity))

    def read_config(self) -> Mapping[str, Value]:
        """Return the config that the run trains with.

        Raises:
            RunDirectoryError: It is missing, damaged, or was changed since the run was created.
        """
        from orchestrator.rundir import verify_config  # noqa: PLC0415 # no runner reads configs

        return verify_config.read_verified(self.config, self.identity)[0]

    def read_hashed_config(self) -> Mapping[str, Value]:
        """Return the config as ``read_config``, with stand-ins for what only this run has.

        Raises:
            RunDirectoryError: As for ``read_config``.
        """
        from orchestrator.rundir import verify_config  # noqa: PLC0415 # as above

        found = verify_config.read_verified(self.config, self.identity)
        return verify_config.with_stand_ins(*found)

    def read_created_at(self) -> str:
        """Return when the directory was created; a recreated one has another time.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged, or cannot be read.
        """
        return str(read_identity(self.identity).get("created_at"))

    def check_identity(self, run: Run, exclude: Sequence[str] | None = None) -> None:
        """Check that the directory belongs to this run, and that its config is unchanged.

        Raises:
            RunDirectoryError: It belongs to another config, or does not say to which.
        """
        from orchestrator.rundir.verify_config import check_executed  # noqa: PLC0415 # as above

        identity, content = read_identity(self.identity), self._read_config_text()
        check_executed(content, identity, run, exclude or (), self.config)

    def _read_config_text(self) -> bytes:
        try:
            return durable.read_file(self.config)
        except OSError as error:
            raise unusable(self.config, error) from None

    def signs_of_progress(self) -> tuple[object, ...]:
        """Return a value that changes whenever the program reports progress or metrics."""
        return tuple(stat_of(f"{self.path}/{name}") for name in (PROGRESS, METRICS))

    def signs_of_the_end(self) -> tuple[object, object]:
        """Return two values that change when the program reports progress, and results."""
        return stat_of(f"{self.path}/{PROGRESS}"), stat_of(f"{self.path}/{RESULTS}")

    def _count_attempts(self, status: Status | Unreadable | None) -> int:
        if isinstance(status, Status):
            return status.attempt
        return 0 if status is None else max(logged_attempts(self.path), default=0)


def says_done(status: Status | Unreadable | None) -> TypeGuard[Status]:
    """Return whether a status is that of a finished run."""
    return isinstance(status, Status) and status.record is Record.DONE
