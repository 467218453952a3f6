"""Mean and standard deviation of a sample; numbers near the largest that there is do not raise."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN if a value is not finite."""
    if not all(map(math.isfinite, values)):
        return math.nan
    # Divided first, since a sum of large numbers may be infinite.
    return math.fsum(value / len(values) for value in values)


def std_of(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample of at least two; NaN if a value is not finite."""
    if not all(map(math.isfinite, values)):
        return math.nan
    try:
        return statistics.stdev(values)
    except OverflowError:
        mean = mean_of(values)
        return math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)
