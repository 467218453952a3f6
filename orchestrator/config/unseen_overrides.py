"""Overrides that a program cannot see: they change its config, but not what it is told of it.

A program is told of its config by the arguments of its command. An override is seen if the arguments
differ with another value of it, whatever key or interpolation carries that.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.config.command_placeholders import fill_in
from orchestrator.config.overrides import as_override, is_for_program, name_of
from orchestrator.config.resolved_size import check_resolved_size
from orchestrator.errors import OrchestratorError
from orchestrator.grid.axes import Point
from orchestrator.grid.config_values import NEVER_IDENTITY, is_known, same
from orchestrator.grid.identity import identify

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from hydra.core.override_parser.types import Override

    from orchestrator.config.grid_composer import Composer
    from orchestrator.grid.config_values import Value

# What tells a program everything; the output folder of a Hydra program is not among it.
_EVERYTHING: Final = re.compile(
    r"(?!\+{0,2}hydra\.).*(\{run_dir\}|\{config\}|\{overrides\}|ORCH_RUN_DIR)", re.DOTALL
)
_MOST_VALUES: Final = 8  # of an axis that are tried; each is composed
_MOST_KEYS: Final = 5
# Two composed configs per override are a hundredth of a second each, and as many as a second where
# the overrides are full of interpolations.
_MOST_OVERRIDES: Final = 20
_MOST_INTERPOLATIONS: Final = 20
_MOST_STEPS: Final = 1_000


class Told(NamedTuple):
    """The arguments of a program for a point, but for the place of its run, and the point's config."""

    arguments: tuple[str, ...]
    config: dict[str, Value]


class UnseenOverrides:
    """Finds the overrides of a grid that a program cannot see.

    Args:
        composer: Composes the config of every point of the grid.
        first: Its first point.
        arguments: The arguments of the program, with placeholders.
        setting: The setting under ``orch`` that holds them.
    """

    def __init__(
        self, composer: Composer, first: Point, arguments: Sequence[str], setting: str
    ) -> None:
        self._composer = composer
        axes = composer.span.grids[0]
        self._axes = {each.key: each for axis in axes for each in axis.each}
        self._arguments = arguments
        self._setting = setting
        self._first = first

    def find(self, run_dir: Path, judged: Collection[str] = ()) -> dict[str, bool]:
        """Return their keys, and whether the config has them.

        Args:
            run_dir: Any folder that stands for the run directory.
            judged: Overrides that need not be looked at.
        """
        if any(map(_EVERYTHING.match, self._arguments)):
            return {}
        unknown = [item for item in self._not_named() if item.input_line not in judged]
        in_question = unknown[: max(0, _MOST_OVERRIDES - len(judged))]
        interpolations = sum(str(item.input_line).count("${") for item in in_question)
        if interpolations > _MOST_INTERPOLATIONS or self._steps(len(in_question)) > _MOST_STEPS:
            return {}  # a warning is not worth the time
        if not in_question:
            return {}
        told = self._tell(self._composer, self._first, run_dir)
        names = [name_of(it) for it in in_question if self._is_unseen(it, told, run_dir)]
        return {name: is_known(told.config, name) for name in names}

    @property
    def lines(self) -> set[str]:
        """The overrides of the grid, as they are written."""
        return {str(override.input_line) for override in self._composer.overrides}

    def _steps(self, overrides: int) -> int:
        """Return about how many interpolations would be resolved for this number of overrides."""
        if not overrides:
            return 0
        cfg = self._composer.compose(self._first)
        return check_resolved_size(cfg).of_interpolations(cfg).steps * (2 * overrides + 1)

    def _not_named(self) -> list[Override]:
        """Return the overrides for the program whose keys no argument names."""
        said = " ".join(self._arguments)
        return [
            override
            for override in self._composer.overrides
            if not override.is_hydra_override() and is_for_program(override, ())
            if not re.search(rf"\{{{re.escape(name_of(override))}\*?}}", said)
        ]

    def _is_unseen(self, override: Override, told: Told, run_dir: Path) -> bool:
        """Return whether another value makes another config, and a program is told the same."""
        for composer, point in self._others(override):
            try:
                other = self._tell(composer, point, run_dir)
            except OrchestratorError:
                continue  # the config needs this override, or a value of another kind
            if other.arguments == told.arguments and not same(other.config, told.config):
                return True
            if not override.is_sweep_override():
                break
        return False

    def _others(self, override: Override) -> Iterator[tuple[Composer, Point]]:
        """Yield what would be composed with other values of an override."""
        name = name_of(override)
        if override.is_sweep_override() and len(self._axes[name].values) > 1:
            for value in self._axes[name].values[1:_MOST_VALUES]:
                yield self._composer, Point({**self._first.values, name: value})
            return
        others = [item for item in self._composer.overrides if item is not override]
        yield self._composer.with_overrides(others), self._first
        if (value := _another(override.value())) is not None:
            text = as_override(override.get_key_element(), value)
            changed = replace(override, _value=value, input_line=text)
            places = [changed if item is override else item for item in self._composer.overrides]
            yield self._composer.with_overrides(places), self._first

    def _tell(self, composer: Composer, point: Point, run_dir: Path) -> Told:
        concealed = composer.conceal(point)
        run = replace(identify({}, {}), config=concealed.resolved, written=concealed.written)
        arguments = fill_in(self._arguments, run, run_dir, self._setting)
        left_out = frozenset(NEVER_IDENTITY)
        config = {key: item for key, item in concealed.resolved.items() if key not in left_out}
        return Told(arguments, config)


def describe_unseen(grids: Sequence[UnseenOverrides], run_dir: Path, setting: str) -> str:
    """Return a one-line warning that names the keys of all grids; an empty string if there are none."""
    found: dict[str, bool] = {}
    judged: set[str] = set()
    for unseen in grids:
        found = {**found, **unseen.find(run_dir, judged), **found}
        judged |= unseen.lines
    if not found:
        return ""
    keys = [*found]
    own = f"{{{keys[0]}}} or " if found[keys[0]] else ""
    shown = ", ".join(keys[:_MOST_KEYS])
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    return (
        f"the program cannot see {shown}{more}: orch.{setting} is the same for all values."
        f" Add {own}{{overrides}} to it, or {{config}} if the program reads config.yaml"
    )


def _another(value: object) -> Value:
    """Return another value of the same type, for a key that needs one; None if there is none."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}_"
    return None
