"""What the steps of a logged metric mean: iterations counted from 1 or from 0, or one value per iteration.

Runs of one grid have the same program, so that what the steps of one run leave open, those of another
one may tell. What none tells is left open, as long as no value depends on it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.rundir.run_metrics import are_contiguous

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.planning.learning_curves import Curve

_Steps: TypeAlias = "Sequence[int]"


class StepReading(Enum):
    """What steps are.

    In ``FROM_1`` and ``ONE_EACH_AFTER_0``, step 0 is a value before the first iteration.
    """

    FROM_1 = "iterations, counted from 1"
    FROM_0 = "iterations, counted from 0"
    ONE_EACH = "something else, such as updates, of which each iteration has one value"
    ONE_EACH_AFTER_0 = "the same, and step 0"

    def iterations(self, steps: _Steps) -> Sequence[int]:
        """Return the iterations of steps, counted from 1."""
        match self:
            case StepReading.FROM_1:
                return steps
            case StepReading.FROM_0:
                return [step + 1 for step in steps]
            case StepReading.ONE_EACH:
                return range(1, len(steps) + 1)
            case StepReading.ONE_EACH_AFTER_0:
                return range(len(steps))


_ALL: Final = frozenset(StepReading)
_COUNTED: Final = (StepReading.FROM_0, StepReading.FROM_1)  # by the step of the first iteration
_EACH: Final = (StepReading.ONE_EACH, StepReading.ONE_EACH_AFTER_0)


@dataclass(frozen=True, slots=True)
class LoggedMetric:
    """What a run has logged of a metric: values by step, in order.

    ``reached`` is how many iterations it has done; None: it does not tell, but has come at least to
    ``paused_after``. ``total`` is how many it has, if that is known. ``is_settled``: its last attempt has
    ended by itself, so that all that it has done is logged. ``is_whole``: no attempt before was lost,
    which may have come further. ``is_trainers``: the trainer has logged it, whose steps are iterations
    counted from 1.
    """

    curve: Curve
    reached: int | None
    is_settled: bool = True
    is_whole: bool = True
    total: int | None = None
    paused_after: int = 0
    is_trainers: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether it has logged what it has to tell of as many iterations as it has done, and no more."""
        return self.is_settled and self.is_whole and self.reached is not None


@dataclass(frozen=True, slots=True)
class StepMeaning:
    """What the steps of a grid's runs mean: the ``shared`` readings that all of them allow.

    ``is_told``: a run has shown which, so that they hold for those as well of which an attempt was lost.
    ``spacing`` is the distance of steps where all runs have the same. ``first`` is the step of the first
    iteration, if the user has said it.
    """

    shared: frozenset[StepReading] = _ALL
    is_told: bool = False
    spacing: int | None = None
    first: int | None = None

    def readings(self, logged: LoggedMetric) -> frozenset[StepReading]:
        """Return how the steps of one run may be read; nothing if they are not to be understood."""
        if logged.is_trainers:
            return frozenset([StepReading.FROM_1])
        possible = frozenset(each for each in _ALL if _is_possible(each, logged))
        likely = frozenset(each for each in possible if _is_regular(each, logged, self.spacing))
        found = likely & self.shared or possible & self.shared
        if not logged.is_exact and not self.is_told and self.first is None and _goes_beyond(logged):
            return frozenset()  # they may be anything
        if self.first is not None and found.intersection(_COUNTED):
            return frozenset([_COUNTED[self.first]])
        return found

    def by_iteration(self, logged: LoggedMetric) -> Curve:
        """Return the values of a run by iteration, counted from 1, without those of a lost attempt.

        A run that was killed may have logged iterations that it has not come to again. One that does
        not report its progress may have logged a value that the next attempt replaces.
        """
        found = self.readings(logged)
        reading = next((each for each in StepReading if each in found), StepReading.FROM_1)
        return _by_iteration(logged, reading)

    def reached(self, logged: LoggedMetric) -> int:
        """Return how many iterations a run has done at least; what reports none, as its steps tell."""
        if logged.reached is not None:
            return logged.reached
        curves = (_by_iteration(logged, each) for each in self.readings(logged))
        return max(logged.paused_after, min((max(curve, default=0) for curve in curves), default=0))

    def is_unclear(self, logged: LoggedMetric) -> bool:
        """Return whether the steps of a run can be neither iterations nor one value for each of them."""
        return bool(logged.curve) and not self.readings(logged)

    def is_doubtful(self, logged: LoggedMetric, iteration: int) -> bool:
        """Return whether the value of a run after an iteration depends on what is not told."""
        if logged.is_trainers:
            return False
        steps = list(logged.curve)
        readings = self.readings(logged)
        counts = {bisect_right(each.iterations(steps), iteration) for each in readings}
        if not self.is_told and self.first is None and readings and not are_contiguous(steps):
            counts.add(len(steps))  # all of them may be of earlier iterations
        return len(counts) > 1


def find_meaning(runs: Sequence[LoggedMetric], first: int | None = None) -> StepMeaning:
    """Return what the steps of runs mean; ``first`` is the step of the first iteration, if it is known."""
    logged = [each for each in runs if each.curve]
    own = StepMeaning(is_told=True, spacing=_find_spacing(logged))
    exact = [each for each in logged if each.is_exact]
    readings = [own.readings(each) for each in exact]
    sure = _share(readings)
    sure = frozenset(each for each in sure if _agrees(each, exact)) or sure
    likely = _share(own.readings(each) for each in logged if not each.is_exact)
    is_told = any(map(_is_telling, exact)) or any(map(_ends_with_the_last, logged))
    is_told = all(readings) and is_told
    return StepMeaning(sure & likely or sure, is_told, own.spacing, first)


def _share(readings: Iterable[frozenset[StepReading]]) -> frozenset[StepReading]:
    return reduce(frozenset.intersection, filter(None, readings), _ALL)


def _by_iteration(logged: LoggedMetric, reading: StepReading) -> Curve:
    iterations = reading.iterations(list(logged.curve))
    found = dict(zip(iterations, logged.curve.values(), strict=True))
    if logged.reached is not None:
        return {at: value for at, value in found.items() if at <= logged.reached}
    last = max(found, default=0)
    if not logged.is_settled and last > logged.paused_after:
        del found[last]
    return found


def _agrees(reading: StepReading, exact: Sequence[LoggedMetric]) -> bool:
    """Return whether runs have logged the same iterations, as far as they have come; the last one may be one more."""
    told = [({*reading.iterations(list(each.curve))}, each) for each in exact]
    usual = {it for iterations, each in told for it in iterations if 0 < it != each.total}
    return all(
        it in iterations or it == each.total
        for iterations, each in told
        for it in usual
        if each.reached is not None and it <= each.reached
    )


def _is_telling(logged: LoggedMetric) -> bool:
    """Return whether a run has logged enough to tell iterations from other steps."""
    steps = [step for step in logged.curve if step]
    return len(steps) > 1 or steps[-1:] > [(logged.reached or 0) + 1]


def _ends_with_the_last(logged: LoggedMetric) -> bool:
    """Return whether a run that is done has its last iteration as its last step."""
    return logged.is_settled and logged.reached is None and [*logged.curve][-1] == logged.total


def _goes_beyond(logged: LoggedMetric) -> bool:
    """Return whether a run has steps beyond the iterations that it is known to have done."""
    steps = list(logged.curve)
    if not steps or are_contiguous(steps):
        return False
    return not logged.is_settled if logged.reached is None else steps[-1] > logged.reached


def _is_possible(reading: StepReading, logged: LoggedMetric) -> bool:
    """Return whether the number of steps, and the highest of them, fit how far a run has come."""
    steps, reached = list(logged.curve), logged.reached
    last = reading.iterations(steps)[-1] if steps else 0
    if not steps or (logged.total is not None and last > logged.total):
        return not steps
    if reading in _COUNTED:
        if reached is None or not logged.is_exact:
            return steps[0] >= 0
        return steps[0] >= 0 and (last <= reached or _reports_late(reading, steps, reached))
    spacings = {after - before for before, after in pairwise(steps)}
    if len(spacings) > 1 or (reading is StepReading.ONE_EACH_AFTER_0 and steps[0] != 0):
        return False
    if reached is None or not logged.is_settled:
        return True
    return last == reached if logged.is_whole else last >= reached


def _reports_late(reading: StepReading, steps: _Steps, reached: int) -> bool:
    """Return whether a program has logged an iteration that it reports only after the next one.

    After the first one, the other value may as well be the second one of the same iteration.
    """
    is_next = reading is StepReading.FROM_1 and list(steps[-2:]) == [reached, reached + 1]
    return is_next and reached > 1


def _is_regular(reading: StepReading, logged: LoggedMetric, spacing: int | None) -> bool:
    """Return whether a program has logged so that does after each k-th iteration.

    It may begin with the first iteration or with the k-th, and log before them, and after the last one.
    """
    iterations = [each for each in reading.iterations(list(logged.curve)) if each > 0]
    reached = logged.reached if logged.is_exact else None
    if reading in _EACH:
        return logged.reached is None or len(iterations) >= logged.reached - 1
    ends = [iterations]
    if iterations and iterations[-1] == logged.total:
        ends.append(iterations[:-1])
    return any(_has_every(each, reached, spacing) for each in ends)


def _has_every(iterations: _Steps, reached: int | None, spacing: int | None) -> bool:
    """Return whether these are all of each k-th iteration up to the one that was reached, if it is known."""
    spacings = {after - before for before, after in pairwise(iterations)}
    if not spacings and iterations and iterations[0] != 1:
        spacings = {iterations[0]}
    if not spacings and spacing is not None:
        spacings = {spacing}
    if len(spacings) != 1:
        return not spacings
    (every,) = spacings
    following = iterations[-1] + every if iterations else every
    begins = not iterations or iterations[0] in (1, every)
    return begins and (reached is None or following > reached)


def _find_spacing(runs: Sequence[LoggedMetric]) -> int | None:
    """Return the distance of steps, if it is the same in all runs; the first and the last may be others."""
    found: set[int] = set()
    for each in runs:
        steps = [step for step in each.curve if step != 0]
        if each.total is not None and steps and steps[-1] >= each.total - 1:
            steps.pop()
        found.update(after - before for before, after in pairwise(steps))
    return found.pop() if len(found) == 1 else None
