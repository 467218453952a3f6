"""The identity of an experiment's folder: what tells it from its copies, in a store they share.

A folder that was moved keeps its identity, and finds its MLflow runs again. A copy gets one of its
own, for what it computes from now on is its own. Which of two folders is the copy follows from the
path that is written down: the folder that stands there is the original.
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
    """An identity, and where the folder was when it was written down."""

    id: str
    host: str
    path: str
    inode: int


def look_up_identity(experiment: ExperimentDirectory) -> str:
    """Return the identity of an experiment's folder; empty if it has none of its own yet."""
    known = _read(experiment.path)
    return known.id if known and _is_of(experiment.path, known) else ""


def keep_identity(experiment: ExperimentDirectory) -> str:
    """Return the identity of an experiment's folder, and make one where it has none of its own.

    Raises:
        OSError: It cannot be written down.
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
    """Tell whether an identity that stands in a folder is its own, rather than copied with it."""
    if known.host != socket.gethostname():
        # On another host nobody can look there; a shared file system shows the same folder.
        return known.inode == folder.stat().st_ino
    original = Path(known.path)
    if known.path == os.path.realpath(folder):
        return True
    with contextlib.suppress(OSError):
        if original.samefile(folder):
            return True
        there = _read(original)
        return there is None or there.id != known.id
    return True  # nothing is there any more: this folder was moved


def _read(folder: Path) -> _Identity | None:
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(folder / _NAME)):
            case {"id": str(id_), "host": str(host), "path": str(path), "inode": int(inode)} if id_:
                return _Identity(id_, host, path, inode)
    return None
