"""The evaluation of filters and conditions for the points of one config template.

Each is evaluated once per combination of the values that its keys depend on; no config is composed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.grid.config_template import combinations, concerns, config_at
from orchestrator.grid.config_values import is_known
from orchestrator.grid.filters import Filter, is_key_of
from orchestrator.grid.filters_per_point import FILTERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Positions
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.filters_per_point import Rules, Verdict


# What is decided on a point that does not exist, since the condition of an axis is not met.
NO_POINT: Final[Verdict] = (-1, False)


class CachedFilter:
    """A filter or condition, evaluated once per combination of the values it depends on."""

    def __init__(
        self, item: Filter | Condition, template: ConfigTemplate, free: Sequence[int]
    ) -> None:
        self._holds = item.excludes if isinstance(item, Filter) else item.holds
        self._template = template
        self._parts = [
            part
            for part in template.parts or ()
            if any(concerns(part.path, key) for key in item.keys)
        ]
        needed = {number for part in self._parts for number in part.axes}
        self.axes = tuple(number for number in free if number in needed)
        self._answers: dict[Positions, bool] = {}

    def holds(self, at: Mapping[int, int]) -> bool:
        """Return whether it holds at these positions."""
        key = tuple(at[number] for number in self.axes)
        if key not in self._answers:
            config = config_at(self._template, self._parts, at)
            self._answers[key] = self._holds(config, self._template.choices)
        return self._answers[key]


class FilterEvaluation:
    """Evaluates all filters of a template's points, and the condition."""

    def __init__(
        self, template: ConfigTemplate, sizes: Sequence[int], rules: Rules, free: Sequence[int]
    ) -> None:
        deciding = [part for part in template.parts or () if part.path[0] == FILTERS]
        needed = {number for part in deciding for number in part.axes}
        self._deciding = [number for number in free if number in needed]
        known: dict[int, CachedFilter] = {}
        self._filters: dict[Positions, list[tuple[int, CachedFilter]]] = {}
        for at in combinations(self._deciding, sizes):
            config = config_at(template, deciding, dict(zip(self._deciding, at, strict=True)))
            for number, item in rules.filters_of(config):
                if number not in known:
                    known[number] = CachedFilter(item, template, free)
                self._filters.setdefault(at, []).append((number, known[number]))
        condition = rules.condition
        self._condition = None if condition is None else CachedFilter(condition, template, free)
        filters = [*known.values(), *([self._condition] if self._condition else [])]
        self._demands = template.demands
        needed.update(number for item in filters for number in item.axes)
        self.axes = needed.union(*(demand.axes for demand in template.demands))

    @property
    def has_condition(self) -> bool:
        """Whether there is a condition."""
        return self._condition is not None

    def judge(self, at: dict[int, int]) -> Verdict:
        """Return the first filter that drops a point, and whether the point meets the condition.

        Where a demand of the template is not met, it is ``NO_POINT``.
        """
        if not all(demand.is_met(at) for demand in self._demands):
            return NO_POINT
        filters = self._filters.get(tuple(at[number] for number in self._deciding), ())
        for number, item in filters:
            if item.holds(at):
                return number, False
        return None, self._condition is not None and self._condition.holds(at)


def has_key(template: ConfigTemplate, sizes: Sequence[int], key: str) -> bool:
    """Return whether some point of a template whose parts are known has a dotted key."""
    if is_key_of(template.config, template.choices, key):
        return True
    parts = [part for part in template.parts or () if concerns(part.path, key)]
    axes = sorted({number for part in parts for number in part.axes})
    return any(
        is_known(config_at(template, parts, dict(zip(axes, at, strict=True))), key)
        for at in combinations(axes, sizes)
    )
