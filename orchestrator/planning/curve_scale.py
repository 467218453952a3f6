"""The vertical scale of learning curves: a few curves that diverge must not flatten all others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.planning.metric_direction import Direction, direction_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.planning.learning_curves import Line

    _Curve = list[list[float]]

_TIMES_AS_LARGE: Final = 20


@dataclass(frozen=True, slots=True)
class CurveScale:
    """The least and the greatest value of the curves that fit on a scale; ``beyond`` others leave it."""

    least: float
    greatest: float
    beyond: int


def scales_without_diverged(lines: Mapping[str, Sequence[Line]]) -> dict[str, CurveScale]:
    """Return the scale of most curves of each metric, where it is not that of all."""
    found = {metric: scale_without_diverged(metric, drawn) for metric, drawn in lines.items()}
    return {metric: scale for metric, scale in found.items() if scale is not None}


def scale_without_diverged(metric: str, lines: Sequence[Line]) -> CurveScale | None:
    """Return the scale of most curves, or None if that is the scale of all.

    Only a metric that is better the less it is can diverge. Curves stand in the order of the magnitudes at
    which they end. At least half of them fit, and each further one unless it ends twenty times as far out
    as those before have ever been: they would be less than a twentieth of it high.
    """
    if direction_of(metric) is not Direction.LESS:
        return None
    curves = sorted((it for line in lines for it in _curves_of(line) if it), key=_end)
    heights = [max(abs(value) for bounds in curve for value in bounds) for curve in curves]
    fitting = math.ceil(len(curves) / 2)
    reach = max(heights[:fitting], default=0.0)
    while fitting < len(curves) and _end(curves[fitting]) <= _TIMES_AS_LARGE * reach:
        reach = max(reach, heights[fitting])
        fitting += 1
    shown = [value for curve in curves[:fitting] for bounds in curve for value in bounds]
    if fitting == len(curves) or min(shown) == max(shown):
        return None
    return CurveScale(min(shown), max(shown), len(curves) - fitting)


def _end(curve: _Curve) -> float:
    return max(map(abs, curve[-1]))


def _curves_of(line: Line) -> Iterator[_Curve]:
    """Yield the finite values of a row's mean with its band, and of each unfinished run, by iterations."""
    curves: list[list[tuple[float | None, ...]]] = [
        [(it.mean, it.low, it.high) for it in line.points]
    ]
    curves.extend([(value,) for value in it.curve.values()] for it in line.unfinished)
    for curve in curves:
        finite = ([v for v in each if v is not None and math.isfinite(v)] for each in curve)
        yield [each for each in finite if each]
