"""Tests of orchestrator.grid.search_space."""

import math

import pytest

from orchestrator.grid.search_space import Dimension, SearchSpace

LR = Dimension("lr", 0.001, 1.0, is_log=True)
DEPTH = Dimension("depth", 1, 8, is_whole=True)
KIND = Dimension("kind", values=("a", 1, True, None))


def test_numbers_are_rounded_so_that_their_runs_can_be_named_again() -> None:
    """Six digits, and never beyond an end of the interval."""
    assert LR.value_at(0.012345678) == 0.0123457
    assert Dimension("x", 0.12345649, 1.0).value_at(0.12345649) == 0.12345649
    assert DEPTH.value_at(3.0) == 3
    assert type(DEPTH.value_at(3.0)) is int


@pytest.mark.parametrize(
    ("dimension", "value", "place"),
    [
        (LR, 0.5, 0.5),
        (LR, 1, 1.0),
        (LR, 2, None),
        (LR, True, None),
        (LR, "0.5", None),
        (DEPTH, 8, 8.0),
        (DEPTH, 2.5, None),
        (KIND, True, 2),
        (KIND, 1, 1),
        (KIND, None, 3),
        (KIND, "b", None),
    ],
)
def test_value_has_a_place_if_the_axis_could_take_it(
    dimension: Dimension, value: object, place: float | None
) -> None:
    """Values of other types are other values."""
    assert dimension.place_of(value) == place  # type: ignore[arg-type]


def test_places_of_a_point_lead_back_to_it() -> None:
    """A point with other keys, or fewer, is none of the space."""
    space = SearchSpace((LR, KIND))
    point = {"lr": 0.25, "kind": None}
    places = space.places_of(point)  # type: ignore[arg-type]
    assert places == (0.25, 3)
    assert space.point_at(places) == point
    assert space.places_of({"lr": 0.25}) is None
    assert space.places_of({"lr": 0.25, "kind": "a", "more": 1}) is None
    assert space.places_of({"lr": 0.25, "other": 1}) is None


def test_size_is_that_of_the_grid_if_there_is_one() -> None:
    """An interval has no end of points."""
    assert SearchSpace((KIND, DEPTH)).size == 32
    assert SearchSpace((KIND, LR)).size == math.inf
