"""The config: what Hydra composes for a point, as plain values.

Composing is slow, so it happens once for each combination of config-group choices; the values of
the other axes are then set with Hydra's own function, in the order of the overrides.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, ValueType
from omegaconf import Container, DictConfig, OmegaConf

from orchestrator.composition import Composed, ConfigFolder
from orchestrator.config_errors import refusals_of_hydra
from orchestrator.errors import ConfigError, GridError
from orchestrator.grid import Axis, Point, Value, expand
from orchestrator.settings import Settings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONGEST: Final = 255  # what file systems allow for a name
# Text that Hydra's grammar reads as this very text, without a look at the rest of the grammar.
_PLAIN: Final = re.compile(r"(?!(?:true|false|null|nan|inf)$)[A-Za-z_][\w/-]*", re.IGNORECASE)
_NEVER_SWEPT: Final = ("experiment_id", "results_dir", "_filters", "orch")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What the config folder and the overrides describe.

    ``filters`` are the texts of ``_filters``; ``composer`` gives the config of every point.
    """

    experiment_id: str
    results_dir: Path
    axes: tuple[Axis, ...]
    filters: tuple[str, ...]
    settings: Settings
    composer: Composer


class Composer:
    """Gives the resolved config of a point, equal to what Hydra composes for it."""

    def __init__(
        self, folder: ConfigFolder, overrides: Sequence[Override], master: Composed
    ) -> None:
        self._folder = folder
        self._overrides = overrides
        self._master = master
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def axes(self) -> tuple[Axis, ...]:
        """Return the swept overrides as axes, in their order.

        Raises:
            GridError: A sweep has no values, or none that can be enumerated.
        """
        return tuple(
            _axis(item, self._folder) for item in self._overrides if item.is_sweep_override()
        )

    def resolve(self, point: Point) -> dict[str, Value]:
        """Return the resolved config of a point as plain values, without Hydra's own node.

        Raises:
            ConfigError: Hydra cannot compose it, or a value is missing or cannot be resolved.
        """
        with refusals_of_hydra(self._known_keys):
            return _plain(self.compose(point))

    def compose(self, point: Point) -> DictConfig:
        """Return the config of a point before interpolations are resolved.

        Raises:
            HydraException: Hydra refuses it.
        """
        chosen = [_choose(override, point) for override in self._overrides]
        early = [item for item in chosen if self._folder.is_choice(item)]
        cfg = copy.deepcopy(self._compose(early))
        late = [item for item in chosen if not self._folder.is_choice(item)]
        ConfigLoaderImpl._apply_overrides_to_config(late, cfg)
        return cfg

    def _compose(self, choices: list[Override]) -> DictConfig:
        key = tuple(str(choice.input_line) for choice in choices)
        if key not in self._composed:
            made = self._master if self._is_master(choices) else self._folder.compose(choices)
            self._composed[key] = made.cfg
        return self._composed[key]

    def _is_master(self, choices: list[Override]) -> bool:
        """Tell whether these choices are those that the master config was composed with anyway."""
        known = self._master.choices
        return "???" not in known.values() and all(
            choice.type is OverrideType.CHANGE
            and isinstance(choice.value(), str)
            and not choice.is_hydra_override()
            and known.get(choice.get_key_element()) == choice.value()
            for choice in choices
        )

    def _known_keys(self) -> Iterator[str]:
        for cfg in (self._master.cfg, *self._composed.values()):
            yield from _dotted_keys(OmegaConf.to_container(cfg))


def load_experiment(config_dir: Path, config_name: str, overrides: Sequence[str]) -> Experiment:
    """Read the config folder and work out the axes, the filters and the settings.

    Overrides win over ``hydra.sweeper.params``, key by key.

    Raises:
        ConfigError: The folder, a config, an override or a setting is wrong.
        GridError: An axis cannot be expanded.
    """
    with refusals_of_hydra():
        folder = ConfigFolder(config_dir, config_name)

    def known_keys() -> Iterator[str]:
        with contextlib.suppress(Exception):  # a second error would only hide the first
            yield from _dotted_keys(OmegaConf.to_container(folder.compose([], open_ended=True).cfg))

    with refusals_of_hydra(known_keys):
        given = folder.parse(overrides)
        # Hydra's own way to read a multirun: sweeps are left open, missing choices are allowed.
        fixed = [item for item in given if not item.is_sweep_override() or item.is_hydra_override()]
        master = folder.compose([item for item in fixed if folder.is_choice(item)], open_ended=True)
        declared = folder.parse([f"{key}={value}" for key, value in master.params.items()])
        composer = Composer(folder, _merge(declared, given), master)
        axes = composer.axes()
        # What is one for all runs is read where the first of them reads it.
        cfg = composer.compose(next(expand(axes)))
    return Experiment(
        experiment_id=_experiment_id(_select(cfg, "experiment_id")),
        results_dir=_results_dir(_select(cfg, "results_dir")),
        axes=axes,
        filters=_filters(_select(cfg, "_filters")),
        settings=parse_settings(_select(cfg, "orch")),
        composer=composer,
    )


def _merge(declared: Sequence[Override], given: Sequence[Override]) -> tuple[Override, ...]:
    """Let the command line win over the file, key by key, each key where it first stood."""
    merged = list(declared)
    for override in given:
        places = [at for at, before in enumerate(merged) if _name(before) == _name(override)]
        if not places or not _replaces(override, merged[places[-1]], declared):
            merged.append(override)
            continue
        before = merged[places[-1]]
        if override.type is OverrideType.CHANGE and before.type is not OverrideType.DEL:
            # The file may have added the key (+key=...); then the new value is added as well.
            text = f"{before.get_key_element()}={override.get_value_string()}"
            override = dataclasses.replace(override, type=before.type, input_line=text)  # noqa: PLW2901 # the same override, said in the other's way
        merged[places[-1]] = override
    return tuple(merged)


def _replaces(override: Override, before: Override, declared: Sequence[Override]) -> bool:
    """Tell whether an override takes the place of one before it, or is applied after it."""
    if any(before is item for item in declared) or before.is_sweep_override():
        return True
    return override.is_sweep_override() and override.type is OverrideType.CHANGE


def _name(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _axis(override: Override, folder: ConfigFolder) -> Axis:
    name = _name(override)
    if name.partition(".")[0] in _NEVER_SWEPT:
        raise GridError(
            f"{override.input_line}: {name} is one for all runs, it can not be an axis."
            " Give it one value."
        )
    if not override.is_discrete_sweep():
        raise GridError(
            f"{override.input_line}: a range without steps cannot be enumerated."
            " Use choice(...), range(...), glob(...) or a list of values with commas."
        )
    with refusals_of_hydra():
        values = [_reread(element, folder) for element in override.sweep_iterator()]
    return Axis(name, tuple(values))


def _reread(element: object, folder: ConfigFolder) -> Value:
    """Return a swept value as Hydra's sweeper passes it on: written out, and read again."""
    is_plain = isinstance(element, str) and _PLAIN.fullmatch(element)
    if is_plain or element is None or isinstance(element, bool | int | float | QuotedString):
        return cast("Value", Override._convert_value(cast("str", element)))
    text = Override._get_value_element_as_str(cast("str", element))
    return cast("Value", folder.parse([f"key={text}"])[0].value())


def _choose(override: Override, point: Point) -> Override:
    """Return the override that sets an axis to the point's value; others stay as they are."""
    if not override.is_sweep_override():
        return override
    value = point.values[_name(override)]
    return dataclasses.replace(
        override,
        value_type=ValueType.ELEMENT,
        _value=value,
        input_line=f"{override.get_key_element()}={_write(value)}",
    )


def _write(value: Value) -> str:
    """Write a value so that Hydra's grammar reads this very value."""
    match value:
        case str():
            return QuotedString(value, Quote.single).with_quotes()
        case list():
            return f"[{','.join(map(_write, value))}]"
        case dict():
            members = (f"{key}:{_write(item)}" for key, item in value.items())
            return f"{{{','.join(members)}}}"
        case _:
            return Override._get_value_element_as_str(value)


def _plain(cfg: DictConfig) -> dict[str, Value]:
    return cast(
        "dict[str, Value]", OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    )


def _select(cfg: DictConfig, key: str) -> Value:
    with refusals_of_hydra():
        node = OmegaConf.select(cfg, key)
        is_node = isinstance(node, Container)
        return cast("Value", OmegaConf.to_container(node, resolve=True) if is_node else node)


def _dotted_keys(node: object, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _dotted_keys(value, f"{prefix}{key}.")


def _experiment_id(value: Value) -> str:
    if value is None:
        raise ConfigError("the config has no experiment_id. Give the experiment a name.")
    name = str(value)
    if not name.isprintable() or "/" in name or name in ("", ".", "..") or len(name) > _LONGEST:
        raise ConfigError(
            f"experiment_id {name[:_LONGEST]!r} can not name a folder."
            " Use letters, digits, '-' and '_'."
        )
    return name


def _results_dir(value: Value) -> Path:
    if value is None or not str(value) or not str(value).isprintable():
        raise ConfigError("the config has no results_dir. Name the folder for all results.")
    return Path(str(value))


def _filters(value: Value) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError("_filters is no list of texts. Write one filter a line, after '- '.")
    return tuple(str(item) for item in value)
