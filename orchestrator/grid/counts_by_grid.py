"""The counts of a selection by grid: what each of several grids contributes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.points import Points


@dataclass(frozen=True, slots=True)
class FilterCount:
    """The number of points that a filter dropped; a point counts for the first filter only."""

    filter: str
    excluded: int


@dataclass(frozen=True, slots=True)
class GridCount:
    """The points of one grid: its runs, its duplicates of itself and of earlier grids, the dropped ones."""

    points: int
    runs: int
    duplicates: int
    filters: tuple[FilterCount, ...]

    @property
    def excluded(self) -> int:
        """The number of points that filters dropped."""
        return sum(item.excluded for item in self.filters)


def count_by_grid(
    span: Points,
    kept: Sequence[int],
    distinct: Sequence[int],
    dropped: Sequence[tuple[int, int]],
    filters: Sequence[str],
) -> tuple[GridCount, ...]:
    """Count the points of each grid.

    Args:
        span: The points of the grids.
        kept: The numbers of the points that no filter dropped, ascending.
        distinct: Those of them that are runs, ascending.
        dropped: The number of each dropped point and that of the filter that dropped it, ascending.
        filters: The filters.
    """
    found = []
    for grid in range(len(span.grids)):
        low, high = span.first(grid), span.first(grid + 1)
        points, runs = (
            bisect_left(numbers, high) - bisect_left(numbers, low) for numbers in (kept, distinct)
        )
        those = dropped[bisect_left(dropped, (low, -1)) : bisect_left(dropped, (high, -1))]
        counts = Counter(excluded_by for _, excluded_by in those)
        by_filter = tuple(FilterCount(text, counts[at]) for at, text in enumerate(filters))
        found.append(GridCount(points + len(those), runs, points - runs, by_filter))
    return tuple(found)


def sum_of_filters(grids: Sequence[GridCount]) -> tuple[FilterCount, ...]:
    """Return the number of points that each filter dropped from all grids together."""
    columns = zip(*(grid.filters for grid in grids), strict=True)
    return tuple(FilterCount(each[0].filter, sum(it.excluded for it in each)) for each in columns)
