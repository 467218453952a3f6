"""Builds run directories in staging directories, which are renamed into place when they are complete.

A staging directory has a name that no other process, container or host can choose, and its owner
holds the lock in it. It is swept once nobody holds that lock: its owner is dead. It is renamed before
it is removed, so that a partial directory is never found under its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.extension import find_siblings
from orchestrator.grid.identity import RUN_ID_DIGITS
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.identity_file import STAND_INS
from orchestrator.rundir.replaced import REPLACES, replaced_by
from orchestrator.rundir.verify_config import check_written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run, RunId

EXTENDS: Final = "extends"
_PREFIX: Final = ".new-"
# Names of this and of earlier versions; a file, a link or another folder with the prefix is the user's.
_OURS: Final = re.compile(
    rf"\.new-(?:[0-9a-f]{{{RUN_ID_DIGITS}}}(?:-[0-9a-f]+)?|(?:removed|swept)-[0-9a-f]+|probe)"
)


def identity_record(
    run: Run, text: bytes, exclude: Sequence[str] | None, created_at: str
) -> dict[str, object]:
    """Return the content of ``run.json`` for a run with this config."""
    record: dict[str, object] = {
        "schema": records.SCHEMA,
        "run_id": run.run_id,
        "digest": run.digest,
        "overrides": dict(run.overrides),
        "given": {key: given for key, given in run.given.items() if key not in (exclude or ())},
        "choices": dict(run.choices),
        "created_at": created_at,
        "config_sha256": hashlib.sha256(text).hexdigest(),
    }
    if run.stand_ins:
        record[STAND_INS] = [[list(path), value] for path, value in run.stand_ins.items()]
    return record if exclude is None else record | {"identity_exclude": list(exclude)}


def build(run: Run, staging: Path, exclude: Sequence[str] | None = None) -> None:
    """Build a run directory in ``staging``, complete and synced, for ``publish``.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    os.close(_build(run, staging, exclude))


def _build(
    run: Run, staging: Path, exclude: Sequence[str] | None, totals: Collection[int] = ()
) -> int:
    """Build a run directory and return the locked descriptor that keeps it from being swept.

    Raises:
        IdentityError: What would be written is not the config that was planned.
        OSError: It cannot be written; nothing is left behind.
    """
    text = config_yaml.text_of(run)
    identity = identity_record(run, text, exclude, records.now())
    check_written(text, identity)
    if replaces := replaced_by(staging.parent, run.run_id):
        identity[REPLACES] = replaces
    elif extends := find_siblings(run.run_id, run.config, totals, exclude or ()):
        identity[EXTENDS] = list(extends)
    staging.mkdir()
    made = RunDirectory(staging)
    lock = -1
    try:
        lock = os.open(made.lock.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        durable.write_file(made.config, text, named=False)  # the names are synced once, below
        if run.environment:  # it names the source of a credential
            made.config.chmod(0o600)
        durable.write_file(made.identity, records.dump(identity), named=False)
        durable.sync_directory(staging)
    except BaseException:
        if lock >= 0:
            os.close(lock)
        _discard(made)
        raise
    return lock


def _discard(made: RunDirectory) -> None:
    """Remove a partial run directory without opening a descriptor: the limit may be reached."""
    with suppress(OSError):
        for path in made.made_of:
            path.unlink(missing_ok=True)
        made.path.rmdir()


def publish(staging: Path, path: Path) -> None:
    """Rename a staging directory to ``path``, so that it appears there complete.

    The parent is not synced: the runner does that before the run has anything to lose.

    Raises:
        FileNotFoundError: It is not complete: another process has swept it, or a part of it.
        OSError: It cannot be renamed.
    """
    for name in RunDirectory(staging).made_of:
        name.lstat()
    staging.rename(path)


class StagedDirectories:
    """The run directories that this process has built and not yet published.

    The caller of a method, except ``__contains__``, has to hold the lock of the folder.
    """

    def __init__(self, training: Path, exclude: Sequence[str] | None) -> None:
        self._training = training
        self._exclude = exclude
        self._built: dict[RunId, tuple[Path, int]] = {}

    def __contains__(self, run_id: RunId) -> bool:
        """Return whether the directory of a run has been built."""
        return run_id in self._built

    def build(self, run: Run, totals: Collection[int] = ()) -> None:
        """Build the directory of a run.

        Args:
            run: The run.
            totals: Numbers of iterations of runs that it may extend.

        Raises:
            OSError: It cannot be written; nothing is left behind.
        """
        staging = self._training / f"{_PREFIX}{run.run_id}-{os.urandom(16).hex()}"
        self._built[run.run_id] = staging, _build(run, staging, self._exclude, totals)

    def publish(self, run: Run, path: Path, totals: Collection[int] = ()) -> None:
        """Rename the directory of a run into place; build it first if necessary, see ``build``.

        Raises:
            OSError: It cannot be written; nothing is left behind.
        """
        with suppress(FileNotFoundError):  # an earlier version swept it, or a part of it
            if run.run_id in self._built:
                self._publish(run.run_id, path)
                return
        self.build(run, totals)
        self._publish(run.run_id, path)

    def _publish(self, run_id: RunId, path: Path) -> None:
        staging = self._release(run_id)
        try:
            publish(staging, path)
        except BaseException:
            take_away(staging)
            raise

    def drop(self, run_ids: Collection[RunId] | None = None) -> None:
        """Remove what has been built for some runs, or for all."""
        for run_id in [*self._built] if run_ids is None else [*run_ids]:
            if run_id in self._built:
                take_away(self._release(run_id))

    def _release(self, run_id: RunId) -> Path:
        staging, lock = self._built.pop(run_id)
        fcntl.flock(lock, fcntl.LOCK_UN)  # also if a fork has inherited the descriptor
        os.close(lock)
        return staging


def take_away(path: Path) -> None:
    """Remove a directory so that it is never found partially under its name; ignore errors."""
    aside = path.with_name(f"{_PREFIX}swept-{os.urandom(16).hex()}")
    with suppress(OSError):
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def sweep(training: Path) -> None:
    """Remove the staging directories of dead processes; the caller has to hold the folder's lock.

    A directory that cannot be removed is ignored.
    """
    for path in _staged_in(training):
        if not _has_maker(path):
            take_away(path)


def _staged_in(training: Path) -> Iterator[Path]:
    with os.scandir(training) as entries:
        found = [each for each in entries if _OURS.fullmatch(each.name)]
    return (training / each.name for each in found if each.is_dir(follow_symlinks=False))


def _has_maker(staging: Path) -> bool:
    """Return whether a process holds the lock in a staging directory: it builds or removes it."""
    lock = RunDirectory(staging).lock
    try:
        return lock.is_held()
    except OSError:
        return True  # unknown now
    except RunDirectoryError:
        return False  # there is no lock to hold
