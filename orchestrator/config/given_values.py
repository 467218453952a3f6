"""The values that a command gives to all of its runs: they tell these from the runs of other commands."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from orchestrator.config.overrides import is_for_program, name_of, without_secret_value
from orchestrator.grid.config_values import DELETED, NEVER_IDENTITY, Missing, look_up

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.config.hydra_composition import ConfigFolder
    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_values import Value


def find_given(
    overrides: Sequence[Override],
    point: Point,
    written: Mapping[str, Value],
    choices: Mapping[str, Value],
    folder: ConfigFolder,
) -> dict[str, Value]:
    """Return the values of the overrides that are neither axes nor settings of how runs are executed.

    A key that is deleted is told as ``~key``, whose value is None.

    Args:
        overrides: Those of the point, each with one value.
        point: The values on the axes.
        written: The config as it is written to disk; secrets in it are references, and left out.
        choices: The configs that it was composed of, by group.
        folder: The config folder.
    """
    given: dict[str, Value] = {}
    for override in overrides:
        name = name_of(override)
        if name in point.values or _is_setting(override):
            continue
        if override.is_delete():
            given[f"{DELETED}{name}"] = None
            continue
        if folder.is_choice(override):
            choice = choices.get(name)
            if choice is not None and not _only_sets_the_grid(folder, override, choice):
                given[name] = choice
            continue
        value = look_up(written, override.key_or_group)
        if not isinstance(value, Missing) and "${" not in str(value):
            given[name] = value
    return given


def spell(
    overrides: Sequence[Override], written: Mapping[str, Value], own_keys: Container[str]
) -> tuple[str, ...]:
    """Return the overrides that a program with these keys of its own needs, without secrets."""
    return tuple(
        without_secret_value(override, written)
        for override in overrides
        if is_for_program(override, own_keys)
    )


def _is_setting(override: Override) -> bool:
    places = (override.key_or_group, override.package or "")
    return any(re.split("[./]", place)[0] in NEVER_IDENTITY for place in places)


def _only_sets_the_grid(folder: ConfigFolder, override: Override, choice: Value) -> bool:
    """Return whether a config has nothing that is part of a run, such as one with a grid."""
    with suppress(HydraException, OmegaConfBaseException):
        config = folder.read_config(f"{override.key_or_group}/{choice}")
        return all(key in NEVER_IDENTITY for key in config)
    return False
