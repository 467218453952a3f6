"""Tests of orchestrator.grid.points."""

import pytest

from orchestrator.errors import GridError
from orchestrator.grid.axes import Axis
from orchestrator.grid.filter_parser import parse_condition
from orchestrator.grid.points import Points

WHEN = parse_condition("a == 1")


def test_points_are_numbered_through_all_grids() -> None:
    """Each point knows its grid, and the last axis of each varies fastest."""
    span = Points([Axis("a", (1, 2)), Axis("b", (3, 4))], [Axis("c", (5,))], [])
    points = [span[number] for number in range(span.first(3))]
    assert [(dict(point.values), point.grid) for point in points] == [
        ({"a": 1, "b": 3}, 0),
        ({"a": 1, "b": 4}, 0),
        ({"a": 2, "b": 3}, 0),
        ({"a": 2, "b": 4}, 0),
        ({"c": 5}, 1),
        ({}, 2),
    ]


def test_axis_with_a_condition_has_a_position_at_which_it_is_unset() -> None:
    """It comes after those of its values."""
    span = Points([Axis("a", (1,)), Axis("b", (3, 4), when=WHEN)])
    assert [dict(span[number].values) for number in range(3)] == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 1},
    ]
    assert span.are_conditional
    assert not span.are_simple


def test_axes_that_vary_together_have_their_values_at_one_position() -> None:
    """Keys are in the order of the axis and those along it."""
    span = Points([Axis("a", (1, 2), along=(Axis("b", (3, 4)),))])
    assert [dict(span[number].values) for number in range(2)] == [
        {"a": 1, "b": 3},
        {"a": 2, "b": 4},
    ]


def test_axes_of_all_grids_are_told_once() -> None:
    """Each with all of its values; 1 and true are two."""
    span = Points([Axis("a", (1, 2)), Axis("b", (0,))], [Axis("a", (2, True, 3))])
    assert span.axes == (Axis("a", (1, 2, True, 3)), Axis("b", (0,)))


def test_grids_that_are_too_large_together_are_refused() -> None:
    """Each of them alone would be allowed."""
    axes = [Axis("a", tuple(range(3_000))), Axis("b", tuple(range(2_000)))]
    Points(axes).check_size()
    with pytest.raises(GridError, match="the 2 grids have 12,000,000 points together"):
        Points(axes, axes).check_size()
