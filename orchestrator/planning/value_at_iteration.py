"""The value of a metric after an iteration."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.planning.learning_curves import Curve


def value_at(curve: Curve, iteration: int) -> float:
    """Return the last value that was logged up to the end of an iteration; NaN if there is none.

    Args:
        curve: The values by iteration, in order.
        iteration: The iteration, counted from 1.
    """
    iterations = list(curve)
    count = bisect_right(iterations, iteration)
    return curve[iterations[count - 1]] if count else math.nan
