"""Healing: restores what is missing or damaged in a run directory from the planned run."""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import config_yaml, durable, records
from orchestrator.rundir.build import identity_record
from orchestrator.rundir.identity_file import RefusedError, read_identity
from orchestrator.rundir.state import Status
from orchestrator.rundir.verify_config import check_planned, parse_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from orchestrator.grid.identity import Run
    from orchestrator.rundir.directory import RunDirectory

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def heal(directory: RunDirectory, run: Run, exclude: Sequence[str] | None) -> None:
    """Write the missing files of a run directory; the caller has to hold the lock of its parent.

    A killed process of an earlier version may have left a partial directory. Once there was an
    attempt, the config is written only if it is known to be the same, and the lock never: a process
    of the run may hold the one that was removed.

    Raises:
        OSError: A file cannot be written.
    """
    missing = [path for path in directory.made_of if not _is_there(path)]
    identity = _read(directory)
    if not missing and identity is not None:
        return
    text, is_new = config_yaml.text_of(run), directory.is_untouched()
    if directory.config in missing and (is_new or _tells_of(identity, run, text)):
        durable.write_file(directory.config, text)
    if identity is None:
        _rebuild_identity(directory, run, exclude)
    if directory.lock.path in missing and is_new:
        os.close(os.open(directory.lock.path, _NEW, 0o666))
        durable.sync_directory(directory.path)


def _read(directory: RunDirectory) -> Mapping[str, Any] | None:
    try:
        return read_identity(directory.identity)
    except RefusedError:
        raise
    except RunDirectoryError:
        return None


def _tells_of(identity: Mapping[str, Any] | None, run: Run, text: bytes) -> bool:
    """Return whether a directory was created with exactly this config."""
    if identity is None:
        return False
    made_with = identity["digest"], identity.get("config_sha256")
    return made_with == (run.digest, hashlib.sha256(text).hexdigest())


def _rebuild_identity(directory: RunDirectory, run: Run, exclude: Sequence[str] | None) -> None:
    """Rewrite ``run.json`` if the config proves which run this is; keep the damaged one aside."""
    try:
        content = durable.read_file(directory.config)
        check_planned(content, run, exclude or (), directory.config)
        parse_config(content, directory.config)
    except (OSError, RunDirectoryError):
        return  # the check that follows reports the problem
    if _is_there(directory.identity):
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        aside = directory.identity.with_name(f"{directory.identity.name}.unreadable-{moment}")
        directory.identity.rename(aside)
    record = identity_record(run, content, exclude, _made_at(directory))
    durable.write_file(directory.identity, records.dump(record))


def _made_at(directory: RunDirectory) -> str:
    """Return when the directory was created, as MLflow knows it, so that it stays the same run there."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(directory.delivery)):
            case {"created_at": str(created_at)}:
                return created_at
    status = directory.read_status()
    return status.started_at if isinstance(status, Status) else records.now()


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True
