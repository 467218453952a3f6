"""The axes of a grid in their order, and the points that they span.

An axis may set several keys at once (``along``), and may have a condition (``when``): where that does
not hold, the axis is unset. Unset is one more position, after those of its values.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import GridError
from orchestrator.grid.config_values import DELETED, Value, label_of
from orchestrator.grid.short_keys import short_keys
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.grid.filters import Condition


MOST_POINTS: Final = 10_000_000
MOST_COMPOSED: Final = 100_000  # milliseconds each


@dataclass(frozen=True, slots=True)
class Axis:
    """A config key, or a config group, with the values it takes.

    ``along`` are the axes of other keys that vary together with this one, and have as many values.
    ``when`` is the condition under which the axis is set.
    """

    key: str
    values: tuple[Value, ...]
    along: tuple[Axis, ...] = ()
    when: Condition | None = None

    def __post_init__(self) -> None:
        """Reject an axis without values.

        Raises:
            GridError: There are no values.
        """
        if not self.values:
            raise GridError(f"axis {self.key!r} has no values. Give it one, or remove the axis.")

    @property
    def each(self) -> tuple[Axis, ...]:
        """The axis itself, and those that vary together with it."""
        return (self, *self.along)

    @property
    def positions(self) -> int:
        """The number of positions: that of its values, and one more if it may be unset."""
        return len(self.values) + (self.when is not None)

    @property
    def unset(self) -> int:
        """The position at which the axis is unset."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of the axes' values; ``values`` is in the order of the axes.

    ``grid`` is the number of the grid among several.
    """

    values: Mapping[str, Value]
    grid: int = 0


def expand(axes: Sequence[Axis]) -> Iterator[Point]:
    """Yield every point of simple axes once, the last one varying fastest; no axes span one point."""
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


def point_at(axes: Sequence[Axis], number: int, grid: int = 0) -> Point:
    """Return the point with this number in the order of ``expand``, counted from 0."""
    return place_point(axes, places_of(axes, number), grid)


def places_of(axes: Sequence[Axis], number: int) -> list[int]:
    """Return the positions on the axes of the point with this number."""
    places = []
    for axis in reversed(axes):
        number, at = divmod(number, axis.positions)
        places.append(at)
    return places[::-1]


def place_point(axes: Sequence[Axis], places: Sequence[int], grid: int = 0) -> Point:
    """Return the point with these positions on the axes."""
    values: dict[str, Value] = {}
    for axis, at in zip(axes, places, strict=True):
        if at != axis.unset:
            values[axis.key] = axis.values[at]
            for each in axis.along:
                values[each.key] = each.values[at]
    return Point(values, grid)


def describe_point(values: Mapping[str, Value]) -> str:
    """Return the values of a point's axes on one line: ``model=mlp seed=0``, and ``~lr`` if it has no lr."""
    texts = (
        key if key.startswith(DELETED) else f"{key}={label_of(value)}"
        for key, value in values.items()
    )
    return printable(" ".join(texts)) or "the only point"


def describe_briefly(values: Mapping[str, Value]) -> str:
    """Return the same in short: of each key only what tells it from the others."""
    names = short_keys(list(values))
    return describe_point({names[key]: value for key, value in values.items()})
