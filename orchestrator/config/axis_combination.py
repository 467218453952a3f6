"""How the axes of a grid combine: ``orch.grids``, ``orch.zip`` and ``orch.when``."""

from __future__ import annotations

import copy
import difflib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from orchestrator.errors import ConfigError, GridError
from orchestrator.grid.config_diff import leaves
from orchestrator.grid.config_values import is_under
from orchestrator.grid.filter_parser import parse_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from hydra.core.override_parser.types import Override

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.filters import Condition

GRIDS: Final = "orch.grids"
ZIP: Final = "orch.zip"
WHEN: Final = "orch.when"
_SETTINGS: Final = "orch"
SEARCH: Final = "orch.search"
_PLACES: Final = (GRIDS, ZIP, WHEN, SEARCH)


@dataclass(frozen=True, slots=True)
class GridForms:
    """The grids besides the common axes, the keys that vary together, and the conditions of keys."""

    grids: tuple[Mapping[str, str], ...] = ()
    zipped: tuple[tuple[str, ...], ...] = ()
    when: Mapping[str, Condition] = field(default_factory=dict)
    is_search: bool = False


NO_FORMS: Final = GridForms()


def read_forms(
    cfg: DictConfig, given: Sequence[Override], apply: Callable[[Override, DictConfig], None]
) -> GridForms:
    """Read how the axes combine from a config that has no overrides yet.

    Args:
        cfg: The config, composed without the overrides.
        given: The overrides of the command line that set no axis and choose no config.
        apply: Applies an override.

    Raises:
        ConfigError: A setting has the wrong form.
        FilterError: A condition does not follow the grammar.
        HydraException: An override of a setting is wrong.
    """
    own = [item for item in given if _is_of(item.key_or_group)]
    settings = cfg.get(_SETTINGS)
    if not own and (
        not isinstance(settings, DictConfig)
        or not any(place.partition(".")[2] in settings for place in _PLACES)
    ):
        return NO_FORMS
    cfg = copy.deepcopy(cfg)
    for item in given:
        if item in own:
            apply(item, cfg)
        else:
            # What does not fit this config may fit those of the points.
            with suppress(HydraException, OmegaConfBaseException, ConfigError):
                apply(item, cfg)
    grids, zipped, when, search = (_plain(cfg, place) for place in _PLACES)
    if search is not None:
        _refuse_others({GRIDS: grids, ZIP: zipped, WHEN: when})
        return GridForms(is_search=True)
    groups = _parse_zip(zipped)
    return GridForms(_parse_grids(grids), groups, _parse_when(when, groups))


def _refuse_others(forms: Mapping[str, Value]) -> None:
    """Make sure that a search is not combined with a form of a grid.

    Raises:
        ConfigError: It is.
    """
    for place, node in forms.items():
        if node:
            raise ConfigError(
                f"{SEARCH} cannot be combined with {place}, since it chooses the points itself."
                f" Set one of them to null."
            )


def _is_of(key: str) -> bool:
    return key == _SETTINGS or is_under(key, _PLACES)


def _plain(cfg: DictConfig, place: str) -> Value:
    node = OmegaConf.select(cfg, place)
    return cast(
        "Value", OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    )


def _parse_grids(node: Value) -> tuple[Mapping[str, str], ...]:
    if node is None:
        return ()
    if not isinstance(node, list) or not all(isinstance(item, dict) for item in node):
        raise ConfigError(
            f"{GRIDS} is not a list of grids. Write one mapping of axes per grid, after '- '."
        )
    grids = cast("list[dict[str, Value]]", node)
    return tuple(dict(_texts(number, grid)) for number, grid in enumerate(grids, 1))


def _texts(number: int, grid: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a grid as Hydra keeps those of ``hydra.sweeper.params``."""
    for key, value in grid.items():
        if isinstance(value, list | dict):
            raise ConfigError(
                f"{GRIDS}, grid {number}: {key} is not a string. Write its values as Hydra does,"
                " '1,2,3' or 'range(3)'."
            )
        yield str(key), "null" if value is None else str(value)


def _parse_zip(node: Value) -> tuple[tuple[str, ...], ...]:
    groups = [] if node is None else node
    if not isinstance(groups, list) or not all(_is_group(group) for group in groups):
        raise ConfigError(
            f"{ZIP} is not a list of lists of axes. Write it as [[first, second], [third, fourth]]."
        )
    found = cast("list[list[str]]", groups)
    keys = [key for group in found for key in group]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{ZIP} names {key!r} twice. Name it once.")
    return tuple(map(tuple, found))


def _is_group(group: Value) -> bool:
    return isinstance(group, list) and len(group) > 1 and all(isinstance(it, str) for it in group)


def _parse_when(node: Value, zipped: Sequence[Sequence[str]]) -> dict[str, Condition]:
    if node is None:
        return {}
    if not isinstance(node, dict):
        raise ConfigError(
            f"{WHEN} is not a mapping. Write the condition of an axis after its key:"
            f" {{optimizer.momentum: 'optimizer == \"sgd\"'}}."
        )
    found: dict[str, Condition] = {}
    for name, text in leaves(node).items():
        key = name.replace('"', "")  # {model.hidden: ...} and {model: {hidden: ...}} are one axis
        if not isinstance(text, str):
            raise ConfigError(
                f"{WHEN}.{key} is not a string. Write a condition, one side of a filter:"
                " 'optimizer == \"sgd\"'."
            )
        found[key] = parse_condition(text, f"{WHEN}.{key}")
    for group in zipped:
        found |= _shared_by(group, found)
    _refuse_cycles(found)
    return found


def _shared_by(group: Sequence[str], when: Mapping[str, Condition]) -> dict[str, Condition]:
    """Return the condition of axes that vary together, for each of them.

    Raises:
        GridError: They have several.
    """
    found = {when[key].text: when[key] for key in group if key in when}
    if len(found) > 1:
        raise GridError(
            f"{WHEN}: {', '.join(group)} vary together, but have different conditions. Give them the"
            " same one."
        )
    return {key: condition for condition in found.values() for key in group}


def _refuse_cycles(when: Mapping[str, Condition]) -> None:
    """Reject conditions that read their own axis, also through other axes with conditions.

    Raises:
        GridError: There is a cycle.
    """
    reads = {key: [it for it in when if _reads(condition, it)] for key, condition in when.items()}
    for start in when:
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop()
            for key in reads[path[-1]]:
                if key == start:
                    chain = " reads ".join([*path, key])
                    raise GridError(
                        f"{WHEN}: the condition of {chain}. A condition may only read axes that do"
                        " not depend on its own."
                    )
                if key not in seen:
                    seen.add(key)
                    paths.append([*path, key])


def _reads(condition: Condition, axis: str) -> bool:
    """Return whether a condition reads a key that an axis sets, or one within it."""
    name = axis.replace("/", ".")
    return any(f"{key}.".startswith(f"{name}.") for key in condition.keys)


def in_order(when: Mapping[str, Condition], axes: Sequence[str]) -> list[str]:
    """Return the axes with a condition such that each stands after those that its condition reads."""
    waiting = [key for key in axes if key in when]
    found: list[str] = []
    while waiting:
        # There is one, since there are no cycles.
        ready = next(
            key for key in waiting if not any(_reads(when[key], other) for other in waiting)
        )
        waiting.remove(ready)
        found.append(ready)
    return found


def refuse_unknown(setting: str, keys: Collection[str], known: Collection[str]) -> None:
    """Make sure that the keys in a setting are axes.

    Raises:
        GridError: One is not.
    """
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Give it values, or remove it."
            raise GridError(f"{setting} names {key!r}, which is not an axis of the grid. {hint}")
