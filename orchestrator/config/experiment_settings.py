"""The settings of an experiment, which must be equal for all runs.

``results_dir``, ``experiment_id`` and nearly everything under ``orch`` hold for a whole experiment.
If interpolations or choices make them differ between points, the grid is an error: using the first
point's would silently apply it to all runs. ``orch.command`` and ``orch.arguments`` may differ: each
run has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.config.orch_settings import ARGUMENT, parse_settings
from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.grid.axes import place_point
from orchestrator.grid.config_template import put
from orchestrator.grid.config_values import Missing, look_up, same, show
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from orchestrator.grid.axes import Point
    from orchestrator.grid.config_template import ConfigTemplate, Part
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.points import Points

_SETTINGS: Final = "orch"
_SHARED: Final = ("results_dir", "experiment_id", _SETTINGS)
_OWN: Final = ("command", "arguments")  # per run; whether there is a command must be equal
_LONGEST: Final = 60


class SharedSettings:
    """Makes sure that all points have equal settings.

    ``resolve`` returns the resolved config of a point.
    """

    def __init__(self, span: Points, resolve: Callable[[Point], Mapping[str, Value]]) -> None:
        self._span = span
        self._resolve = resolve
        self._first: Mapping[str, Value] = {}
        self._checked: list[Value] = []  # the last valid settings

    def templates(self, templates: Iterable[ConfigTemplate]) -> Iterator[ConfigTemplate]:
        """Yield the templates, each after checking its points as far as its parts are known.

        Raises:
            ConfigError: Settings differ between points; the message names the key and the axes.
        """
        for template in templates:
            self._first = self._first or template.config
            self._check(template.config, template.fixed, template.grid)
            for part in template.parts or ():
                if part.path[0] in _SHARED and not _is_own(part):
                    self._check_part(part, template)
            yield template

    def _check_part(self, part: Part, template: ConfigTemplate) -> None:
        for positions, value in part.values.items():
            at = dict(zip(part.axes, positions, strict=True))
            config = put(template.config, {part.path: value})
            self._check(config, {**template.fixed, **at}, template.grid)

    def resolve(self, point: Point) -> Mapping[str, Value]:
        """Return the resolved config of a point, after comparing its settings with the first point's.

        Raises:
            ConfigError: They differ, or the point cannot be resolved.
        """
        config = self._resolve(point)
        axes = self._span.grids[point.grid]
        places = {
            number: axis.values.index(point.values[axis.key])
            if axis.key in point.values
            else axis.unset
            for number, axis in enumerate(axes)
        }
        self._check(config, places, point.grid)
        return config

    def check_last(self) -> None:
        """Compare the last point with the first, for commands that do not expand the grid.

        Raises:
            ConfigError: Their settings differ.
        """
        grid = len(self._span.grids) - 1
        axes = self._span.grids[grid]
        if not axes or self._span.are_conditional:
            return  # without a look at the whole grid, the last point is unknown
        places = [len(axis.values) - 1 for axis in axes]
        try:
            self._first = self._resolve(self._span[0])
            last = self._resolve(place_point(axes, places, grid))
        except OrchestratorError:
            return  # reported by the command that needs this point
        self._check(last, dict(enumerate(places)), grid)

    def _check(self, config: Mapping[str, Value], at: Mapping[int, int], grid: int) -> None:
        first = self._first or config
        found = next(_differences(_shared(first), _shared(config)), None)
        if found is not None:
            raise ConfigError(self._say(found, config, at, grid))
        settings = config.get(_SETTINGS)
        if not (self._checked and same(self._checked[0], settings)):
            parse_settings(settings)
            self._checked[:] = [settings]

    def _say(self, key: str, config: Mapping[str, Value], at: Mapping[int, int], grid: int) -> str:
        axes = [self._span.grids[grid][number] for number in self._axes_behind(key, at, grid)]
        names = " and ".join(axis.key for axis in axes) or "the grid"
        values = [_show(look_up(each, key)) for each in (self._first, config)]
        advice = f"Write it without {names}, or give {names} a single value."
        return (
            f"{key} must be equal for all runs, but depends on {names}: it is {values[0]} for some"
            f" and {values[1]} for others. {advice}"
        )

    def _axes_behind(self, key: str, at: Mapping[int, int], grid: int) -> list[int]:
        """Return the axes that cause the difference, if that is known; else all that changed."""
        moved = [number for number, place in at.items() if place]
        found = [number for number in moved if self._differs(key, {number: at[number]}, grid)]
        return found or moved

    def _differs(self, key: str, at: Mapping[int, int], grid: int) -> bool:
        axes = self._span.grids[grid]
        point = place_point(axes, [at.get(number, 0) for number in range(len(axes))], grid)
        try:
            found = look_up(_shared(self._resolve(point)), key)
        except OrchestratorError:
            return False
        return not same(found, look_up(_shared(self._first), key))


def _shared(config: Mapping[str, Value]) -> dict[str, Value]:
    """Return the settings that must be equal; of settings per run, only whether they exist."""
    found = {key: config.get(key) for key in _SHARED}
    settings = found[_SETTINGS] or {}
    if isinstance(settings, dict):
        own = {name: isinstance(settings.get(name), list) for name in _OWN}
        found[_SETTINGS] = {**settings, **own}
    return found


def _is_own(part: Part) -> bool:
    """Return whether a part is an item of a list that may differ per run."""
    is_item = len(part.path) > 2 and part.path[0] == _SETTINGS and part.path[1] in _OWN  # noqa: PLR2004 # orch, command, number
    return is_item and all(isinstance(value, ARGUMENT) for value in part.values.values())


def _differences(one: Value, other: Value, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys in which two values differ."""
    if same(one, other):
        return
    if not (isinstance(one, dict) and isinstance(other, dict)):
        yield prefix
        return
    for key in dict.fromkeys((*one, *other)):
        path = f"{prefix}.{key}" if prefix else str(key)
        yield from _differences(one.get(key), other.get(key), path)


def _show(value: object) -> str:
    text = "nothing" if isinstance(value, Missing) else printable(show(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
