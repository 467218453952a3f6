"""The cost of a run, in seconds or bytes, learned from runs with other values on their axes.

Each axis value has a factor, and so has each combination of them; one factor is common to all runs. What
does not matter, such as a learning rate, gets a factor of 1; the seed is left out. The logarithms are
fitted by backfitting (Hastie and Tibshirani, Generalized Additive Models, 1990, section 4.4), each part
shrunk by how much its axis matters compared with the noise (random effects), and the bias of averaging
logarithms is corrected (Duan, Smearing Estimate, JASA 1983).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Final, TypeAlias

from orchestrator.execution.iteration_cost import SeenCost, continue_curve
from orchestrator.planning.grouping import Averaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.grid.config_values import Value

Mark: TypeAlias = tuple[str, str]  # an axis, and a value on it as text
Marks: TypeAlias = tuple[Mark, ...]

_SMALLEST: Final = 1e-3
# The noise from run to run (standard deviation of the logarithm) that is assumed until runs tell, and
# how many runs this assumption is worth.
ASSUMED_NOISE: Final = 0.2
_ASSUMED: Final = 3
# The noise that runs with one number of iterations share, by the assumed one: they were executed together.
_SHARED: Final = 0.5
_SWEEPS: Final = 5
_WIDEST: Final = 50.0  # logarithm of a factor, so that no number overflows
DOUBT: Final = 0.25  # about a value that no run has had, per distance from the nearest one
_SEEDS: Final = Averaged(())


def marks_of(point: Mapping[str, Value]) -> Marks:
    """Return the values of a run's axes as marks, without its seed."""
    return tuple((key, repr(value)) for key, value in point.items() if key not in _SEEDS)


def find_counted_axis(runs: Iterable[tuple[Marks, int]]) -> str:
    """Return the axis whose value is the number of iterations that runs report; empty: there is none."""
    common: list[str] | None = None
    for marks, iterations in runs:
        equal = [axis for axis, text in marks if text in (str(iterations), f"{iterations}.0")]
        common = equal if common is None else [axis for axis in common if axis in equal]
    return common[0] if common else ""


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected cost of a run; ``unknown`` are the values about which no run tells anything.

    ``doubt`` is the standard deviation of its logarithm, besides the ``noise`` from run to run;
    ``freedom`` is the number of runs that this is known from.
    """

    cost: float
    noise: float
    freedom: int
    doubt: float = 0.0
    unknown: Marks = ()


class CostModel:
    """The costs of runs as a product of factors, fitted to the costs of at least one run.

    ``noise`` is the standard deviation of the logarithm from run to run, ``freedom`` the number of runs
    that it is known from.
    """

    def __init__(
        self,
        samples: Sequence[tuple[Marks, float]],
        counted: str = "",
        assumed: float = ASSUMED_NOISE,
        power: float = 1.0,
    ) -> None:
        """Fit the factors.

        Args:
            samples: The marks of each run, on the same axes in the same order, and its cost.
            counted: The axis with the number of iterations, if it is known: it always matters. Where
                all runs have the same number, the cost is proportional to a power of it.
            assumed: The noise that is assumed until runs tell.
            power: That power.
        """
        logs = [log(max(cost, _SMALLEST)) for _, cost in samples]
        whole = [marks for marks, _ in samples]
        axes = min(map(len, whole))
        mean = fmean(logs)
        residuals = [each - mean for each in logs]
        self._counted, self._power = counted, power
        self._parts: dict[Marks, float] = defaultdict(float)
        self._counts: dict[Marks, int] = {}
        self._guesses: dict[Mark, tuple[float, float] | None] = {}
        self._scale = 1.0
        self._assumed = assumed
        self.noise, self.freedom = self._noise(whole, logs)
        columns = [[marks[axis : axis + 1] for marks in whole] for axis in range(axes)]
        for _ in range(_SWEEPS):
            for column in columns:
                self._fit(column, residuals)
        factors = 1 + sum(len(set(column)) - 1 for column in columns)
        self._misfit = self._deviation(residuals, max(0, len(samples) - factors))
        if axes != 1:
            self._fit(whole, residuals)
        told = fmean(self.expect(marks).cost for marks in whole)
        self._scale = fmean(max(cost, _SMALLEST) for _, cost in samples) / told

    def _noise(self, whole: Sequence[Marks], logs: Sequence[float]) -> tuple[float, int]:
        """Return the deviation of runs that differ in the seed only, and from how many it is known."""
        groups: dict[Marks, list[float]] = defaultdict(list)
        for marks, each in zip(whole, logs, strict=True):
            groups[marks].append(each)
        means = {marks: fmean(found) for marks, found in groups.items()}
        residuals = [each - means[marks] for marks, each in zip(whole, logs, strict=True)]
        freedom = len(logs) - len(groups)
        return self._deviation(residuals, freedom), freedom + _ASSUMED

    def _deviation(self, residuals: Sequence[float], freedom: int) -> float:
        """Return a standard deviation; the assumed one counts as some runs."""
        squares = sum(each**2 for each in residuals) + _ASSUMED * self._assumed**2
        return sqrt(squares / (freedom + _ASSUMED))

    def _fit(self, column: Sequence[Marks], residuals: list[float]) -> None:
        """Fit the parts of an axis, or of the combinations, to the residuals, and update these."""
        found: dict[Marks, list[float]] = defaultdict(list)
        for marks, residual in zip(column, residuals, strict=True):
            found[marks].append(residual + self._parts[marks])
        before = dict(self._parts)
        means = {marks: fmean(each) for marks, each in found.items()}
        sampling = fmean(self.noise**2 / len(each) for each in found.values())
        between = fmean(mean**2 for mean in means.values()) - sampling
        for marks, each in found.items():
            weight = len(each) / (len(each) + self.noise**2 / between) if between > 0 else 0.0
            self._counts[marks] = len(each)
            if len(marks) == 1 and marks[0][0] == self._counted:
                weight = 1.0  # it matters, even if runs of few iterations do not show it
            self._parts[marks] = weight * means[marks]
        for at, marks in enumerate(column):
            residuals[at] += before.get(marks, 0.0) - self._parts[marks]

    def expect(self, marks: Marks) -> Expected:
        """Return the expected cost of a run."""
        total, variance, guessed, unknown = 0.0, 0.0, 0.0, []
        for mark in marks:
            if (mark,) in self._counts:
                total += self._parts[mark,]
                variance += self.noise**2 / self._counts[mark,]
                continue
            guess = self._guess(mark)
            if guess is None:
                unknown.append(mark)
            else:
                total += guess[0]
                guessed += guess[1]  # the same costs mislead about all values
        if marks in self._counts:
            total += self._parts.get(marks, 0.0) if len(marks) > 1 else 0.0
            variance = self.noise**2 / self._counts[marks]
        else:
            variance += self._misfit**2 + guessed**2
        power = min(max(total, -_WIDEST), _WIDEST)
        cost = self._scale * exp(power)
        return Expected(cost, self.noise, self.freedom, sqrt(variance), tuple(unknown))

    def knows(self, marks: Marks) -> bool:
        """Return whether a run had this combination of values."""
        return marks in self._counts

    def _guess(self, mark: Mark) -> tuple[float, float] | None:
        """Return the part, and the doubt, of a value that no run has had; None if it is unknown."""
        if mark not in self._guesses:
            axis, text = mark
            seen = {
                marks[0][1]: part
                for marks, part in self._parts.items()
                if len(marks) == 1 and marks[0][0] == axis
            }
            self._guesses[mark] = self._guess_from(axis, text, seen)
        return self._guesses[mark]

    def _guess_from(
        self, axis: str, text: str, seen: Mapping[str, float]
    ) -> tuple[float, float] | None:
        parts = list(seen.values())
        if axis == self._counted:
            return self._guess_iterations(text, seen)
        if len(parts) > 1 and max(parts) - min(parts) < self.noise:
            return fmean(parts), self.noise  # it does not matter
        number = number_of(text)
        numbers = {number_of(each): part for each, part in seen.items()}
        if number is None or None in numbers:
            return None
        places = {log(each): part for each, part in numbers.items() if each}
        place = log(number)
        return _extrapolate(place, places) if len(places) > 1 else None

    def _guess_iterations(self, text: str, seen: Mapping[str, float]) -> tuple[float, float] | None:
        number = number_of(text)
        shared = (_SHARED * self._assumed) ** 2
        costs = {
            count: SeenCost(part, shared + self.noise**2 / self._counts[(self._counted, each),])
            for each, part in seen.items()
            if (count := number_of(each))
        }
        if number is None or not costs:
            return None
        if len(costs) > 1:
            return continue_curve(number, costs)
        ((count, cost),) = costs.items()
        distance = log(number / count)
        return cost.cost + self._power * distance, DOUBT * abs(distance)


def _extrapolate(place: float, places: Mapping[float, float]) -> tuple[float, float]:
    """Return the part at a place by a straight line through others, and the doubt about it.

    Costs grow as a power of a number, if they do.
    """
    middle, mean = fmean(places), fmean(places.values())
    slope = sum((each - middle) * (part - mean) for each, part in places.items())
    slope /= sum((each - middle) ** 2 for each in places)
    off = [part - mean - slope * (each - middle) for each, part in places.items()]
    told = mean + slope * (place - middle)
    nearest = places[min(places, key=lambda each: abs(each - place))]
    return told, sqrt(fmean(each**2 for each in off)) + DOUBT * abs(told - nearest)


def number_of(text: str) -> float | None:
    """Return the positive number that a mark has, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number > 0 and isfinite(number) else None
