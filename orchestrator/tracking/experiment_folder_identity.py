"""The identity of an experiment's folder, which distinguishes it from its copies in a shared store.

A moved folder keeps its identity, and finds its MLflow runs again. A copy gets its own identity,
since its runs diverge from now on. The recorded path decides which of two folders is the copy: the
folder at that path is the original.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.folder_lock import exclusive

if TYPE_CHECKING:
    from orchestrator.rundir.experiment import ExperimentDirectory

_NAME: Final = "tracking/folder.json"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Identity:
    """An identity, and the location of the folder when it was recorded."""

    id: str
    host: str
    path: str
    inode: int


def look_up_identity(experiment: ExperimentDirectory) -> str:
    """Return the identity of an experiment's folder; empty if it does not have its own yet."""
    known = _read(experiment.path)
    return known.id if known and _is_of(experiment.path, known) else ""


def keep_identity(experiment: ExperimentDirectory) -> str:
    """Return the identity of an experiment's folder, creating one if it does not have its own.

    Raises:
        OSError: It cannot be written.
    """
    folder = experiment.path
    path = folder / _NAME
    durable.make_folder(path.parent)
    with exclusive(path.parent, logger.warning):
        known = _read(folder)
        kept = known.id if known and _is_of(folder, known) else secrets.token_hex(8)
        now = _Identity(kept, socket.gethostname(), os.path.realpath(folder), folder.stat().st_ino)
        if now != known:
            durable.write_file(path, records.dump(asdict(now)))
    return kept


def _is_of(folder: Path, known: _Identity) -> bool:
    """Return whether the identity in a folder is its own, rather than copied with the folder."""
    if known.host != socket.gethostname():
        # The path of another host cannot be checked; on a shared file system the inode is equal.
        return known.inode == folder.stat().st_ino
    original = Path(known.path)
    if known.path == os.path.realpath(folder):
        return True
    with contextlib.suppress(OSError):
        if original.samefile(folder):
            return True
        there = _read(original)
        return there is None or there.id != known.id
    return True  # the original path is gone: this folder was moved


def _read(folder: Path) -> _Identity | None:
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(folder / _NAME)):
            case {"id": str(id_), "host": str(host), "path": str(path), "inode": int(inode)} if id_:
                return _Identity(id_, host, path, inode)
    return None
