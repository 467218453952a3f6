"""The axes of a search, from swept overrides in Hydra's grammar."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hydra.core.override_parser.types import IntervalSweep, RangeSweep

from orchestrator.config.overrides import make_axis, name_of
from orchestrator.errors import GridError
from orchestrator.grid.axes import Axis
from orchestrator.grid.search_space import Dimension, SearchSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.config.hydra_composition import ConfigFolder


def make_space(swept: Sequence[Override], folder: ConfigFolder) -> tuple[SearchSpace, list[Axis]]:
    """Return the space that swept overrides span, and for each of its axes one with an example.

    Raises:
        GridError: As for ``make_dimension``.
        ConfigError: A value cannot be read.
    """
    space = SearchSpace(tuple(make_dimension(item, folder) for item in swept))
    pairs = zip(space.dimensions, swept, strict=True)
    return space, [make_example_axis(each, item, folder) for each, item in pairs]


def make_dimension(override: Override, folder: ConfigFolder) -> Dimension:
    """Return the axis of a search that a swept override spans.

    ``interval(...)`` has any number between two, ``int(interval(...))`` whole numbers;
    ``tag(log, ...)`` searches their logarithms. All others have values to choose from, of which those
    of a ``range(...)`` are ordered.

    Raises:
        GridError: It has no values, or cannot be an axis.
        ConfigError: A value cannot be read.
    """
    name, sweep = name_of(override), override.value()
    if not isinstance(sweep, IntervalSweep):
        values = make_axis(override, folder).values
        is_range = isinstance(sweep, RangeSweep) and not sweep.shuffle
        distinct = tuple(dict.fromkeys((type(it), str(it)) for it in values))
        if len(distinct) < len(values):
            raise GridError(f"{override.input_line}: a value stands there twice. Write it once.")
        return Dimension(name, values=values, is_ordered=is_range)
    low, high = sweep.start, sweep.end
    if (
        low is None
        or high is None
        or not (math.isfinite(low) and math.isfinite(high))
        or low >= high
    ):
        raise GridError(
            f"{override.input_line}: the interval is empty. Write the smaller end first."
        )
    is_log = "log" in sweep.tags
    if is_log and low <= 0:
        raise GridError(
            f"{override.input_line}: there is no logarithm of {low}. Begin the interval above 0, or"
            " remove the tag."
        )
    is_whole = isinstance(low, int) and isinstance(high, int)
    return Dimension(name, low, high, is_whole=is_whole, is_log=is_log)


def make_example_axis(dimension: Dimension, override: Override, folder: ConfigFolder) -> Axis:
    """Return the axis that stands for one of a search where a point is needed before any is chosen.

    Raises:
        GridError: The override cannot be an axis.
    """
    if dimension.values:
        return Axis(dimension.key, make_axis(override, folder).values[:1])
    return Axis(dimension.key, (dimension.example,))
