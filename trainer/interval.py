"""Intervals: every N iterations, or every N seconds."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TIME = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of iterations, or of seconds if these are not `None`."""

    iterations: int = 1
    seconds: float | None = None


def parse_interval(value: object) -> Interval | None:
    """Parse an interval such as `5`, `30s`, `10m` or `1h30m`; return None if it is not one above 0."""
    if type(value) is int and value > 0:
        return Interval(value)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    seconds += 3600 * hours + 60 * minutes
    return Interval(seconds=seconds) if seconds > 0 else None


def describe_seconds(seconds: float) -> str:
    """Return a time in the notation of the configuration, as `1h30m`."""
    if seconds != int(seconds) or seconds < 1:
        return f"{seconds:g}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


class Schedule:
    """Decides which iterations are due; the time counts from the last one that was due."""

    def __init__(self, interval: Interval, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._last = clock()

    def is_due(self, iteration: int) -> bool:
        """Return whether an iteration is due."""
        if self._interval.seconds is None:
            return iteration % self._interval.iterations == 0
        if self._clock() - self._last < self._interval.seconds:
            return False
        self._last = self._clock()
        return True
