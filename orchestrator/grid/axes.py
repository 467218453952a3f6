"""The axes of a grid in their order, and the points that they span."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import GridError
from orchestrator.grid.config_values import Value, show
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


MOST_POINTS: Final = 10_000_000
MOST_COMPOSED: Final = 100_000  # milliseconds each


@dataclass(frozen=True, slots=True)
class Axis:
    """A config key, or a config group, with the values it takes."""

    key: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Reject an axis without values.

        Raises:
            GridError: There are no values.
        """
        if not self.values:
            raise GridError(f"axis {self.key!r} has no values. Give it one, or remove the axis.")


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of the axes' values; ``values`` is in the order of the axes."""

    values: Mapping[str, Value]


def expand(axes: Sequence[Axis]) -> Iterator[Point]:
    """Yield every point once, the last axis varying fastest; no axes span exactly one point."""
    keys = [axis.key for axis in axes]
    for values in itertools.product(*(axis.values for axis in axes)):
        yield Point(dict(zip(keys, values, strict=True)))


def check_size(axes: Sequence[Axis]) -> None:
    """Make sure that a grid is small enough to be enumerated.

    Raises:
        GridError: There are more than ``MOST_POINTS``.
    """
    points = math.prod(len(axis.values) for axis in axes)
    if points > MOST_POINTS:
        sizes = ", ".join(f"{axis.key} {len(axis.values):,}" for axis in axes)
        raise GridError(
            f"the grid has {points:,} points ({sizes}): the maximum is {MOST_POINTS:,}."
            " Give the axes fewer values."
        )


def check_combinations(axes: Sequence[Axis]) -> None:
    """Make sure that a config can be composed for each combination of these axes.

    Raises:
        GridError: There are more than ``MOST_COMPOSED``.
    """
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST_COMPOSED:
        raise GridError(
            f"{count:,} configs of this grid have to be composed, one per combination of"
            f" {', '.join(axis.key for axis in axes)}: the maximum is {MOST_COMPOSED:,}. Give these"
            " axes fewer values."
        )


def point_at(axes: Sequence[Axis], number: int) -> Point:
    """Return the point with this number in the order of ``expand``, counted from 0."""
    values: dict[str, Value] = {}
    for axis in reversed(axes):
        number, at = divmod(number, len(axis.values))
        values[axis.key] = axis.values[at]
    return Point(dict(reversed(values.items())))


def describe_point(values: Mapping[str, Value]) -> str:
    """Return the values of a point's axes on one line: ``model=mlp seed=0``."""
    texts = (
        f"{key}={value}" if isinstance(value, str) else f"{key}={show(value)}"
        for key, value in values.items()
    )
    return printable(" ".join(texts)) or "the only point"


def describe_briefly(values: Mapping[str, Value]) -> str:
    """Return the same in short: only the last part of each key, if that is unique."""
    shorts = Counter(map(_last_part, values))
    return describe_point(
        {
            short if shorts[short := _last_part(key)] == 1 else key: value
            for key, value in values.items()
        }
    )


def _last_part(key: str) -> str:
    return key.rpartition(".")[2]
