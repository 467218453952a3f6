"""What live runs use: slot, GPU and memory, and the time that they still take.

Only runs whose last attempt was started on this machine can be looked at.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import Status
from orchestrator.runner import process_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.execution.visible_gpus import Nvml
    from orchestrator.rundir.state import Observation, Progress

_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class LiveResources:
    """What a live run uses; None where it is not known.

    ``gpu`` is the number of its GPU, the first one of several, ``memory`` and ``gpu_memory`` are in bytes, and
    ``seconds_left`` is an estimate from its pace so far.
    """

    slot: int | None = None
    gpu: int | None = None
    memory: int | None = None
    gpu_memory: int | None = None
    seconds_left: float | None = None


UNKNOWN: Final = LiveResources()


def look_at(seen: Observation, nvml: Nvml) -> LiveResources:
    """Return what a live run uses now."""
    status = seen.status
    if not isinstance(status, Status):
        return UNKNOWN
    now = datetime.now(UTC)
    if status.host != socket.gethostname():
        return LiveResources(status.slot, seconds_left=seconds_left(status, seen.progress, now))
    pids = process_tree.below(status.pid)
    left = seconds_left(status, seen.progress, now, _age_of(pids))
    uuids = status.gpu.split(",") if status.gpu else []
    numbers = {gpu.uuid: gpu.number for gpu in nvml.found()} if uuids else {}
    gpu = numbers.get(uuids[0]) if uuids else None
    used = [_sum_of(nvml.memory_by_process(uuid), pids) for uuid in uuids]
    known = [each for each in used if each is not None]
    on_gpu = sum(known) if known else None
    return LiveResources(status.slot, gpu, _memory_of(pids), on_gpu, left)


def seconds_left(
    status: Status, progress: Progress | None, now: datetime, age: float | None = None
) -> float | None:
    """Estimate how long an attempt still takes, from the iterations that it has done; None if unknown.

    ``age`` is that of its oldest process, by a clock that nobody sets: the attempt is not older.
    """
    if progress is None or not progress.iterations:
        return None
    base = status.resumed_at or 0
    done = progress.iteration - (base if progress.iteration > base else 0)
    began, reported = _moment(status.started_at), _moment(progress.updated_at)
    if began is None or done <= 0 or progress.iteration > progress.iterations:
        return None
    if status.attempt > 1 and reported is not None and reported < began:
        return None  # that was the attempt before
    elapsed = (now - began).total_seconds()
    if age is not None and not 0 <= elapsed <= age:  # the clock was set since
        elapsed = age
    since = (now - reported).total_seconds() if reported else 0.0
    since = since if 0 <= since < elapsed else 0.0
    pace = (elapsed - since) / done
    return max(0.0, pace * (progress.iterations - progress.iteration) - since)


def _age_of(pids: Iterable[int]) -> float | None:
    """Return the age of the oldest process; None if there is none."""
    ages = []
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            ages.append(process_tree.age_of(pid))
    return max(ages, default=None)


def _moment(text: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _sum_of(found: Mapping[int, int] | None, pids: Iterable[int]) -> int | None:
    known = [found[pid] for pid in pids if pid in found] if found else []
    return sum(known) if known else None


def _memory_of(pids: Iterable[int]) -> int | None:
    """Return the memory of processes, what they share divided among those that share it (PSS)."""
    sizes = [size for pid in pids if (size := _memory_of_one(pid))]
    return sum(sizes) or None


def _memory_of_one(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
