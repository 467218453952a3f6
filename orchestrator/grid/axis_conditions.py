"""Conditions of axes: where an axis is set.

A condition is judged on the config without its axis, as a template of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from orchestrator.grid.config_template import combinations
from orchestrator.grid.filter_evaluation import CachedFilter
from orchestrator.grid.filters_per_point import naming_the_point

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Demand, Positions
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition

ResolveAt: TypeAlias = "Callable[[Mapping[int, int]], Mapping[str, Value]]"


class AxisCondition:
    """A condition on the points of a template, evaluated once per combination it depends on.

    Args:
        condition: The condition.
        template: The template of the points without the axis.
        free: The numbers of the axes in which these points differ.
        resolve: Returns the config at positions on these, for a template without parts.
        describe: Describes the point at positions, for error messages.
    """

    def __init__(
        self,
        condition: Condition,
        template: ConfigTemplate,
        free: Positions,
        resolve: ResolveAt,
        describe: Callable[[Mapping[int, int]], str],
    ) -> None:
        self._condition = condition
        self._template = template
        self._cached = CachedFilter(condition, template, free)
        self._resolve = resolve
        self._describe = describe
        self.axes = free if template.parts is None else self._cached.axes
        self._answers: dict[Positions, bool] = {}

    def holds(self, at: Mapping[int, int]) -> bool:
        """Return whether it holds at these positions.

        Raises:
            FilterError: It orders values that have no order.
        """
        with naming_the_point(lambda: self._describe(at)):
            if self._template.parts is not None:
                return self._cached.holds(at)
            key = tuple(at[number] for number in self.axes)
            if key not in self._answers:
                config = self._resolve(at)
                self._answers[key] = self._condition.holds(config, self._template.choices)
            return self._answers[key]


@dataclass(frozen=True, slots=True)
class ConditionDemand:
    """The demand that a condition holds, or that it does not, for a point to exist."""

    condition: AxisCondition
    answer: bool

    @property
    def axes(self) -> Positions:
        """The numbers of the axes on which it depends."""
        return self.condition.axes

    def is_met(self, at: Mapping[int, int]) -> bool:
        """Return whether it is met at these positions."""
        return self.condition.holds(at) is self.answer


def find_answers(
    condition: AxisCondition, demands: Sequence[Demand], sizes: Sequence[int]
) -> frozenset[bool]:
    """Return whether a condition holds at some points that meet the demands, and not at others.

    Raises:
        FilterError: It orders values that have no order.
    """
    found: set[bool] = set()
    axes = sorted({*condition.axes, *(number for demand in demands for number in demand.axes)})
    for positions in combinations(axes, sizes):
        at = dict(zip(axes, positions, strict=True))
        if all(demand.is_met(at) for demand in demands):
            found.add(condition.holds(at))
        if len(found) == 2:  # noqa: PLR2004 # true and false
            break
    return frozenset(found)
