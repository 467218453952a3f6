"""Tests of orchestrator.grid.axes."""

import pytest

from orchestrator.errors import GridError
from orchestrator.grid.axes import Axis, Point, check_combinations, check_size, expand


def test_points_keep_the_order_of_the_axes_the_last_turning_fastest() -> None:
    """Points come out as an odometer counts."""
    points = expand([Axis("model", ("mlp", "cnn10")), Axis("seed", (0, 1))])
    assert [tuple(point.values.items()) for point in points] == [
        (("model", "mlp"), ("seed", 0)),
        (("model", "mlp"), ("seed", 1)),
        (("model", "cnn10"), ("seed", 0)),
        (("model", "cnn10"), ("seed", 1)),
    ]


def test_no_axes_span_exactly_one_point() -> None:
    """A config without a grid is one run."""
    assert list(expand([])) == [Point({})]


def test_axis_without_values_is_refused_by_name() -> None:
    """An empty axis would silently make an empty grid."""
    with pytest.raises(
        GridError, match=r"axis 'lr' has no values. Give it one, or remove the axis"
    ):
        Axis("lr", ())


def test_repeated_values_stay_points_of_their_own() -> None:
    """Duplicates are counted later, so expanding drops nothing."""
    axes = [Axis("a", (1, 1, 2))]
    assert [point.values["a"] for point in expand(axes)] == [1, 1, 2]


def test_grid_that_nobody_could_expand_is_refused_at_once() -> None:
    """The axes are named with their sizes, and nothing is expanded to find out."""
    axes = [Axis(f"axis{i}", tuple(range(100))) for i in range(6)]
    check_size(axes[:3])
    with pytest.raises(GridError, match=r"1,000,000,000,000 points \(axis0 100, axis1 100"):
        check_size(axes)


def test_grid_of_too_many_composed_configs_is_refused() -> None:
    """Composing takes milliseconds each; the axes are named."""
    axes = [Axis("model", tuple(range(1_000))), Axis("data", tuple(range(101)))]
    check_combinations(axes[:1])
    with pytest.raises(
        GridError, match=r"101,000 configs .* of model, data: the maximum is 100,000"
    ):
        check_combinations(axes)
