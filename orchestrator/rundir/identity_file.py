"""``run.json``: which run a directory belongs to, and the errors if a file of it cannot be used.

Every runner reads this: it imports next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.grid.identity import RunId

MOVE_AWAY: Final = "Move this directory away to restart the run."
NO_DIRECTORY: Final = "it is not a directory. Move it away to start the run."
FIX_DISK: Final = "Fix the permissions or the disk, and repeat the command."
STAND_INS: Final = "identity_stand_ins"  # what was hashed in place of what only this run has


class RefusedError(RunDirectoryError):
    """The system refused to read a file: that says nothing about what is in it."""


def unusable(path: Path, error: OSError) -> RunDirectoryError:
    """Return the error that tells of a file that cannot be used, and what to do about it.

    A directory is moved away only for what stands in it, never because the system refused to look.

    Raises:
        OSError: This process lacks what it needs to look: descriptors, memory.
    """
    if durable.is_shortage(error):
        raise error
    what = f"{path}: {error.strerror or error}."
    if durable.is_refusal(error):
        return RefusedError(f"{what} {FIX_DISK}")
    return RunDirectoryError(f"{what} {MOVE_AWAY}")


def read_identity(path: Path) -> Mapping[str, Any]:
    """Return what ``run.json`` says; it names a digest, and the overrides are plain values.

    Raises:
        RunDirectoryError: It is missing or damaged, or cannot be read.
        OSError: This process lacks what it needs to look: descriptors, memory.
    """
    try:
        found = records.parse(durable.read_file(path))
    except OSError as error:
        raise unusable(path, error) from None
    if not isinstance(found, dict) or not isinstance(found.get("digest"), str):
        raise RunDirectoryError(f"{path}: it does not name the run. {MOVE_AWAY}")
    return found


def whose(identity: Mapping[str, Any], run_id: RunId) -> str:
    """Say which other run a ``run.json`` belongs to; an empty text if it is the run's own."""
    digest, named = identity["digest"], identity.get("run_id", run_id)
    if named == run_id and digest.startswith(run_id):
        return ""
    other = named if named != run_id else digest[: len(run_id)]
    return f"it belongs to the run {records.brief(other)}. {MOVE_AWAY}"
