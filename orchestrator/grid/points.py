"""The points of one grid or of several, numbered consecutively.

Not every number is a point of the grid: where an axis has a condition, only one of set and unset is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from orchestrator.errors import GridError
from orchestrator.grid.axes import MOST_POINTS, Axis, Point, check_size, point_at
from orchestrator.grid.config_values import same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.config_values import Value


class Points:
    """The points of these grids, each given by its axes, in the order of ``expand``."""

    def __init__(self, *grids: Sequence[Axis]) -> None:
        self.grids = tuple(map(tuple, grids))
        sizes = (math.prod(axis.positions for axis in axes) for axes in self.grids)
        self._firsts = [*accumulate(sizes, initial=0)]

    def __getitem__(self, number: int) -> Point:
        """Return the point with a number."""
        grid = self.grid_of(number)
        return point_at(self.grids[grid], number - self._firsts[grid], grid)

    def first(self, grid: int) -> int:
        """Return the number of the first point of a grid; of the one after the last, the end."""
        return self._firsts[grid]

    def grid_of(self, number: int) -> int:
        """Return the number of the grid to which a point belongs."""
        return bisect_right(self._firsts, number) - 1

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of all grids, each key once with all of its values, in order of first occurrence."""
        if self.are_simple:
            return self.grids[0]
        values: dict[str, list[Value]] = {}
        for each in (each for axes in self.grids for axis in axes for each in axis.each):
            known = values.setdefault(each.key, [])
            known += [value for value in each.values if not any(same(value, it) for it in known)]
        return tuple(Axis(key, tuple(found)) for key, found in values.items())

    @property
    def are_simple(self) -> bool:
        """Whether this is one grid whose axes vary independently."""
        return len(self.grids) == 1 and not any(axis.along or axis.when for axis in self.grids[0])

    @property
    def are_conditional(self) -> bool:
        """Whether an axis has a condition."""
        return any(axis.when for axes in self.grids for axis in axes)

    def check_size(self) -> None:
        """Make sure that the grids are small enough to be enumerated.

        Raises:
            GridError: There are more than ``MOST_POINTS``.
        """
        for axes in self.grids:
            check_size(axes)
        points = sum(math.prod(len(axis.values) for axis in axes) for axes in self.grids)
        if points > MOST_POINTS:
            raise GridError(
                f"the {len(self.grids)} grids have {points:,} points together: the maximum is"
                f" {MOST_POINTS:,}. Give their axes fewer values."
            )
