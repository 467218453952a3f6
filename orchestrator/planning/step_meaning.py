"""What the steps of a logged metric mean: iterations counted from 1 or from 0, or one value per iteration.

Runs of one grid have the same program, so that what the steps of one run leave open, those of another
one may tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.learning_curves import Curve

_Steps: TypeAlias = "Sequence[int]"
_FEW: Final = 3  # steps, which may be spaced equally by chance


class StepReading(Enum):
    """What steps are."""

    ITERATIONS = "iterations"
    ONE_EACH = "something else, such as updates, of which each iteration has one value"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class LoggedMetric:
    """What a run has logged of a metric: values by step, in order.

    ``reached`` is how many iterations it reports; None: it reports none. ``is_settled``: its last attempt
    has ended by itself, so that it has logged just what it reports. ``is_first``: there was no other
    attempt before, which may have come further.
    """

    curve: Curve
    reached: int | None
    is_settled: bool = True
    is_first: bool = True


@dataclass(frozen=True, slots=True)
class StepMeaning:
    """What the steps of a grid's runs mean.

    ``first`` is the step of the first iteration, 0 or 1; None: the runs do not tell. ``shared`` is how
    the steps of most runs are to be read; None: either way.
    """

    first: int | None = 1
    shared: StepReading | None = None

    def read(self, logged: LoggedMetric) -> StepReading:
        """Return how the steps of one run are to be read."""
        steps = list(logged.curve)
        if not steps or logged.reached is None or _counts_iterations(steps, logged.reached):
            return StepReading.ITERATIONS
        readings = _possible(steps, logged.reached, is_first=logged.is_first)
        if len(readings) == 1:
            return readings[0]
        if self.shared is not None and readings:
            return self.shared
        is_beyond = steps[0] > logged.reached  # and a lost attempt came hardly that far
        is_beyond = is_beyond and len(steps) in (logged.reached, logged.reached + 1)
        return StepReading.ONE_EACH if readings and is_beyond else StepReading.UNCLEAR

    def by_iteration(self, logged: LoggedMetric) -> Curve:
        """Return the values of a run by iteration, counted from 1, without those of a lost attempt.

        A run that was killed may have logged iterations that it has not come to again.
        """
        if self.read(logged) is StepReading.ONE_EACH:
            found = dict(enumerate(logged.curve.values(), start=1))
        else:
            ahead = 1 if self.first == 0 else 0
            found = {step + ahead: value for step, value in logged.curve.items()}
        if logged.reached is None:
            return found
        return {at: value for at, value in found.items() if at <= logged.reached}

    def is_doubtful(self, logged: LoggedMetric, iteration: int) -> bool:
        """Return whether the value of a run after an iteration depends on what is not told."""
        if self.first is not None or self.read(logged) is StepReading.ONE_EACH:
            return False
        return iteration in logged.curve and (logged.reached or 0) > iteration


def find_meaning(runs: Sequence[LoggedMetric], first: int | None = None) -> StepMeaning:
    """Return what the steps of runs mean; ``first`` is the step of the first iteration, if it is known."""
    told = [each for each in runs if each.curve]
    settled = [each for each in told if each.is_settled and each.reached is not None]
    readings = {reading for each in settled if (reading := _sure_reading(each))}
    shared = readings.pop() if len(readings) == 1 else None
    return StepMeaning(_find_first(told, settled) if first is None else first, shared)


def _find_first(told: Sequence[LoggedMetric], settled: Sequence[LoggedMetric]) -> int | None:
    """Return the step of the first iteration, by the strongest evidence that there is."""
    undisturbed = [each for each in settled if each.is_first]
    for evidence in (
        {_proven_first(each) for each in undisturbed},
        {_proven_first(each) for each in settled},
        {_likely_first(each) for each in told},
    ):
        firsts = evidence - {None}
        if firsts:
            return firsts.pop() if len(firsts) == 1 else None
    return None


def _proven_first(logged: LoggedMetric) -> int | None:
    """Return the step of the first iteration, if only one fits how far a run has come.

    A program that logs every k iterations has logged all of those that it has come to.
    """
    steps, reached = list(logged.curve), logged.reached or 0
    if steps[0] < 0 or steps[-1] > reached:
        return None
    if steps[-1] == reached:
        return 1
    spacing = _spacing(steps)
    if not spacing:
        return None
    fits = [first for first in (0, 1) if steps[-1] + spacing > reached - 1 + first]
    return fits[0] if len(fits) == 1 else None


def _likely_first(logged: LoggedMetric) -> int | None:
    """Return the step of the first iteration for a program that logs after each k-th one."""
    steps, reached = list(logged.curve), logged.reached or 0
    if steps[0] == 0:
        return 0
    spacing = _spacing(steps)
    if spacing is None and steps[-1] == reached - 1 and len(steps) > _FEW:
        spacing = _spacing(steps[:-1])  # it logs its last iteration as well
    elif spacing is not None and logged.is_settled and steps[-1] + spacing < reached:
        return None
    return {spacing: 1, spacing - 1: 0}.get(steps[0]) if spacing else None


def _sure_reading(logged: LoggedMetric) -> StepReading | None:
    """Return how the steps of a settled run are to be read, if only one way is possible."""
    steps, reached = list(logged.curve), logged.reached or 0
    counts, is_one_each = _counts_iterations(steps, reached), _is_one_each(steps, reached)
    if counts and not is_one_each:
        return StepReading.ITERATIONS
    return StepReading.ONE_EACH if is_one_each and not counts and logged.is_first else None


def _possible(steps: _Steps, reached: int, *, is_first: bool) -> Sequence[StepReading]:
    """Return the possible readings of steps beyond the iterations that a run reports."""
    if is_first:
        return [StepReading.ONE_EACH] if _is_one_each(steps, reached) else []
    spacing = _spacing(steps)
    found = [StepReading.ITERATIONS] if steps[0] >= 0 else []
    is_dense = spacing == 1 and steps[0] in (0, 1)
    if spacing is not None and not is_dense and len(steps) >= reached:
        found.append(StepReading.ONE_EACH)
    return found


def _counts_iterations(steps: _Steps, reached: int) -> bool:
    if steps[0] < 0:
        return False
    is_ahead = steps[-1] == reached + 1 and reached in steps
    return steps[-1] <= reached or is_ahead


def _is_one_each(steps: _Steps, reached: int) -> bool:
    return _spacing(steps) is not None and abs(len(steps) - reached) <= 1


def _spacing(steps: _Steps) -> int | None:
    """Return the distance between steps; 0 for a single one, None if they are irregular."""
    spacings = {after - before for before, after in pairwise(steps)}
    return None if len(spacings) > 1 else next(iter(spacings), 0)
