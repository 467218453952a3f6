"""Mean and standard deviation of a sample; numbers near the largest that there is do not raise."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


LARGEST_DRAWN: Final = 1e300  # differences of larger numbers may be infinite


def is_drawable(value: float) -> bool:
    """Return whether a number can be drawn: NaN, the infinities and numbers beyond 1e300 cannot."""
    return abs(value) <= LARGEST_DRAWN


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN if a value is not finite."""
    if not all(map(math.isfinite, values)):
        return math.nan
    try:
        return statistics.fmean(values)
    except OverflowError:  # of their sum; that of halves cannot, and rounding stays between them
        mean = 2 * math.fsum(value / len(values) / 2 for value in values)
        return min(max(values), max(min(values), mean))


def std_of(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample of at least two; NaN if a value is not finite."""
    if not all(map(math.isfinite, values)):
        return math.nan
    try:
        return statistics.stdev(values)
    except OverflowError:
        mean = mean_of(values)
        return math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)
