"""Pacing: how many of the training samples a curriculum allows in an iteration."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STEEPNESS = 10

# From the elapsed share of the iterations to the share of the samples that was added, both 0 to 1:
# Wu et al. 2021, "When Do Curricula Work?", table 2.
PACINGS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda way: way,
    "quadratic": lambda way: way**2,
    "root": sqrt,
    "exponential": lambda way: (exp(STEEPNESS * way) - 1) / (exp(STEEPNESS) - 1),
    "logarithmic": lambda way: 1 + log(way + exp(-STEEPNESS)) / STEEPNESS,
    "step": lambda way: float(way >= 1),
}


def samples_at(iteration: int, count: int, *, pacing: str, initial: float, full_at: int) -> int:
    """Return how many samples, at least one, are allowed in an iteration.

    Args:
        iteration: The iteration, counted from 1.
        count: The number of all training samples.
        pacing: One of `PACINGS`.
        initial: The share of the samples in the first iteration.
        full_at: The iteration from which on all samples are allowed.
    """
    if iteration >= full_at:
        return count
    come = PACINGS[pacing]((iteration - 1) / (full_at - 1))
    share = initial + (1 - initial) * min(1.0, max(0.0, come))
    return min(count, max(1, round(count * share)))
