"""The run directory: the only place that spells the names of its files.

``<results_dir>/<experiment_id>/training/<run_id>/`` is complete whenever it can be seen; ``workshop``
builds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.config_diff import find_differences
from orchestrator.grid.identity import RunId
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.lock import MEND, RunLock
from orchestrator.rundir.outcome import NO_OUTCOME, Outcome, read_outcome
from orchestrator.rundir.state import Observation, Record, Status, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.grid.values import Value
    from orchestrator.rundir.records import Metric
    from orchestrator.rundir.state import Progress

_CONFIG: Final = "config.yaml"
_IDENTITY: Final = "run.json"
_LOCK: Final = "run.lock"
_STATUS: Final = "status.json"
_PROGRESS: Final = "progress.json"
_METRICS: Final = "metrics.jsonl"
_MOST_KEYS: Final = 5
_LOGS: Final = "logs"
_ATTEMPT_LOG = re.compile(r"attempt-(\d{3}|[1-9]\d{3,9})\.log", re.ASCII)


@dataclass(frozen=True, slots=True)
class Report:
    """What ``orch status`` tells of one run directory."""

    run_id: RunId
    overrides: Mapping[str, Value]
    created_at: str
    seen: Observation
    outcome: Outcome = NO_OUTCOME


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
        return self.path / _IDENTITY

    @property
    def metrics(self) -> Path:
        """The points that the trainer appends."""
        return self.path / _METRICS

    @property
    def results(self) -> Path:
        """What the trainer leaves at the end: its test results."""
        return self.path / "results.json"

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint of the best iteration, where the trainer keeps one."""
        return self.path / "checkpoints/best.pt"

    def attempt_logs(self) -> list[Path]:
        """Return the outputs of the attempts so far, in order."""
        return [self.attempt_log(attempt) for attempt in sorted(self._logged_attempts())]

    def look(self) -> tuple[object, ...]:
        """Return what changes whenever an attempt or its points do, at the price of two stats."""
        return tuple(_stat(f"{self.path}/{name}") for name in (_STATUS, _METRICS))

    def was_made_after(self, path: Path) -> bool:
        """Tell whether the directory was made after a file was written, at the price of two stats."""
        made, written = _stat(f"{self.path}/{_IDENTITY}"), _stat(str(path))
        return bool(made and written and made[-1] > written[-1])

    @property
    def delivery(self) -> Path:
        """What of this run has arrived at MLflow: beside it, for a finished run is never touched."""
        return self.path.parents[1] / "tracking" / f"{self.run_id}.json"

    @property
    def _status(self) -> Path:
        return self.path / _STATUS

    def attempt_log(self, attempt: int) -> Path:
        """Return the file for the output of an attempt."""
        return self.path / _LOGS / f"attempt-{attempt:03d}.log"

    def observe(self) -> Observation:
        """Look at the status, the lock and the progress; change nothing.

        The status is read again after the lock was found free, so an attempt that ends in between
        is not taken for one that died.

        Raises:
            OSError: This process lacks what it needs to look: descriptors, memory.
        """
        status = self.read_status()
        if _is_done(status):  # nothing changes that any more
            return self._observation(status, locked=False)
        try:
            locked = self.lock.is_held()
        except RunDirectoryError as error:
            return Observation(status, attempts=self._count_attempts(status), damage=str(error))
        return self._observation(status if locked else self.read_status(), locked=locked)

    def observe_locked(self) -> Observation:
        """Look as the holder of the lock: what is there was left by an attempt that is over."""
        return self._observation(self.read_status(), locked=False)

    def _observation(self, status: Status | Unreadable | None, *, locked: bool) -> Observation:
        progress = None if status is None else self.read_progress()
        return Observation(status, locked, self._count_attempts(status), progress)

    def report(self) -> Report:
        """Return what there is to tell; damage is told as the reason, never raised."""
        try:
            seen = self.observe()
            outcome = self.outcome() if seen.status else NO_OUTCOME
            return Report(self.run_id, self.read_overrides(), self.read_created_at(), seen, outcome)
        except RunDirectoryError as error:
            return Report(self.run_id, {}, "", Observation(status=Unreadable(str(error))))

    def read_status(self) -> Status | Unreadable | None:
        """Return what the last attempt wrote of itself; None if there was none.

        Raises:
            OSError: This process lacks what it needs to look: descriptors, memory.
        """
        try:
            return records.parse_status(durable.read_file(f"{self.path}/{_STATUS}"))
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
            return records.parse_progress(durable.read_file(self.path / _PROGRESS))
        return None

    def outcome(self) -> Outcome:
        """Return what the run has come to, in metrics: the one way to read them."""
        return read_outcome(self.path / _PROGRESS, self.metrics, self.results)

    def read_results(self) -> Mapping[str, Metric]:
        """Return what the trainer left under ``test``; nothing where it left nothing."""
        return self.outcome().results

    def read_overrides(self) -> Mapping[str, Value]:
        """Return the values of the axes that the run was made for.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged.
        """
        overrides = self._read_identity().get("overrides")
        return overrides if isinstance(overrides, dict) else {}

    def read_config(self) -> Mapping[str, Value]:
        """Return the config that the run trains with.

        Raises:
            RunDirectoryError: It is missing or damaged.
        """
        try:
            return config_yaml.read(durable.read_file(self.config))
        except (OSError, ValueError) as error:
            what = str(error).partition("\n")[0]
            raise RunDirectoryError(f"{self.config}: {what}. {MEND}") from None

    def read_created_at(self) -> str:
        """Return when the directory was made; another one under its name has another time.

        Raises:
            RunDirectoryError: ``run.json`` is missing or damaged.
        """
        return str(self._read_identity().get("created_at"))

    def check_identity(self, run: Run) -> None:
        """Make sure that the directory belongs to this run, and holds the config it was made with.

        Raises:
            RunDirectoryError: It belongs to another config, or cannot say to which.
        """
        identity = self._read_identity()
        if identity["digest"] != run.digest:
            raise RunDirectoryError(
                f"{self.path}: it belongs to another config, {self._compare(run)}. {MEND}"
            )
        try:
            found = hashlib.sha256(durable.read_file(self.config)).hexdigest()
        except OSError as error:
            if durable.is_shortage(error):
                raise
            raise RunDirectoryError(f"{self.config}: {error.strerror or error}. {MEND}") from None
        if identity.get("config_sha256", found) != found:
            raise RunDirectoryError(
                f"{self.config}: it was edited after the run had been made. Undo that, or move"
                " this directory away, and the run starts anew."
            )

    def _compare(self, run: Run) -> str:
        """Say in which keys the config here differs from a run's."""
        found = find_differences(self.read_config(), run.written)
        named = [f"{it.key} is {it.before} there, {it.now} here" for it in found[:_MOST_KEYS]]
        rest = len(found) - len(named)
        named += [f"and {rest} more"] if rest else []
        return "; ".join(named) or f"its digest is not {run.digest}"

    def _read_identity(self) -> Mapping[str, Any]:
        path = self.identity
        try:
            found = records.parse(durable.read_file(path))
        except OSError as error:
            raise RunDirectoryError(f"{path}: {error.strerror or error}. {MEND}") from None
        if not isinstance(found, dict) or not isinstance(found.get("digest"), str):
            raise RunDirectoryError(f"{path}: it does not say which run this is. {MEND}")
        return found

    def signs_of_progress(self) -> tuple[object, ...]:
        """Return something that changes whenever the trainer reports."""
        return tuple(_stat(f"{self.path}/{name}") for name in (_PROGRESS, _METRICS))

    def _count_attempts(self, status: Status | Unreadable | None) -> int:
        if isinstance(status, Status):
            return status.attempt
        if status is None:
            return 0
        return max(self._logged_attempts(), default=0)

    def _logged_attempts(self) -> Iterator[int]:
        """Yield the attempts that have a log, up to the largest number that is one's."""
        found = (_ATTEMPT_LOG.fullmatch(name) for name in _names(self.path / _LOGS))
        attempts = (int(match[1]) for match in found if match)
        return (each for each in attempts if 1 <= each < records.MOST_ATTEMPTS)


def _is_done(status: Status | Unreadable | None) -> TypeGuard[Status]:
    return isinstance(status, Status) and status.record is Record.DONE


def observe_done(run_id: RunId, training: int) -> Observation | None:
    """Look at a run, in the fewest steps, if it is done; its progress is passed over.

    ``training`` is the descriptor of the folder of the run directories. None: the run is not done,
    or that can not be told so quickly.
    """
    try:
        status = records.parse_status(durable.read_file(f"{run_id}/{_STATUS}", folder=training))
    except OSError:
        return None
    return Observation(status, attempts=status.attempt) if _is_done(status) else None


def _stat(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 # 10,000 times a look
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _names(path: Path) -> list[str]:
    """Return what stands in a folder, nothing if it is a link."""
    try:
        return [] if path.is_symlink() else os.listdir(path)  # noqa: PTH208 # only names
    except OSError as error:
        if durable.is_shortage(error):
            raise
        return []
