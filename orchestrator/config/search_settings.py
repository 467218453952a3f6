"""The settings of a search, ``orch.search``: what is improved, by which points, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.config.quantities import parse_count
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

SAMPLERS: Final = ("tpe", "random")
_DIRECTIONS: Final = ("min", "max")
SEARCH_KEYS: Final = ("metric", "direction", "points", "seed", "sampler")


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """A search for the best ``metric`` among ``points`` points.

    ``direction`` is ``min`` or ``max``; empty: as the metric's name tells. ``sampler`` chooses the
    points, from random numbers of ``seed``.
    """

    metric: str
    points: int
    direction: str = ""
    seed: int = 0
    sampler: str = SAMPLERS[0]


def parse_search(node: Mapping[str, Value]) -> SearchSettings:
    """Validate the node ``orch.search`` and return the settings.

    Raises:
        ConfigError: A value is missing, or has the wrong type.
    """
    metric = node.get("metric")
    if not (isinstance(metric, str) and metric):
        raise ConfigError("orch.search.metric is not set. Name the metric that is to be improved.")
    points = parse_count(node.get("points"), "orch.search.points")
    if points is None:
        raise ConfigError("orch.search.points is not set. Say how many points to try.")
    direction = node.get("direction")
    if direction is not None and direction not in _DIRECTIONS:
        raise ConfigError(f"orch.search.direction is {direction!r}. Set it to min or max.")
    sampler = node.get("sampler") or SAMPLERS[0]
    if sampler not in SAMPLERS:
        known = " or ".join(SAMPLERS)
        raise ConfigError(f"orch.search.sampler is {sampler!r}. Set it to {known}.")
    seed = node.get("seed")
    if seed is not None and type(seed) is not int:
        raise ConfigError(f"orch.search.seed is {seed!r}. Set it to a whole number.")
    return SearchSettings(metric, points, str(direction or ""), int(str(seed or 0)), str(sampler))
