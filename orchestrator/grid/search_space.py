"""The space of a search: the values from which each of its axes takes one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_values import is_number, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.grid.config_values import Value

_DIGITS: Final = 6  # of a proposed number, so that its run can be named again by hand


@dataclass(frozen=True, slots=True)
class Dimension:
    """An axis of a search: an interval of numbers, or values to choose from.

    ``is_whole``: only whole numbers of the interval. ``is_log``: small numbers are as likely as large
    ones. ``is_ordered``: neighbours among the values are alike.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    values: tuple[Value, ...] = ()
    is_whole: bool = False
    is_log: bool = False
    is_ordered: bool = False

    @property
    def example(self) -> Value:
        """One of the values."""
        return self.values[0] if self.values else self.value_at(self.low)

    def value_at(self, place: float) -> Value:
        """Return the value at a place: at a number of the interval, rounded, or that with an index."""
        if self.values:
            return self.values[round(place)]
        if self.is_whole:
            return round(place)
        return min(max(float(f"{place:.{_DIGITS}g}"), self.low), self.high)

    def place_of(self, value: Value) -> float | None:
        """Return the place of a value; None if it is not one of the axis."""
        if self.values:
            return next((at for at, each in enumerate(self.values) if same(each, value)), None)
        if not isinstance(value, int | float) or not is_number(value):
            return None
        is_within = self.low <= value <= self.high and (not self.is_whole or value == int(value))
        return float(value) if is_within else None


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The axes of a search."""

    dimensions: tuple[Dimension, ...]

    def places_of(self, point: Mapping[str, Value]) -> tuple[float, ...] | None:
        """Return the places of a point on the axes; None if it is not one of the space."""
        if len(point) != len(self.dimensions):
            return None
        found = []
        for each in self.dimensions:
            place = each.place_of(point[each.key]) if each.key in point else None
            if place is None:
                return None
            found.append(place)
        return tuple(found)

    def point_at(self, places: tuple[float, ...]) -> dict[str, Value]:
        """Return the point at these places."""
        pairs = zip(self.dimensions, places, strict=True)
        return {each.key: each.value_at(place) for each, place in pairs}

    def points(self) -> Iterator[dict[str, Value]]:
        """Yield all points of a finite space, in the order of a grid."""
        ranges = (
            range(len(it.values)) if it.values else range(int(it.low), int(it.high) + 1)
            for it in self.dimensions
        )
        return (self.point_at(tuple(map(float, at))) for at in itertools.product(*ranges))

    @property
    def size(self) -> float:
        """The number of points; infinite where an axis has any number of an interval."""
        size = 1.0
        for each in self.dimensions:
            if each.values:
                size *= len(each.values)
            else:
                size *= each.high - each.low + 1 if each.is_whole else float("inf")
        return size
