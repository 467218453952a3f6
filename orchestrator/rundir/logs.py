"""The logs of a run's attempts: their names, and which of them exist."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER: Final = "logs"
_LOG: Final = re.compile(r"attempt-(\d{3}|[1-9]\d{3,9})\.log", re.ASCII)


def log_of(run_dir: Path, attempt: int) -> Path:
    """Return the path of the log of an attempt."""
    return run_dir / _FOLDER / f"attempt-{attempt:03d}.log"


def check_folder(run_dir: Path) -> None:
    """Check that logs are written into the run directory, and nowhere else.

    Raises:
        RunDirectoryError: The folder of the logs is a link, or not a folder.
    """
    folder = run_dir / _FOLDER
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunDirectoryError(
            f"{folder}: it is not a folder, or it is a link, so logs cannot be written into it."
            " Remove it, or move it away."
        )


def logged_attempts(run_dir: Path) -> list[int]:
    """Return the attempts that have a log, in order; ignore impossible attempt numbers."""
    found = (_LOG.fullmatch(name) for name in names_in(run_dir / _FOLDER))
    attempts = (int(match[1]) for match in found if match)
    return sorted(each for each in attempts if 1 <= each < records.MOST_ATTEMPTS)


def names_in(path: Path) -> list[str]:
    """Return the names in a folder; an empty list if it is a link or cannot be read."""
    try:
        return [] if path.is_symlink() else os.listdir(path)  # noqa: PTH208 # only names
    except OSError as error:
        if durable.is_shortage(error):
            raise
        return []
