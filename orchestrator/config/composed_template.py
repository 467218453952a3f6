"""A config template, composed by Hydra: the config of the first of its points, and what varies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from omegaconf import OmegaConf

from orchestrator.config.axis_dependencies import find_parts, is_certain, longest_values
from orchestrator.config.grid_composer import apply
from orchestrator.config.overrides import name_of
from orchestrator.config.plain_values import drop_unresolvable, to_plain
from orchestrator.config.resolved_size import check_resolved_size
from orchestrator.config.secret_detection import check_command, find_origins
from orchestrator.config.secret_references import identity_of
from orchestrator.grid.axes import place_point
from orchestrator.grid.config_template import ConfigTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

    from orchestrator.config.grid_composer import Composer
    from orchestrator.grid.config_template import Demand, Path
    from orchestrator.grid.config_values import Value

_SIMPLE_KEY: Final = re.compile(r"[\w-]+(\.[\w-]+)*")


def compose_template(
    composer: Composer,
    grid: int,
    fixed: Mapping[int, int],
    demands: tuple[Demand, ...] | None = (),
) -> ConfigTemplate:
    """Return the config template of the points of a grid with these positions on some axes.

    Args:
        composer: Composes the points.
        grid: The number of the grid.
        fixed: The positions on some axes, by their numbers.
        demands: What its points must meet. None: it is only judged by conditions, so values may be
            missing.

    Raises:
        ConfigError: The first of the points cannot be composed or resolved, or resolving the points
            would take too long.
    """
    is_judged = demands is None
    axes = composer.span.grids[grid]
    point = place_point(axes, [fixed.get(number, 0) for number in range(len(axes))], grid)
    with composer.refusals():
        cfg, late, made = composer.start(point, is_judged=is_judged)
        free = tuple(number for number in range(len(axes)) if number not in fixed)
        keys = [each.key for number in free for each in axes[number].each]
        certain = not _overlap([item.key_or_group for item in late], keys)
        for item in late:
            certain = certain and is_certain(cfg, item)
            apply(item, cfg)
        sizes = check_resolved_size(cfg, longest_values(cfg, axes, free))
        composer.complete(cfg)
        if is_judged:
            drop_unresolvable(cfg)
        else:
            check_command(cfg)
        found = find_parts(cfg, axes, free, sizes) if certain else None
        config, parts = found or (cast("dict[str, Value]", to_plain(cfg)), None)
        if demands is None:
            return ConfigTemplate(fixed, config, parts, choices=made.named_choices, grid=grid)
        origins = find_origins(cfg)
        composer.notes.look_at(config, origins.own, _excluded(cfg))
        references = identity_of(origins.hidden)
        if any(_lie_within(part.path, path) for part in parts or () for path in references):
            parts = None
        return ConfigTemplate(fixed, config, parts, references, made.named_choices, grid, demands)


def binds(composer: Composer, grid: int, number: int) -> bool:
    """Return whether a value of an axis may change more of a config than its own keys."""
    values = {each.key: each.values for each in composer.span.grids[grid][number].each}
    return any(
        _binds(composer, item, values[name_of(item)])
        for item in composer.grids.overrides[grid]
        if name_of(item) in values
    )


def _binds(composer: Composer, override: Override, values: Sequence[Value]) -> bool:
    if override.is_delete() or not _SIMPLE_KEY.fullmatch(override.key_or_group):
        return True
    if composer.is_group(override.key_or_group) or override.package is not None:
        return True
    return not all(
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and "${" not in value and value != "???")
        for value in values
    )


def _excluded(cfg: DictConfig) -> Sequence[str]:
    return list(OmegaConf.select(cfg, "orch.identity.exclude") or ())


def _lie_within(one: Path, other: Path) -> bool:
    """Return whether a path lies within another, different one."""
    return one != other and all(a == b for a, b in zip(one, other, strict=False))


def _overlap(keys: Sequence[str], free: Sequence[str]) -> bool:
    """Return whether two overrides set overlapping keys, one of them on a free axis."""
    dotted = [f"{key}." for key in keys]
    return any(
        sum(key.startswith(f"{mine}.") or f"{mine}.".startswith(key) for key in dotted) > 1
        for mine in free
    )
