"""The value of a metric after an iteration, whatever the steps of its points count."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.planning.learning_curves import Curve


def value_at(curve: Curve, iteration: int, reached: int) -> float:
    """Return the last value that was logged up to the end of an iteration; NaN if there is none.

    Steps count iterations, from 1 or from 0; or something else, such as updates, if there is one value
    per iteration. What a program logged of a later iteration before it was killed changes nothing.

    Args:
        curve: The values by step, in order.
        iteration: The iteration, counted from 1.
        reached: How many iterations the run has reported.
    """
    steps = list(curve)
    count = _count_until(steps, iteration, reached)
    return curve[steps[count - 1]] if count else math.nan


def is_per_iteration(curve: Curve, reached: int) -> bool:
    """Return whether the steps of a curve can be told from iterations."""
    steps = list(curve)
    return _counts_iterations(steps, reached) or _is_one_each(steps, reached)


def _count_until(steps: Sequence[int], iteration: int, reached: int) -> int:
    if not _counts_iterations(steps, reached):
        return min(iteration, len(steps))
    return bisect_right(steps, iteration - 1 if steps[0] == 0 else iteration)


def _counts_iterations(steps: Sequence[int], reached: int) -> bool:
    if not steps or steps[0] < 0:
        return False
    is_ahead = steps[-1] == reached + 1 and reached in steps
    return steps[-1] <= reached or is_ahead


def _is_one_each(steps: Sequence[int], reached: int) -> bool:
    spacings = {after - before for before, after in pairwise(steps)}
    return len(spacings) <= 1 and abs(len(steps) - reached) <= 1
