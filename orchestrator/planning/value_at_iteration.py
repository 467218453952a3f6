"""The value of a metric after an iteration, and the iterations after which curves can be compared."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.planning.learning_curves import Curve


def value_at(curve: Curve, iteration: int) -> float:
    """Return the last value that was logged up to the end of an iteration; NaN if there is none.

    Args:
        curve: The values by iteration, in order.
        iteration: The iteration, counted from 1.
    """
    last = last_up_to(curve, iteration)
    return math.nan if last is None else curve[last]


def last_up_to(curve: Curve, iteration: int) -> int | None:
    """Return the last iteration up to another one that has a value; None if none has."""
    iterations = list(curve)
    count = bisect_right(iterations, iteration)
    return iterations[count - 1] if count else None


def find_shared_iteration(curves: Iterable[Curve], iteration: int) -> int | None:
    """Return the last iteration up to another one at which all curves have a value; None if there is none.

    Curves without any value up to there are left out.
    """
    logged = [{at for at in curve if at <= iteration} for curve in curves]
    return max(set.intersection(*filter(None, logged)), default=None) if any(logged) else None
