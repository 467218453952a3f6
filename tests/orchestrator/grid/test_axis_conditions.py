"""Tests of orchestrator.grid.axis_conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import FilterError
from orchestrator.grid.axis_conditions import AxisCondition, ConditionDemand, find_answers
from orchestrator.grid.config_template import ConfigTemplate, Part
from orchestrator.grid.filter_parser import parse_condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

PARTS = (Part(("x",), (0,), {(0,): 1, (1,): 2}), Part(("y",), (1,), {(0,): 3, (1,): "text"}))
SIZES = [2, 2]


def _resolve(at: Mapping[int, int]) -> dict[str, Value]:
    return {part.path[0]: part.values[at[part.axes[0]],] for part in PARTS}  # type: ignore[misc]


def _condition(text: str, *, are_parts_known: bool = True) -> AxisCondition:
    template = ConfigTemplate({}, {"x": 1, "y": 3}, PARTS if are_parts_known else None)
    condition = parse_condition(text, "orch.when.z")
    return AxisCondition(condition, template, (0, 1), _resolve, lambda at: f"the point {dict(at)}")


@pytest.mark.parametrize("are_parts_known", [True, False])
def test_condition_is_judged_at_positions(*, are_parts_known: bool) -> None:
    """From the parts of the template, or point by point where these are unknown."""
    condition = _condition("x == 2", are_parts_known=are_parts_known)
    assert [condition.holds({0: at, 1: 0}) for at in (0, 1)] == [False, True]
    assert condition.axes == ((0,) if are_parts_known else (0, 1))
    assert ConditionDemand(condition, answer=False).is_met({0: 0, 1: 1})


@pytest.mark.parametrize(
    ("text", "answers"),
    [("x == 2", {True, False}), ("x > 0", {True}), ("x > 2", set[bool]() | {False})],
)
def test_answers_are_found_without_a_look_at_every_point(text: str, answers: set[bool]) -> None:
    """One that is always the same needs no demand of the points."""
    assert find_answers(_condition(text), (), SIZES) == answers


def test_answers_are_those_at_points_that_meet_the_demands() -> None:
    """A condition after another one is asked where that has its answer."""
    demand = ConditionDemand(_condition("x == 2"), answer=True)
    assert find_answers(_condition("x > 1"), (demand,), SIZES) == {True}


def test_values_without_order_are_refused_with_the_setting_and_the_point() -> None:
    """The user sees which condition it is."""
    with pytest.raises(FilterError, match=r"(?s)orch.when.z, character 3.*the point \{1: 1\}"):
        _condition("y > 1").holds({1: 1})
