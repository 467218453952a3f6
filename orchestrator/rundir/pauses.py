"""The pauses of a run: how far it was told to come, and whether anything was lost between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.rundir.state import PAUSED, Record, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation


class RecordedPauses(NamedTuple):
    """What the pauses of a run tell.

    ``furthest`` is the last of the iterations after which it has paused; 0: there is none, or none is
    recorded. ``is_whole``: all attempts before the last one have paused, so that nothing was lost.
    """

    furthest: int
    is_whole: bool


def read_pauses(directory: RunDirectory, seen: Observation) -> RecordedPauses:
    """Return what the pauses of a run tell; ``seen`` is what was just seen of it."""
    last = [seen.status] if isinstance(seen.status, Status) else []
    if seen.attempts <= 1:
        return RecordedPauses(_furthest(last), True)
    earlier = directory.earlier_attempts()
    before = [earlier[at] for at in range(1, seen.attempts) if at in earlier]
    is_whole = len(before) == seen.attempts - 1 and all(map(_has_paused, before))
    return RecordedPauses(_furthest([*before, *last]), is_whole)


def _furthest(attempts: Iterable[Status]) -> int:
    return max((each.paused_after or 0 for each in attempts if _has_paused(each)), default=0)


def _has_paused(status: Status) -> bool:
    return status.record is Record.INTERRUPTED and status.reason == PAUSED
