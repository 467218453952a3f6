"""Building run directories beside their places, from where each is renamed into it, whole.

A directory that is being built, or was built ahead, has a name that no other process, container or
host can have, and its maker holds the lock in it. It is swept only once nobody holds that: its maker
is dead. It is renamed before it is removed, so that half of one is never found under its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import RUN_ID_DIGITS
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run, RunId

_PREFIX: Final = ".new-"
# Ours, and those of earlier versions; a file, a link or another folder of that prefix is the user's.
_OURS: Final = re.compile(
    rf"\.new-(?:[0-9a-f]{{{RUN_ID_DIGITS}}}(?:-[0-9a-f]+)?|(?:removed|swept)-[0-9a-f]+|probe)"
)


def identity_record(
    run: Run, text: bytes, exclude: Sequence[str] | None, created_at: str
) -> dict[str, object]:
    """Return what stands in the ``run.json`` of a run with this config."""
    record: dict[str, object] = {
        "schema": records.SCHEMA,
        "run_id": run.run_id,
        "digest": run.digest,
        "overrides": dict(run.overrides),
        "created_at": created_at,
        "config_sha256": hashlib.sha256(text).hexdigest(),
    }
    return record if exclude is None else record | {"identity_exclude": list(exclude)}


def build(run: Run, workshop: Path, exclude: Sequence[str] | None = None) -> None:
    """Make a run directory in ``workshop``, complete and on the disk, for ``publish``.

    Raises:
        OSError: The disk does not take it; nothing is left behind.
    """
    os.close(_build(run, workshop, exclude))


def _build(run: Run, workshop: Path, exclude: Sequence[str] | None) -> int:
    """Build a run directory and return the descriptor that keeps it from being swept."""
    text = config_yaml.text_of(run)
    identity = identity_record(run, text, exclude, records.now())
    workshop.mkdir()
    made = RunDirectory(workshop)
    lock = -1
    try:
        lock = os.open(made.lock.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        durable.write_file(made.config, text)
        if run.environment:  # it tells where a credential is; that is nobody else's business
            made.config.chmod(0o600)
        durable.write_file(made.identity, records.dump(identity))
        durable.sync_directory(workshop)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        _discard(made)
        raise
    return lock


def _discard(made: RunDirectory) -> None:
    """Remove what was built of a run directory; that takes no descriptor, of which there may be none."""
    with suppress(OSError):
        for path in made.made_of:
            path.unlink(missing_ok=True)
        made.path.rmdir()


def publish(workshop: Path, path: Path) -> None:
    """Rename a run directory that was built to ``path``, where it is complete at once.

    Its name survives a power cut as soon as the runner has seen to it: no sooner is there anything
    to lose.

    Raises:
        FileNotFoundError: It is not complete: somebody has swept it, or half of it.
        OSError: The disk does not take it.
    """
    for name in RunDirectory(workshop).made_of:
        name.lstat()
    workshop.rename(path)


class Workshops:
    """The run directories that this process has built and not yet published.

    All methods expect the caller to hold the lock of the folder, but for ``__contains__``.
    """

    def __init__(self, training: Path, exclude: Sequence[str] | None) -> None:
        self._training = training
        self._exclude = exclude
        self._built: dict[RunId, tuple[Path, int]] = {}

    def __contains__(self, run_id: RunId) -> bool:
        """Tell whether a run's directory has been built."""
        return run_id in self._built

    def build(self, run: Run) -> None:
        """Build the directory of a run.

        Raises:
            OSError: The disk does not take it; nothing is left behind of it.
        """
        workshop = self._training / f"{_PREFIX}{run.run_id}-{secrets.token_hex(16)}"
        self._built[run.run_id] = workshop, _build(run, workshop, self._exclude)

    def publish(self, run: Run, path: Path) -> None:
        """Rename the directory of a run into its place, and build it first where that is missing.

        Raises:
            OSError: The disk does not take it; nothing is left behind.
        """
        with suppress(FileNotFoundError):  # another version swept it, and perhaps died over that
            if run.run_id in self._built:
                self._publish(run.run_id, path)
                return
        self.build(run)
        self._publish(run.run_id, path)

    def _publish(self, run_id: RunId, path: Path) -> None:
        workshop = self._release(run_id)
        try:
            publish(workshop, path)
        except BaseException:
            take_away(workshop)
            raise

    def drop(self, run_ids: Collection[RunId] | None = None) -> None:
        """Remove what has been built for some runs, or for all."""
        for run_id in [*self._built] if run_ids is None else [*run_ids]:
            if run_id in self._built:
                take_away(self._release(run_id))

    def _release(self, run_id: RunId) -> Path:
        workshop, lock = self._built.pop(run_id)
        fcntl.flock(lock, fcntl.LOCK_UN)  # also where a fork has the descriptor
        os.close(lock)
        return workshop


def take_away(path: Path) -> None:
    """Remove a directory so that half of it is never found under its name; errors leave it there."""
    aside = path.with_name(f"{_PREFIX}swept-{secrets.token_hex(16)}")
    with suppress(OSError):
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def sweep(training: Path) -> None:
    """Remove what dead processes have left beside run directories; the caller holds the folder's lock.

    What cannot be removed stays, and hinders nobody.
    """
    for path in _workshops(training):
        if not _has_maker(path):
            take_away(path)


def _workshops(training: Path) -> Iterator[Path]:
    with os.scandir(training) as entries:
        found = [each for each in entries if _OURS.fullmatch(each.name)]
    return (training / each.name for each in found if each.is_dir(follow_symlinks=False))


def _has_maker(workshop: Path) -> bool:
    """Tell whether a process holds the lock in a directory: it builds it, or removes it."""
    lock = RunDirectory(workshop).lock
    try:
        return lock.is_held()
    except OSError:
        return True  # that cannot be told now
    except RunDirectoryError:
        return False  # there is no lock that could be held
