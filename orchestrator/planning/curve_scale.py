"""The vertical scale of learning curves: a few curves that diverge must not flatten all others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.planning.learning_curves import Line

_TIMES_AS_LARGE: Final = 20


@dataclass(frozen=True, slots=True)
class CurveScale:
    """The least and the greatest value of the curves that fit on a scale; ``beyond`` others leave it."""

    least: float
    greatest: float
    beyond: int


def scale_without_diverged(lines: Sequence[Line]) -> CurveScale | None:
    """Return the scale of most curves, or None if that is the scale of all.

    Curves stand in the order of their largest magnitude. At least half of them fit, and each further
    one unless it is twenty times as large as those before: they would be less than a twentieth of it high.
    """
    ranges = [(min(it), max(it)) for line in lines for it in _curves_of(line) if it]
    ranges.sort(key=_magnitude)
    fitting = math.ceil(len(ranges) / 2)
    while fitting < len(ranges) and _magnitude(ranges[fitting]) <= _TIMES_AS_LARGE * _magnitude(
        ranges[fitting - 1]
    ):
        fitting += 1
    least = min((low for low, _ in ranges[:fitting]), default=0.0)
    greatest = max((high for _, high in ranges[:fitting]), default=0.0)
    if fitting == len(ranges) or least == greatest:
        return None
    return CurveScale(least, greatest, len(ranges) - fitting)


def _magnitude(bounds: tuple[float, float]) -> float:
    return max(map(abs, bounds))


def _curves_of(line: Line) -> Iterator[list[float]]:
    """Yield the finite values of a row's mean with its band, and of each unfinished run."""
    bounds = [(it.mean, it.low, it.high) for it in line.points]
    yield [v for each in bounds for v in each if v is not None and math.isfinite(v)]
    for each in line.unfinished:
        yield [value for value in each.curve.values() if math.isfinite(value)]
