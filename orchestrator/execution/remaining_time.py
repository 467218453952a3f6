"""Estimates how long a grid still takes, from its finished runs and the progress of the live ones.

The duration of a run is fitted to the axis values of the other runs: small models that ran first say
little about large ones, and the seed says nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import TYPE_CHECKING, Final

from orchestrator.execution.cost_model import CostModel, find_counted_axis, marks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.execution.cost_model import Marks
    from orchestrator.grid.config_values import Value

_REMEMBERED: Final = 200  # the most recent runs, which the fit uses
_LOOKED_AT: Final = 500  # waiting runs, evenly spaced: enough for their mean
_BETWEEN: Final = 0.5  # seconds from one estimate to the next


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a grid goes: runs per hour, and seconds until its end; None while unknown."""

    rate: float | None = None
    remaining: float | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """What an attempt has done: the axis values of its run, its seconds and its iterations.

    It had ``before`` of ``iterations`` iterations at its start, and has ``iteration`` now; all are 0
    for a program that does not report them. ``first`` and ``latest`` are when it was first seen to have done
    any, and when that last changed: the seconds since its start, and the iteration.
    """

    point: Mapping[str, Value]
    seconds: float
    before: int = 0
    iteration: int = 0
    iterations: int = 0
    first: tuple[float, int] | None = None
    latest: tuple[float, int] | None = None

    @property
    def pace(self) -> float | None:
        """The seconds of one iteration without the start of the program, if two were seen to end."""
        if self.first is None or self.latest is None:
            return None
        seconds, done = self.latest[0] - self.first[0], self.latest[1] - self.first[1]
        return seconds / done if seconds > 0 and done > 0 else None

    @property
    def is_beginning(self) -> bool:
        """Whether its time so far is mostly that of its start: runs that have ended tell more."""
        return self.first is not None and self.pace is None

    @property
    def whole(self) -> float | None:
        """The seconds from the first iteration to the last, if this attempt's iterations tell."""
        done = self.iteration - self.before
        if not 0 <= self.before < self.iteration <= self.iterations:
            return None  # a program may write any numbers
        if self.pace is None or self.first is None:
            return self.seconds * self.iterations / done
        start = max(0.0, self.first[0] - self.pace * (self.first[1] - self.before))
        return start + self.pace * self.iterations

    @property
    def iteration_seconds(self) -> float:
        """The seconds of one iteration with its share of the start, as far as that is known.

        A program that reports none cannot resume: it takes its whole time to the next checkpoint.
        """
        if not self.iterations:
            return self.seconds
        done = self.iteration - self.before
        return self.seconds / done if done > 0 else 0.0

    @property
    def left(self) -> float | None:
        """The seconds to the last iteration, or None if unknown."""
        whole, pace = self.whole, self.pace
        if whole is None:
            return None
        left = self.iterations - self.iteration
        return whole * left / self.iterations if pace is None else pace * left


class Estimator:
    """Estimates the remaining time from the runs that have ended, at most twice per second."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._ended: deque[tuple[Effort, Marks]] = deque(maxlen=_REMEMBERED)
        self._pace = Pace()
        self._due = 0.0

    def note(self, ended: Effort) -> None:
        """Add a run that was executed to its end."""
        self._ended.append((ended, marks_of(ended.point)))

    def pace(
        self,
        live: Sequence[Effort],
        waiting: Iterable[Mapping[str, Value]],
        count: int,
        moment: float,
    ) -> Pace:
        """Estimate the pace of what is left, or return the last estimate if it is recent.

        Args:
            live: The runs that are being executed.
            waiting: The axis values of the runs that have not started.
            count: How many these are.
            moment: The time, in seconds of a monotonic clock.
        """
        if moment >= self._due:
            self._due = moment + _BETWEEN
            self._pace = self._estimate(live, waiting, count)
        return self._pace

    def _estimate(
        self, live: Sequence[Effort], waiting: Iterable[Mapping[str, Value]], count: int
    ) -> Pace:
        if self._ended:
            live = [replace(run, iteration=run.before) if run.is_beginning else run for run in live]
        known = [(run, marks_of(run.point)) for run in live]
        samples = [(marks, run.whole or run.seconds) for run, marks in self._ended]
        samples += [(marks, run.whole) for run, marks in known if run.whole is not None]
        if not samples:
            return Pace()
        counts = [
            (marks, run.iterations) for run, marks in (*self._ended, *known) if run.iterations
        ]
        durations = CostModel(samples, find_counted_axis(counts))
        wholes = [run.whole or durations.expect(marks).cost for run, marks in known]
        left = [
            max(0.0, whole - run.seconds) if run.left is None else run.left
            for run, whole in zip(live, wholes, strict=True)
        ]
        step = -(-count // _LOOKED_AT) or 1
        ahead = [durations.expect(marks_of(point)).cost for point in islice(waiting, 0, None, step)]
        to_come = fmean(ahead) * count if ahead else 0.0
        work = sum(wholes) + to_come
        rate = 3600.0 * self.slots * (len(live) + count) / work if work else None
        return Pace(rate, max([*left, (sum(left) + to_come) / self.slots], default=0.0))


def describe_seconds(seconds: float) -> str:
    """Format a duration for people: ``45 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 99.5:  # noqa: PLR2004 # from here on minutes say more
        return f"{seconds:.0f} s"
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
