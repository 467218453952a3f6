"""How long a grid still takes, from what its finished runs took and how far the live ones are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a grid goes: runs an hour, and seconds until its end; None while nobody knows."""

    rate: float | None = None
    remaining: float | None = None


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A live run: seconds it has taken, and the iterations it had at its start, has, and wants."""

    seconds: float
    before: int = 0
    iteration: int = 0
    iterations: int = 0


def estimate(finished: Sequence[float], live: Sequence[LiveRun], waiting: int, slots: int) -> Pace:
    """Estimate the pace of a grid.

    Args:
        finished: What each run took that was executed to its end, in seconds.
        live: The runs that are being executed.
        waiting: How many have not started.
        slots: How many are executed at once.
    """
    totals = [total for run in live if (total := _total(run)) is not None]
    samples = [*finished, *totals] if len(finished) < slots else list(finished)
    if not samples:
        return Pace()
    typical = sum(samples) / len(samples)
    left = [max(0.0, (_total(run) or typical) - run.seconds) for run in live]
    remaining = max([*left, (sum(left) + waiting * typical) / slots], default=0.0)
    return Pace(3600.0 * slots / typical if typical else None, remaining)


def _total(run: LiveRun) -> float | None:
    """Return the seconds a live run will have taken, by the iterations of this attempt."""
    done = run.iteration - run.before
    if done <= 0 or run.iterations < run.iteration:
        return None
    return run.seconds * (run.iterations - run.before) / done


def describe_seconds(seconds: float) -> str:
    """Write a duration for people: ``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 99.5:  # noqa: PLR2004 # from here on minutes say more
        return f"{seconds:.0f} s"
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
