"""Questions: what filters and a condition are asked about the points of one family.

Each is asked once for each combination of the values that it looks at, and by position, so that
nothing is composed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.grid.config_template import combinations, concerns, config_at
from orchestrator.grid.filters import Filter
from orchestrator.grid.filters_per_point import FILTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Positions
    from orchestrator.grid.filters import Condition
    from orchestrator.grid.filters_per_point import Rules, Verdict


class _Question:
    """One filter, which is asked once for each combination of the values it looks at."""

    def __init__(
        self, item: Filter | Condition, family: ConfigTemplate, free: Sequence[int]
    ) -> None:
        self._holds = item.excludes if isinstance(item, Filter) else item.holds
        self._family = family
        self._parts = [
            part
            for part in family.parts or ()
            if any(concerns(part.path, key) for key in item.keys)
        ]
        needed = {number for part in self._parts for number in part.axes}
        self.axes = tuple(number for number in free if number in needed)
        self._answers: dict[Positions, bool] = {}

    def holds(self, at: dict[int, int]) -> bool:
        key = tuple(at[number] for number in self.axes)
        if key not in self._answers:
            config = config_at(self._family, self._parts, at)
            self._answers[key] = self._holds(config, self._family.choices)
        return self._answers[key]


class Questions:
    """What is asked about the points of a family: all filters that hold there, and the condition."""

    def __init__(
        self, family: ConfigTemplate, sizes: Sequence[int], rules: Rules, free: Sequence[int]
    ) -> None:
        deciding = [part for part in family.parts or () if part.path[0] == FILTERS]
        needed = {number for part in deciding for number in part.axes}
        self._deciding = [number for number in free if number in needed]
        asked: dict[int, _Question] = {}
        self._filters: dict[Positions, list[tuple[int, _Question]]] = {}
        for at in combinations(self._deciding, sizes):
            config = config_at(family, deciding, dict(zip(self._deciding, at, strict=True)))
            for number, item in rules.filters_of(config):
                if number not in asked:
                    asked[number] = _Question(item, family, free)
                self._filters.setdefault(at, []).append((number, asked[number]))
        condition = rules.condition
        self._condition = None if condition is None else _Question(condition, family, free)
        questions = [*asked.values(), *([self._condition] if self._condition else [])]
        self.axes = frozenset({*needed, *(n for question in questions for n in question.axes)})

    @property
    def has_condition(self) -> bool:
        """Whether it is asked which points are meant."""
        return self._condition is not None

    def judge(self, at: dict[int, int]) -> Verdict:
        """Return the number of the first filter that drops a point, and whether it is meant."""
        filters = self._filters.get(tuple(at[number] for number in self._deciding), ())
        for number, question in filters:
            if question.holds(at):
                return number, False
        return None, self._condition is not None and self._condition.holds(at)
