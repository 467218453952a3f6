"""Tests of orchestrator.grid.config_template: configs with holes, and how they are filled."""

from copy import deepcopy
from typing import Any

import pytest

from orchestrator.grid.config_template import (
    ConfigTemplate,
    Part,
    combinations,
    concerns,
    fill,
    put,
)

CONFIG: dict[str, Any] = {"a": {"b": [1, {"c": 2}], "d": 3}, "e": 4}


def test_positions_are_counted_out_with_the_last_axis_turning_fastest() -> None:
    """The order is that of the points of a grid."""
    assert list(combinations((0, 2), (2, 9, 2))) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert list(combinations((), (2, 3))) == [()]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("e",), {"a": CONFIG["a"], "e": 9}),
        (("a", "d"), {"a": {"b": [1, {"c": 2}], "d": 9}, "e": 4}),
        (("a", "b", 0), {"a": {"b": [9, {"c": 2}], "d": 3}, "e": 4}),
        (("a", "b", 1, "c"), {"a": {"b": [1, {"c": 9}], "d": 3}, "e": 4}),
    ],
)
def test_value_is_put_into_a_copy_and_all_else_is_shared(path: Any, expected: Any) -> None:
    """A million configs are filled from one, which must stay as it is."""
    before = deepcopy(CONFIG)
    assert put(CONFIG, {path: 9}) == expected
    assert before == CONFIG


def test_several_parts_are_filled_at_once_below_one_node() -> None:
    """What one part has copied the next one finds."""
    parts = [Part(("a", "d"), (0,), {(0,): 5}), Part(("a", "b", 0), (0,), {(0,): 6})]
    filled = fill(CONFIG, parts, lambda part: part.values[0,])
    assert filled == {"a": {"b": [6, {"c": 2}], "d": 5}, "e": 4}
    assert filled["a"]["b"][1] is CONFIG["a"]["b"][1]  # type: ignore[index,call-overload] # its shape is known here


def test_path_concerns_keys_above_and_below_it() -> None:
    """A part with a dot of its own is one step."""
    path = ("model", "a.b", 0)
    assert all(concerns(path, key) for key in ("model", 'model."a.b"', 'model."a.b".0.x'))
    assert not any(concerns(path, key) for key in ("lr", "model.a.b", 'model."a.b".1'))


def test_free_axes_are_those_without_a_fixed_position() -> None:
    """On these the points of a template differ."""
    assert ConfigTemplate({1: 0}, {}, ()).free(3) == (0, 2)
