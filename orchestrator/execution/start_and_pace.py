"""The cost of a run as its start and the same for each iteration, from runs that were timed in both parts.

Short runs are mostly start: what a model or a number of iterations adds hardly shows in their whole time,
however much it counts in long ones. So the factors of the values are those of the iterations alone.
"""

from __future__ import annotations

from dataclasses import replace
from math import hypot, log
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.execution.cost_model import ASSUMED_NOISE, CostModel, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.execution.cost_model import Expected, Marks

# About the pace of another number of iterations, per distance from the nearest one.
_DOUBT: Final = 0.1


class TimedParts(NamedTuple):
    """The seconds of a run besides its iterations, to start and to end, and those of all iterations."""

    start: float
    iterations: float


def fit_paces(samples: Sequence[tuple[Marks, TimedParts]], counted: str) -> StartAndPace | None:
    """Return what the parts of runs tell; None if none of them has a number of iterations."""
    found = [(*_take_apart(marks, counted), parts) for marks, parts in samples]
    timed = [(count, rest, parts) for count, rest, parts in found if count]
    return StartAndPace(timed, counted) if timed else None


class StartAndPace:
    """The costs of runs with any number of iterations, fitted to the parts of at least one run."""

    def __init__(self, samples: Sequence[tuple[float, Marks, TimedParts]], counted: str) -> None:
        """Fit the start and the paces.

        Args:
            samples: The number of iterations of each run, its other marks, on the same axes in the same
                order, and its parts.
            counted: The axis with the number.
        """
        self._counted = counted
        self._counts = sorted({count for count, _, _ in samples})
        self._start = median(parts.start for _, _, parts in samples)
        most = self._counts[-1]
        costs = [(rest, parts.iterations * most / count) for count, rest, parts in samples]
        self._costs = CostModel(costs)

    def expect(self, marks: Marks) -> Expected | None:
        """Return the expected cost of a run; None where its pace tells nothing new."""
        count, rest = _take_apart(marks, self._counted)
        told = self._costs.expect(rest)
        if count is None or told.unknown or self._counts == [count]:
            return None
        iterations = told.cost * count / self._counts[-1]
        distance = min(abs(log(count / each)) for each in self._counts)
        doubt = iterations * hypot(told.doubt, _DOUBT * distance)
        cost = self._start + iterations
        return replace(told, cost=cost, doubt=hypot(doubt, ASSUMED_NOISE * self._start) / cost)


def _take_apart(marks: Marks, counted: str) -> tuple[float | None, Marks]:
    """Return the number of iterations, and the other marks."""
    count = next((number_of(text) for axis, text in marks if axis == counted), None)
    return count, tuple(mark for mark in marks if mark[0] != counted)
