"""What a run of the trainer has saved that a longer or shorter run can begin with."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from zipfile import BadZipFile, ZipFile

from orchestrator.rundir import durable, records
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from pathlib import Path

_EXTENDED: Final = "extended.json"
_FOLDER: Final = "checkpoints"
_CHECKPOINT: Final = re.compile(r"(\d{6,})-[0-9a-f]{8}\.pt")
_STATE: Final = "/data.pkl"
_ONLY_BEST: Final = b"is_only_best"


def is_extended(run_dir: Path) -> bool:
    """Return whether a run began with iterations of another one."""
    return (run_dir / _EXTENDED).exists()


class Extended(NamedTuple):
    """The run that another one began with, and how many of its iterations."""

    run_id: str
    iteration: int


def read_extended(run_dir: Path) -> Extended | None:
    """Return what a run began with; None: with nothing, or the record is damaged."""
    with suppress(OSError):
        match records.parse(durable.read_file(f"{run_dir / _EXTENDED}")):
            case {"run_id": str(run_id), "iteration": int(iteration)}:
                return Extended(printable(run_id), iteration)
    return None


def newest_saved(run_dir: Path, at_most: int) -> int | None:
    """Return the newest iteration, of those up to a number, that the trainer has saved whole.

    Of the best iteration, it may have saved the weights only, which no run can resume from.
    """
    names: list[str] = []
    checkpoints = run_dir / _FOLDER
    with suppress(OSError):
        if not checkpoints.is_symlink():
            names = os.listdir(checkpoints)  # noqa: PTH208 # names suffice
    found = [(int(it[1]), it[0]) for it in map(_CHECKPOINT.fullmatch, names) if it]
    usable = sorted((each for each in found if each[0] <= at_most), reverse=True)
    return next((iteration for iteration, name in usable if _is_whole(checkpoints / name)), None)


def _is_whole(path: Path) -> bool:
    """Return whether a checkpoint is an archive with a state to resume from."""
    with suppress(OSError, BadZipFile, EOFError), ZipFile(path) as archive:
        names = (name for name in archive.namelist() if name.endswith(_STATE))
        return any(_ONLY_BEST not in archive.read(name) for name in names)
    return False
