"""What earlier runs cost: reads it from the directories of finished ones, of some where there are many.

Times come from ``status.json``, sizes from the files. Only run directories are read, and nothing is
written or kept: a plan of 10,000 finished runs looks at 300 of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.execution.start_and_pace import TimedParts
from orchestrator.rundir import durable, records
from orchestrator.rundir.metric_points import parse_times
from orchestrator.rundir.reusable_checkpoints import is_extended
from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from orchestrator.rundir.directory import RunDirectory

    T = TypeVar("T")

_GOLDEN: Final = 0.6180339887498949
_BLOCK: Final = 512
_LEAST_PACE: Final = 1e-3  # seconds per step: what only logs takes less
_END: Final = 1 << 15  # bytes of metrics.jsonl: some hundred of its lines
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

    The last attempt of a run that was resumed computed some of the steps, and so did the first one of
    a run that extends another: to what it took, the steps before it are added at its own pace.
    """
    took = _time_of(status)
    if took is None or not isinstance(status, Status):
        return None
    if status.attempt == 1 and not is_extended(directory.path):
        return took.seconds
    steps = _read_steps(directory, took)
    return steps and took.seconds + steps.before * steps.pace


def parts_of(directory: RunDirectory, status: object) -> TimedParts | None:
    """Return the parts of the seconds that a finished run takes, or None if its steps tell no pace.

    A single one does not, nor do steps that were all logged at the end.
    """
    took = _time_of(status)
    if took is None or not isinstance(status, Status):
        return None
    is_whole = status.attempt == 1 and not is_extended(directory.path)
    steps = _sample_steps(directory, took) if is_whole else _read_steps(directory, took)
    if steps is None or steps.before + steps.own < 2 or steps.pace < _LEAST_PACE:  # noqa: PLR2004
        return None
    start = max(0.0, took.seconds - steps.own * steps.pace)
    return TimedParts(start, (steps.before + steps.own) * steps.pace)


class _Time(NamedTuple):
    """How long the last attempt of a finished run took, in seconds, since a moment in milliseconds."""

    seconds: float
    began: float


class _Steps(NamedTuple):
    """The steps with metrics before an attempt, its own ones, and the seconds that each of them took."""

    before: int
    own: int
    pace: float


def _time_of(status: object) -> _Time | None:
    if not (isinstance(status, Status) and status.record is Record.DONE):
        return None
    seconds = records.duration_of(status)
    with suppress(ValueError, OverflowError):
        began = datetime.fromisoformat(status.started_at).timestamp() * 1000
        return _Time(seconds, began) if seconds else None
    return None


def _read_steps(directory: RunDirectory, took: _Time) -> _Steps | None:
    """Return the steps of the last attempt, or None without any; a single one tells no pace, others may."""
    steps: dict[int, float] = {}
    with suppress(OSError):
        steps = parse_times(durable.read_file(directory.metrics))
    own = [when for when in steps.values() if when >= took.began]
    before = len(steps) - len(own)
    if len(own) > 1:
        pace = (max(own) - min(own)) / 1000 / (len(own) - 1)
        return _Steps(before, len(own), min(pace, took.seconds / len(own)))
    gaps = [(after - when) / 1000 for when, after in pairwise(sorted(steps.values()))]
    return _Steps(before, 1, min(took.seconds, median(gaps or [took.seconds]))) if own else None


def _sample_steps(directory: RunDirectory, took: _Time) -> _Steps | None:
    """Return the steps of a run with one attempt, from both ends of a file of any size."""
    times: dict[int, float] = {}
    with suppress(OSError):
        for read in (durable.read_head, durable.read_tail):
            times |= parse_times(read(directory.metrics, _END))
    first, *others = sorted(times) or [0]
    if not others:
        return None
    gaps = round((others[-1] - first) / (others[0] - first))
    pace = (times[others[-1]] - times[first]) / 1000 / gaps
    return _Steps(0, gaps + 1, min(pace, took.seconds / (gaps + 1)))


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
