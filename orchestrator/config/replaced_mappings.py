"""Overrides that put another value in place of a whole mapping: most often a key is missing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hydra.core.override_parser.types import QuotedString
from omegaconf import DictConfig, OmegaConf

from orchestrator.config.overrides import is_for_program, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.config.grid_composer import Composer

_SHOWN: Final = 3


def warn_of_replaced_mappings(composer: Composer) -> Iterator[str]:
    """Yield a warning for each key of an override at which the config has a mapping without it.

    ``null`` and ``false``, which disable something, are meant; Hydra rejects a list.
    """
    told: set[str] = set()
    # A search that has not begun has no points, and no grid of them.
    both = zip(composer.grids.overrides, composer.span.grids, strict=False)
    for grid, (overrides, its) in enumerate(both):
        axes = {each.key: each for axis in its for each in axis.each}
        names = [
            name
            for item in overrides
            if is_for_program(item, ()) and not (item.is_delete() or item.is_hydra_override())
            if not composer.is_group(name := name_of(item)) and name not in told
            if any(map(_replaces, axes[name].values if name in axes else [item.value()]))
        ]
        if not names:
            continue
        with composer.refusals():
            cfg, _, _ = composer.start(composer.span[composer.span.first(grid)], is_judged=True)
            for name in names:
                found = OmegaConf.select(cfg, name)
                if isinstance(found, DictConfig) and found:
                    told.add(name)
                    yield _say(name, [*map(str, found)])


def _replaces(value: object) -> bool:
    if isinstance(value, QuotedString):
        value = value.text
    if isinstance(value, str):
        return "${" not in value and value != "???"
    return isinstance(value, int | float) and not isinstance(value, bool)


def _say(name: str, keys: list[str]) -> str:
    shown = ", ".join(f"{name}.{key}" for key in keys[:_SHOWN])
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return (
        f"{name} is overridden as a whole: the config has a mapping there, with {shown}{more}."
        " If that is not meant, override one of these"
    )
