"""Tests of orchestrator.grid.counts_by_grid."""

from orchestrator.grid.axes import Axis
from orchestrator.grid.counts_by_grid import FilterCount, GridCount, count_by_grid, sum_of_filters
from orchestrator.grid.points import Points


def test_points_are_counted_by_grid() -> None:
    """Runs, duplicates and what each filter dropped add up in each grid, and over all of them."""
    span = Points([Axis("a", tuple(range(4)))], [Axis("b", tuple(range(3)))])
    found = count_by_grid(span, [0, 2, 3, 4, 6], [0, 2, 6], [(1, 1), (5, 0)], ["first", "second"])
    assert found == (
        GridCount(4, 2, 1, (FilterCount("first", 0), FilterCount("second", 1))),
        GridCount(3, 1, 1, (FilterCount("first", 1), FilterCount("second", 0))),
    )
    assert [grid.excluded for grid in found] == [1, 1]
    assert sum_of_filters(found) == (FilterCount("first", 1), FilterCount("second", 1))


def test_nothing_is_counted_without_a_grid() -> None:
    """There are no filters, and no points."""
    assert count_by_grid(Points(), [], [], [], []) == ()
    assert sum_of_filters(()) == ()
