"""The time for which a slot is empty between two runs: that of ending the first and starting the second."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import Record, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 5.0  # seconds; longer ones are those between two commands
_FEWEST: Final = 3


def usual_pause(statuses: Iterable[Status]) -> float:
    """Return the median of the seconds between the runs of a slot; 0 if too few are known.

    All finished runs have to be given: one that is missing would be a pause.
    """
    slots: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for status in statuses:
        if status.record is Record.DONE and status.slot is not None and status.ended_at:
            begun, ended = (_seconds(it) for it in (status.started_at, status.ended_at))
            slots[status.host, status.slot].append((begun, ended))
    pauses = []
    for times in slots.values():
        times.sort()
        each = (after[0] - before[1] for before, after in itertools.pairwise(times))
        pauses += [pause for pause in each if 0 <= pause < _LONGEST]
    return median(pauses) if len(pauses) >= _FEWEST else 0.0


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return 0.0
