"""The configs of points as they were hashed, put together from their templates instead of composed."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.grid.axes import places_of
from orchestrator.grid.config_template import config_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.grid.config_template import ConfigTemplate, Positions
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.points import Points


class KnownConfigs:
    """Looks up configs by the numbers of their points.

    Args:
        span: The points of the grids.
        templates: Their config templates.
    """

    def __init__(self, span: Points, templates: Sequence[ConfigTemplate]) -> None:
        self._span = span
        self._templates: dict[tuple[int, Positions], dict[Positions, ConfigTemplate]] = defaultdict(
            dict
        )
        for each in templates:
            axes = tuple(sorted(each.fixed))
            fixed = tuple(each.fixed[number] for number in axes)
            self._templates[each.grid, axes][fixed] = each

    def find(self, number: int) -> dict[str, Value] | None:
        """Return the config of a point; None if only composing it tells, or if it has a credential."""
        grid = self._span.grid_of(number)
        places = places_of(self._span.grids[grid], number - self._span.first(grid))
        at = dict(enumerate(places))
        for (its, axes), known in self._templates.items():
            template = known.get(tuple(at[axis] for axis in axes)) if its == grid else None
            if template is not None:
                if template.parts is None or template.references:
                    return None
                with suppress(KeyError):  # an axis is unset there, by its condition
                    return config_at(template, template.parts, at)
        return None
