"""The config templates of grids: one per combination of choices, and of axes that are set or unset."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from orchestrator.config.axis_combination import WHEN, in_order
from orchestrator.config.composed_template import binds, compose_template
from orchestrator.errors import FilterError, GridError
from orchestrator.grid.axes import (
    MOST_COMPOSED,
    Point,
    check_combinations,
    describe_point,
    place_point,
)
from orchestrator.grid.config_template import combinations
from orchestrator.grid.config_values import nearest_key
from orchestrator.grid.filter_evaluation import has_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.config.grid_composer import Composer
    from orchestrator.grid.axis_conditions import AxisCondition, ConditionDemand
    from orchestrator.grid.config_template import ConfigTemplate
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition


def make_templates(composer: Composer) -> Iterator[ConfigTemplate]:
    """Yield the config templates of all grids in the order of their first points.

    Raises:
        ConfigError: The first point of a template cannot be composed or resolved.
        FilterError: The condition of an axis orders values that have no order, or no point has a key
            that it reads.
        GridError: There are too many templates.
    """
    for grid in range(len(composer.span.grids)):
        yield from _GridTemplates(composer, grid).make()


def first_point(composer: Composer) -> Point:
    """Return the first point of the grids that there is.

    Raises:
        OrchestratorError: As ``make_templates``.
    """
    for template in make_templates(composer):
        axes = composer.span.grids[template.grid]
        sizes = [len(axis.values) for axis in axes]
        asked = sorted({number for demand in template.demands for number in demand.axes})
        for positions in combinations(asked, sizes):
            at = dict(zip(asked, positions, strict=True))
            if all(demand.is_met(at) for demand in template.demands):
                places = [template.fixed.get(n, at.get(n, 0)) for n in range(len(axes))]
                return place_point(axes, places, template.grid)
    return composer.span[0]


class _GridTemplates:
    """The templates of one grid."""

    def __init__(self, composer: Composer, grid: int) -> None:
        self._composer = composer
        self._grid = grid
        self._axes = composer.span.grids[grid]
        self._sizes = [len(axis.values) for axis in self._axes]
        self._bound = [at for at in range(len(self._axes)) if binds(composer, grid, at)]
        self._conditions = {axis.key: axis.when for axis in self._axes if axis.when is not None}
        numbers = {axis.key: number for number, axis in enumerate(self._axes)}
        order = in_order(self._conditions, list(numbers))
        self._conditional = [numbers[key] for key in order]
        self._judged: dict[tuple[tuple[int, int], ...], ConfigTemplate] = {}
        self._unknown = {
            (axis, key) for axis, condition in self._conditions.items() for key in condition.keys
        }
        self._made = 0

    def make(self) -> Iterator[ConfigTemplate]:
        """Yield them.

        Raises:
            OrchestratorError: As ``make_templates``.
        """
        check_combinations([self._axes[number] for number in self._bound])
        always = [number for number in self._bound if number not in self._conditional]
        for positions in combinations(always, self._sizes):
            fixed = dict(zip(always, positions, strict=True))
            yield from self._decide(fixed, self._conditional, ())
        for axis, key in sorted(self._unknown):
            self._refuse_unknown(axis, key)

    def _decide(
        self, fixed: dict[int, int], open_axes: Sequence[int], demands: tuple[ConditionDemand, ...]
    ) -> Iterator[ConfigTemplate]:
        """Yield the templates with these positions, setting the first of the open axes, or not."""
        if not open_axes:
            yield self._template(fixed, demands)
            return
        from orchestrator.grid.axis_conditions import (  # noqa: PLC0415 # few axes have a condition
            ConditionDemand,
            find_answers,
        )

        number, *others = open_axes
        condition = self._judge(number, {**fixed, **{at: self._axes[at].unset for at in open_axes}})
        answers = find_answers(condition, demands, self._sizes)
        for answer in (True, False):
            if answer not in answers:
                continue
            demanded = (ConditionDemand(condition, answer),) if len(answers) > 1 else ()
            positions: Sequence[int | None] = [None]
            if not answer:
                positions = [self._axes[number].unset]
            elif number in self._bound:
                positions = range(self._sizes[number])
            for at in positions:
                more = {} if at is None else {number: at}
                yield from self._decide({**fixed, **more}, others, (*demands, *demanded))

    def _template(
        self, fixed: Mapping[int, int], demands: tuple[ConditionDemand, ...]
    ) -> ConfigTemplate:
        self._made += 1
        if self._made > MOST_COMPOSED:
            raise GridError(
                f"more than {MOST_COMPOSED:,} configs of this grid have to be composed, since the"
                f" conditions of {', '.join(self._conditions)} combine. Give fewer axes a condition."
            )
        return compose_template(self._composer, self._grid, fixed, demands)

    def _judge(self, number: int, without: dict[int, int]) -> AxisCondition:
        """Return the condition of an axis at the points without it, and without those after it."""
        from orchestrator.grid.axis_conditions import AxisCondition  # noqa: PLC0415 # as above

        axis = self._axes[number]
        condition = self._conditions[axis.key]
        template = self._judged_template(without)
        self._note_keys(axis.key, condition, template)
        free = template.free(len(self._axes))
        point = partial(self._point, without)
        return AxisCondition(
            condition,
            template,
            free,
            lambda at: self._resolve(point(at)),
            lambda at: describe_point(point(at).values),
        )

    def _judged_template(self, fixed: dict[int, int]) -> ConfigTemplate:
        key = tuple(sorted(fixed.items()))
        if key not in self._judged:
            made = compose_template(self._composer, self._grid, fixed, None)
            self._judged = {key: made}  # the last one, which the next axis is judged by as well
        return self._judged[key]

    def _point(self, fixed: Mapping[int, int], at: Mapping[int, int]) -> Point:
        places = [fixed.get(number, at.get(number, 0)) for number in range(len(self._axes))]
        return place_point(self._axes, places, self._grid)

    def _resolve(self, point: Point) -> Mapping[str, Value]:
        return self._composer.resolve_for_conditions(point)

    def _note_keys(self, axis: str, condition: Condition, template: ConfigTemplate) -> None:
        """Remember which keys that the condition reads some point has."""
        for key in condition.keys:
            # Of a template without parts only the first point is known.
            if template.parts is None or has_key(template, self._sizes, key):
                self._unknown.discard((axis, key))

    def _refuse_unknown(self, axis: str, key: str) -> None:
        """Reject a condition that reads a key that no point has.

        Raises:
            FilterError: Always.
        """
        config = next(iter(self._judged.values())).config
        near = nearest_key(config, key)
        hint = f"Did you mean {near!r}?" if near else "If it is a string, put it in quotes."
        text = self._conditions[axis].text
        raise FilterError(f"{WHEN}.{axis} {text!r}: no point has the key {key!r}. {hint}")
