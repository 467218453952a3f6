"""The config of a point with another number of iterations, to find what depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from omegaconf import OmegaConf

from orchestrator.config.hydra_errors import refusals_of_hydra
from orchestrator.config.plain_values import to_plain
from orchestrator.grid.extension import TOTAL

if TYPE_CHECKING:
    from orchestrator.config.grid_composer import Composer
    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_values import Value


def resolve_with_total(composer: Composer, point: Point, total: int) -> dict[str, Value]:
    """Return the resolved config of a point with another number of iterations.

    Every interpolation that refers to it, also through other keys, has the value that follows.

    Raises:
        ConfigError: A value cannot be resolved.
    """
    with refusals_of_hydra(lambda: ()):
        cfg = composer.compose(point)
        OmegaConf.update(cfg, TOTAL, total, force_add=True)
        return cast("dict[str, Value]", to_plain(cfg))
