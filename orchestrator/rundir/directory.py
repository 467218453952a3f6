"""The run directory: the only place that spells the names of its files.

``<results_dir>/<experiment_id>/training/<run_id>/`` is complete whenever it can be seen; ``workshop``
builds it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeGuard

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RunId
from orchestrator.rundir import durable, records
from orchestrator.rundir.lock import RunLock
from orchestrator.rundir.logs import log_of, logged_attempts, names_in
from orchestrator.rundir.run_metrics import NO_OUTCOME, Outcome, read_outcome, read_versions
from orchestrator.rundir.state import Observation, Record, State, Status, Unreadable
from orchestrator.rundir.status_report import Report
from orchestrator.rundir.survivors import Survivors
from orchestrator.rundir.verify_config import (
    MEND,
    check_executed,
    check_own_config,
    parse_config,
    read_identity,
    whose,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run
    from orchestrator.rundir.state import Progress

_CONFIG: Final = "config.yaml"
IDENTITY: Final = "run.json"
_LOCK: Final = "run.lock"
STATUS: Final = "status.json"
_PROGRESS: Final = "progress.json"
_METRICS: Final = "metrics.jsonl"
_RESULTS: Final = "results.json"


class RunDirectory:
    """All that is known of one run; ``path`` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run_id(self) -> RunId:
        """The run's ID, which is the directory's name."""
        return RunId(self.path.name)

    @property
    def lock(self) -> RunLock:
        """What tells whether a process of an attempt lives."""
        return RunLock(self.path / _LOCK)

    @property
    def config(self) -> Path:
        """The resolved config that the run trains with."""
        return self.path / _CONFIG

    @property
    def identity(self) -> Path:
        """Which run this is, by its digest, and since when."""
        return self.path / IDENTITY

    @property
    def metrics(self) -> Path:
        """The points that the trainer appends."""
        return self.path / _METRICS

    @property
    def results(self) -> Path:
        """What the trainer leaves at the end: its test results."""
        return self.path / _RESULTS

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint of the best iteration, where the trainer keeps one."""
        return self.path / "checkpoints/best.pt"

    @property
    def made_of(self) -> tuple[Path, ...]:
        """The files that a run directory has from the first moment that it can be seen."""
        return self.config, self.identity, self.lock.path

    def is_untouched(self) -> bool:
        """Tell whether no attempt has ever left anything here."""
        own = {path.name for path in self.made_of}
        return all(
            name in own or name.startswith((".", f"{IDENTITY}.unreadable-"))
            for name in names_in(self.path)
        )

    def is_done(self) -> bool:
        """Tell whether the status says that the run has finished."""
        return says_done(self.read_status())

    def attempt_logs(self) -> list[Path]:
        """Return the outputs of the attempts so far, in order."""
        return [log_of(self.path, attempt) for attempt in logged_attempts(self.path)]

    def look(self) -> tuple[object, ...]:
        """Return what changes whenever an attempt or its points do, at the price of two stats."""
        return tuple(_stat(f"{self.path}/{name}") for name in (STATUS, _METRICS))

    def was_made_after(self, path: Path) -> bool:
        """Tell whether the directory was made after a file was written, at the price of two stats."""
        made, written = _stat(f"{self.path}/{IDENTITY}"), _stat(str(path))
        return bool(made and written and made[-1] > written[-1])

    @property
    def delivery(self) -> Path:
        """What of this run has arrived at MLflow: beside it, for a finished run is never touched."""
        return self.path.parents[1] / "tracking" / f"{self.run_id}.json"

    @property
    def _status(self) -> Path:
        return self.path / STATUS

    def attempt_log(self, attempt: int) -> Path:
        """Return the file for the output of an attempt."""
        return log_of(self.path, attempt)

    def observe(self, survivors: Survivors | None = None) -> Observation:
        """Look at the status, the lock and the progress; change nothing.

        The status is read again after the lock was found free, so an attempt that ends in between
        is not taken for one that died. Who looks at many runs at once hands over ``survivors``.

        Raises:
            OSError: This process lacks what it needs to look: descriptors, memory.
        """
        status = self.read_status()
        if says_done(status):  # nothing changes that any more
            return self._compare_identity(self._observation(status, locked=False))
        try:
            locked = self.lock.is_held()
        except RunDirectoryError as error:
            is_missing = not os.path.lexists(self.lock.path)
            if not (is_missing and status is None and self.is_untouched()):
                attempts = self._count_attempts(status)
                return Observation(status, attempts=attempts, damage=str(error))
            locked = False  # half a directory that no attempt has seen, which the next run heals
        if locked:
            return self._observation(status, locked=True)
        seen = self._observation(self.read_status(), locked=False)
        if seen.state is State.STALE:  # is it, though nobody holds the lock?
            seen = replace(seen, survivors=(survivors or Survivors()).of(self.path))
        return self._compare_identity(seen)

    def _compare_identity(self, seen: Observation) -> Observation:
        """Add what ``run.json`` says of another run, or that it says nothing."""
        try:
            foreign = whose(read_identity(self.identity), self.run_id)
        except RunDirectoryError as error:
            # Of a run that is still to be executed, it is healed or refused at its start.
            return replace(seen, flaw=str(error)) if seen.state is State.DONE else seen
        return replace(seen, damage=f"{self.identity}: {foreign}") if foreign else seen

    def observe_locked(self) -> Observation:
        """Look as the holder of the lock: what is there was left by an attempt that is over."""
        return self._observation(self.read_status(), locked=False)

    def _observation(self, status: Status | Unreadable | None, *, locked: bool) -> Observation:
        progress = None if status is None else self.read_progress()
        return Observation(status, locked, self._count_attempts(status), progress)

    def report(self, survivors: Survivors | None = None) -> Report:
        """Return what there is to tell; damage is told as the reason, never raised."""
        try:
            seen = self.observe(survivors)
            outcome = self.outcome() if seen.status else NO_OUTCOME
            identity = read_identity(self.identity)
            overrides, created_at = (
                records.parse_overrides(identity),
                str(identity.get("created_at")),
            )
            return Report(self.run_id, overrides, created_at, seen, outcome)
        except RunDirectoryError as error:
            return Report(self.run_id, {}, "", Observation(status=Unreadable(str(error))))

    def read_status(self) -> Status | Unreadable | None:
        """Return what the last attempt wrote of itself; None if there was none.

        Raises:
            OSError: This process lacks what it needs to look: descriptors, memory.
        """
        try:
            return records.parse_status(durable.read_file(f"{self.path}/{STATUS}"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if durable.is_shortage(error):
                raise
            return Unreadable(error.strerror or str(error))

    def write_status(self, status: Status, *, named: bool = True) -> None:
        """Replace the status, durably; what cannot be read is kept aside. Only under the lock."""
        if isinstance(self.read_status(), Unreadable):
            moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
            self._status.rename(self.path / f"status.json.unreadable-{moment}")
        durable.write_file(self._status, records.dump_status(status), named=named)

    def read_progress(self) -> Progress | None:
        """Return how far the trainer says it is; None where it says nothing."""
        with contextlib.suppress(OSError):
            return records.parse_progress(durable.read_file(f"{self.path}/{_PROGRESS}"))
        return None

    def outcome(self) -> Outcome:
        """Return what the run has come to, in metrics: the one way to read them."""
        folder = f"{self.path}"
        return read_outcome(f"{folder}/{_PROGRESS}", f"{folder}/{_METRICS}", f"{folder}/{_RESULTS}")

    def versions(self) -> frozenset[int | None]:
        """Return the versions of the arithmetic behind the results; none where there are none."""
        return read_versions(f"{self.path}/{_RESULTS}")

    def read_overrides(self) -> Mapping[str, Value]:
        """Return the values of the axes that the run was made for.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged.
        """
        return records.parse_overrides(read_identity(self.identity))

    def read_config(self) -> Mapping[str, Value]:
        """Return the config that the run trains with.

        Raises:
            RunDirectoryError: It is missing or damaged, or not the one that the run was made with.
        """
        content = self._read_config_text()
        config = parse_config(content, self.config)
        try:
            identity = read_identity(self.identity)
        except RunDirectoryError:
            return config  # that is told where the run's state is
        check_own_config(content, config, identity, self.config)
        return config

    def read_created_at(self) -> str:
        """Return when the directory was made; another one under its name has another time.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged.
        """
        return str(read_identity(self.identity).get("created_at"))

    def check_identity(self, run: Run, exclude: Sequence[str] | None = None) -> None:
        """Make sure that the directory belongs to this run, and holds the config it was made with.

        Raises:
            RunDirectoryError: It belongs to another config, or cannot say to which.
        """
        identity, content = read_identity(self.identity), self._read_config_text()
        check_executed(content, identity, run, exclude or (), self.config)

    def _read_config_text(self) -> bytes:
        try:
            return durable.read_file(self.config)
        except OSError as error:
            if durable.is_shortage(error):
                raise
            raise RunDirectoryError(f"{self.config}: {error.strerror or error}. {MEND}") from None

    def signs_of_progress(self) -> tuple[object, ...]:
        """Return something that changes whenever the trainer reports."""
        return tuple(_stat(f"{self.path}/{name}") for name in (_PROGRESS, _METRICS))

    def _count_attempts(self, status: Status | Unreadable | None) -> int:
        if isinstance(status, Status):
            return status.attempt
        if status is None:
            return 0
        return max(logged_attempts(self.path), default=0)


def says_done(status: Status | Unreadable | None) -> TypeGuard[Status]:
    """Tell whether a status is that of a run that has finished."""
    return isinstance(status, Status) and status.record is Record.DONE


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 # 10,000 times a look
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
