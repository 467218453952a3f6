"""The cost of a run by its number of iterations: a start, and the same for each iteration.

How much of the cost is the start is not known, and runs of few iterations hardly tell. So each share of it
counts by how likely it makes the costs that were seen (a Bayesian average with a flat prior over its
logarithm): far beyond them the cost becomes proportional to the iterations, however flat it began.
"""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the start costs, in iterations, as multiples of the smallest number of iterations seen.
_STARTS: Final = (0.0, *(10 ** (quarter / 4) for quarter in range(-6, 13)))


class SeenCost(NamedTuple):
    """The logarithm of the mean cost of runs with one number of iterations, and its variance."""

    cost: float
    variance: float


def continue_curve(iterations: float, seen: Mapping[float, SeenCost]) -> tuple[float, float]:
    """Return the logarithm of the cost for a number of iterations, and its standard deviation.

    Args:
        iterations: The number, which no run has had.
        seen: The costs by the numbers that runs have had.
    """
    whole = sum(1 / each.variance for each in seen.values())
    fits = []
    for start in _STARTS:
        before = start * min(seen)
        residuals = {count: each.cost - log(before + count) for count, each in seen.items()}
        base = sum(it / seen[count].variance for count, it in residuals.items()) / whole
        misfit = sum((it - base) ** 2 / seen[count].variance for count, it in residuals.items())
        fits.append((misfit, base + log(before + iterations)))
    best = min(misfit for misfit, _ in fits)
    chances = [exp((best - misfit) / 2) for misfit, _ in fits]
    told = fmean((cost for _, cost in fits), chances)
    spread = fmean(((cost - told) ** 2 for _, cost in fits), chances)
    return told, sqrt(spread + 1 / whole)
