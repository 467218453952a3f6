"""What earlier runs cost: reads it from the directories of finished ones, of some where there are many.

Times come from ``status.json``, sizes from the files. Only run directories are read, and nothing is
written or kept: a plan of 10,000 finished runs looks at 300 of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records
from orchestrator.rundir.reusable_checkpoints import is_extended
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from orchestrator.rundir.directory import RunDirectory

    T = TypeVar("T")

_GOLDEN: Final = 0.6180339887498949
_BLOCK: Final = 512
_MOST_FILES: Final = 2000  # of a run directory


def pick_some(items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items, evenly spread, but in step with nothing: seeds come in turn."""
    count = len(items)
    if count <= most:
        return items
    places = {int((at * _GOLDEN % 1.0) * count) for at in range(most)}
    return [items[place] for place in sorted(places)]


def seconds_of(directory: RunDirectory, status: object) -> float | None:
    """Return the seconds that a finished run takes from nothing to its end, or None if unknown.

    Of a run that was resumed only the last attempt is known, which computed some of the steps, and so
    did the first one of a run that extends another.
    """
    if not (isinstance(status, Status) and status.record is Record.DONE and status.ended_at):
        return None
    try:
        began = datetime.fromisoformat(status.started_at)
        seconds = (datetime.fromisoformat(status.ended_at) - began).total_seconds()
        moment = began.timestamp() * 1000
    except (ValueError, TypeError, OverflowError):
        return None
    if seconds <= 0:
        return None
    if status.attempt == 1 and not is_extended(directory.path):
        return seconds
    share = _share_since(directory, moment)
    return seconds / share if share else None


def _share_since(directory: RunDirectory, moment: float) -> float:
    """Return the share of the steps with metrics that came after a moment; 0 if there are none."""
    steps: dict[int, float] = {}
    with suppress(OSError):
        for line in durable.read_file(directory.metrics).splitlines():
            found = records.parse(line)
            if isinstance(found, dict):
                step, when = found.get("step"), found.get("timestamp")
                if isinstance(step, int) and isinstance(when, int | float):
                    steps[step] = max(when, steps.get(step, when))
    return sum(when >= moment for when in steps.values()) / len(steps) if steps else 0.0


def bytes_of(directory: RunDirectory) -> int:
    """Return the bytes that a run directory takes on the disk; a file with two names counts once."""
    seen: set[int] = set()
    total, folders = 0, [str(directory.path)]
    with suppress(OSError):
        while folders and len(seen) < _MOST_FILES:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if found.st_ino not in seen:
                        seen.add(found.st_ino)
                        total += found.st_blocks * _BLOCK
    return total
