"""Config templates: the config of the points with the same config-group choices, and what varies.

Nearly everything in the resolved configs of these points is equal. What varies is listed as parts:
each depends on few axes, and its value is known for each combination of their values.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from orchestrator.grid.config_values import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestrator.grid.config_values import Value


Positions: TypeAlias = tuple[int, ...]
Path: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A position in a config whose value depends on ``axes``, given by their numbers, ascending.

    ``values`` has the value for each combination of positions on these axes.
    """

    path: Path
    axes: Positions
    values: Mapping[Positions, Value]


class Demand(Protocol):
    """What the positions on some axes, given by their numbers, must meet to be a point."""

    @property
    def axes(self) -> Positions:
        """The numbers of the axes on which it depends."""
        ...

    def is_met(self, at: Mapping[int, int]) -> bool:
        """Return whether it is met at these positions."""
        ...


@dataclass(frozen=True, slots=True)
class ConfigTemplate:
    """The config of the points with ``fixed`` positions on some axes, given by their numbers.

    ``config`` is the resolved config of the first of them. ``parts`` is None if the dependencies
    are unknown; then every point has to be resolved individually. ``references`` replace
    credentials in the run ID, by their paths. ``choices`` are the names of the chosen configs, by
    their groups. ``grid`` is the number of the grid, and ``demands`` tell which of its points there
    are.
    """

    fixed: Mapping[int, int]
    config: Mapping[str, Value]
    parts: tuple[Part, ...] | None
    references: Mapping[Path, Value] = field(default_factory=dict)
    choices: Mapping[str, str] = field(default_factory=dict)
    grid: int = 0
    demands: tuple[Demand, ...] = ()

    def free(self, count: int) -> Positions:
        """Return the numbers of the axes in which points of this template differ."""
        return tuple(number for number in range(count) if number not in self.fixed)


def combinations(axes: Iterable[int], sizes: Sequence[int]) -> Iterator[Positions]:
    """Yield all positions on these axes, the last axis varying fastest."""
    return itertools.product(*(range(sizes[number]) for number in axes))


def fill(
    config: Mapping[str, Value], parts: Iterable[Part], at: Callable[[Part], Value]
) -> dict[str, Value]:
    """Return a copy of a config with the value ``at(part)`` for each part; other values are shared."""
    filled = dict(config)
    for part in parts:
        node: object = filled
        for step in part.path[:-1]:
            child = node[step]  # type: ignore[index] # the path leads through containers
            child = dict(child) if isinstance(child, dict) else list(child)
            node[step] = child  # type: ignore[index]
            node = child
        node[part.path[-1]] = at(part)  # type: ignore[index]
    return filled


def put(config: Mapping[str, Value], values: Mapping[Path, Value]) -> dict[str, Value]:
    """Return a copy of a config with these values at these paths."""
    return fill(config, [Part(path, (), {}) for path in values], lambda part: values[part.path])


def concerns(path: Path, key: str) -> bool:
    """Return whether a path and a dotted key may overlap."""
    return all(str(mine) == its for mine, its in zip(path, keys_of(key), strict=False))


def config_at(
    template: ConfigTemplate, parts: Sequence[Part], at: Mapping[int, int]
) -> dict[str, Value]:
    """Return the config of a template at these positions, with these of its parts filled in."""
    return fill(
        template.config, parts, lambda part: part.values[tuple(at[number] for number in part.axes)]
    )
