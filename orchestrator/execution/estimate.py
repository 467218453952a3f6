"""How long a grid still takes, from what its finished runs took and how far the live ones are.

What a run takes is learnt from its siblings, by the values of their axes: the small models that came
first say little about the large ones, and what the seed is says nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import islice
from math import exp, log
from statistics import fmean
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value

Marks: TypeAlias = "tuple[tuple[str, str], ...]"  # the values of a run's axes, as keys

_REMEMBERED: Final = 200  # runs that are learnt from: the last ones
_LOOKED_AT: Final = 500  # waiting runs, evenly among all: enough for their mean
_BETWEEN: Final = 0.5  # seconds from one estimate to the next
_SWEEPS: Final = 5
_SHYNESS: Final = 0.5  # as if so many more runs with a value had been like all the others
_SHORTEST: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a grid goes: runs an hour, and seconds until its end; None while nobody knows."""

    rate: float | None = None
    remaining: float | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """What an attempt has done: for which values of the axes, and in how many seconds.

    It had ``before`` of ``iterations`` iterations at its start, and has ``iteration`` now; all are 0
    for a program that does not tell.
    """

    point: Mapping[str, Value]
    seconds: float
    before: int = 0
    iteration: int = 0
    iterations: int = 0

    @property
    def whole(self) -> float | None:
        """The seconds from the first iteration to the last, if that can be told from this attempt's."""
        done = self.iteration - self.before
        if not 0 <= self.before < self.iteration <= self.iterations:
            return None  # a program may write any numbers
        return self.seconds * self.iterations / done

    @property
    def left(self) -> float | None:
        """The seconds to the last iteration, if that can be told."""
        whole = self.whole
        return None if whole is None else whole * (1 - self.iteration / self.iterations)


class Durations:
    """What runs take, as a product: a factor for each axis' value, and one for all runs.

    The logarithms are fitted by backfitting (Hastie and Tibshirani, Generalized Additive Models,
    1990, section 4.4), and what is lost by averaging them is given back (Duan, Smearing Estimate,
    JASA 1983). A value that few runs had counts little, one that none had nothing.
    """

    def __init__(self, samples: Sequence[tuple[Marks, float]]) -> None:
        """Learn from at least one run: its marks, and its seconds."""
        logs = [log(max(seconds, _SHORTEST)) for _, seconds in samples]
        mean = fmean(logs)
        self._parts: dict[tuple[str, str], float] = defaultdict(float)
        residuals = [each - mean for each in logs]
        for _ in range(_SWEEPS):
            for axis in range(min(len(marks) for marks, _ in samples)):
                self._fit([marks[axis] for marks, _ in samples], residuals)
        self._scale = 1.0
        told = fmean(self.expect(marks) for marks, _ in samples)
        self._scale = fmean(max(seconds, _SHORTEST) for _, seconds in samples) / told

    def _fit(self, column: Sequence[tuple[str, str]], residuals: list[float]) -> None:
        """Fit one axis' parts to what the other axes leave, and keep what this one leaves."""
        sums: dict[tuple[str, str], float] = defaultdict(float)
        counts: dict[tuple[str, str], float] = defaultdict(lambda: _SHYNESS)
        for mark, residual in zip(column, residuals, strict=True):
            sums[mark] += residual + self._parts[mark]
            counts[mark] += 1
        changes = {mark: total / counts[mark] - self._parts[mark] for mark, total in sums.items()}
        for mark, change in changes.items():
            self._parts[mark] += change
        residuals[:] = [each - changes[mark] for mark, each in zip(column, residuals, strict=True)]

    def expect(self, marks: Marks) -> float:
        """Return the seconds that a run probably takes."""
        return self._scale * exp(sum(self._parts.get(mark, 0.0) for mark in marks))


class Estimator:
    """Learns from the runs that end, and says now and then how long the others still take."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._samples: deque[tuple[Marks, float]] = deque(maxlen=_REMEMBERED)
        self._pace = Pace()
        self._due = 0.0

    def note(self, ended: Effort) -> None:
        """Take in a run that was executed to its end."""
        self._samples.append((_marks(ended.point), ended.whole or ended.seconds))

    def pace(
        self,
        live: Sequence[Effort],
        waiting: Iterable[Mapping[str, Value]],
        count: int,
        moment: float,
    ) -> Pace:
        """Estimate the pace of what is left, or return what was estimated just before.

        Args:
            live: The runs that are being executed.
            waiting: The values of the axes of those that have not started; looked at now and then.
            count: How many these are.
            moment: The time, in seconds since some moment.
        """
        if moment >= self._due:
            self._due = moment + _BETWEEN
            self._pace = self._estimate(live, waiting, count)
        return self._pace

    def _estimate(
        self, live: Sequence[Effort], waiting: Iterable[Mapping[str, Value]], count: int
    ) -> Pace:
        known = [(_marks(run.point), run.whole) for run in live]
        samples = [*self._samples, *((marks, whole) for marks, whole in known if whole is not None)]
        if not samples:
            return Pace()
        durations = Durations(samples)
        wholes = [whole or durations.expect(marks) for marks, whole in known]
        left = [
            max(0.0, whole - run.seconds) if run.left is None else run.left
            for run, whole in zip(live, wholes, strict=True)
        ]
        step = -(-count // _LOOKED_AT) or 1
        ahead = [durations.expect(_marks(point)) for point in islice(waiting, 0, None, step)]
        to_come = fmean(ahead) * count if ahead else 0.0
        work = sum(wholes) + to_come
        rate = 3600.0 * self._slots * (len(live) + count) / work if work else None
        return Pace(rate, max([*left, (sum(left) + to_come) / self._slots], default=0.0))


def _marks(point: Mapping[str, Value]) -> Marks:
    return tuple((key, repr(value)) for key, value in point.items())


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
