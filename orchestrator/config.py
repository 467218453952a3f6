"""The config: what Hydra composes, as plain values. Only this module knows Hydra.

Composing is slow, so it happens once for each combination of config-group choices; the values of
the other axes are then set with Hydra's own function, in the order of the overrides.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.types import RunMode
from omegaconf import Container, DictConfig, OmegaConf, open_dict

from orchestrator.config_errors import refusals_of_hydra
from orchestrator.errors import ConfigError, GridError
from orchestrator.grid import Axis, Point, Value
from orchestrator.settings import Settings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONGEST = 255  # what file systems allow for a name


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
        self, loader: ConfigLoaderImpl, config_name: str, overrides: Sequence[Override]
    ) -> None:
        self._loader = loader
        self._config_name = config_name
        self._overrides = overrides
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    def axes(self) -> tuple[Axis, ...]:
        """Return the swept overrides as axes, in their order.

        Raises:
            GridError: A sweep has no values, or none that can be enumerated.
        """
        return tuple(_axis(item) for item in self._overrides if item.is_sweep_override())

    def resolve(self, point: Point) -> dict[str, Value]:
        """Return the resolved config of a point as plain values, without Hydra's own node.

        Raises:
            ConfigError: Hydra cannot compose it, or a value is missing or cannot be resolved.
        """
        with refusals_of_hydra(self._known_keys):
            chosen = [_choose(override, point) for override in self._overrides]
            early = [str(item.input_line) for item in chosen if self._is_early(item)]
            cfg = self._compose(early)
            late = [item for item in chosen if not self._is_early(item)]
            ConfigLoaderImpl._apply_overrides_to_config(late, cfg)
            return _plain(cfg)

    def _compose(self, overrides: list[str]) -> DictConfig:
        key = tuple(overrides)
        if key not in self._composed:
            cfg = self._loader.load_configuration(
                self._config_name, overrides, run_mode=RunMode.RUN, from_shell=False
            )
            with open_dict(cfg):
                cfg.pop("hydra", None)
            self._composed[key] = cfg
        return copy.deepcopy(self._composed[key])

    def _is_early(self, override: Override) -> bool:
        """Tell whether composing needs the override: it chooses a config, or configures Hydra."""
        if override.is_hydra_override():
            return True
        is_group = self._loader.repository.group_exists(override.key_or_group)
        return is_group and not isinstance(override.value(), dict)

    def _known_keys(self) -> Iterator[str]:
        for cfg in self._composed.values():
            yield from _dotted_keys(OmegaConf.to_container(cfg))


def load_experiment(config_dir: Path, config_name: str, overrides: Sequence[str]) -> Experiment:
    """Read the config folder and work out the axes, the filters and the settings.

    Overrides win over ``hydra.sweeper.params``, key by key.

    Raises:
        ConfigError: The folder, a config, an override or a setting is wrong.
        GridError: An axis cannot be expanded.
    """
    loader = _open(config_dir)

    def known_keys() -> Iterator[str]:
        cfg = loader.load_configuration(config_name, [], run_mode=RunMode.MULTIRUN)
        return _dotted_keys(OmegaConf.to_container(cfg))

    with refusals_of_hydra(known_keys):
        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides(list(overrides))
        # Hydra's own way to read a multirun: sweeps are left open, missing choices are allowed.
        master = loader.load_configuration(
            config_name, list(overrides), run_mode=RunMode.MULTIRUN, from_shell=False
        )
        params = OmegaConf.select(master, "hydra.sweeper.params") or {}
        declared = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
        with open_dict(master):
            del master["hydra"]
    composer = Composer(loader, config_name, _merge(declared, given))
    return Experiment(
        experiment_id=_experiment_id(_select(master, "experiment_id")),
        results_dir=_results_dir(_select(master, "results_dir")),
        axes=composer.axes(),
        filters=_filters(_select(master, "_filters")),
        settings=parse_settings(_select(master, "orch")),
        composer=composer,
    )


def _open(config_dir: Path) -> ConfigLoaderImpl:
    if not config_dir.is_dir():
        raise ConfigError(
            f"there is no config folder {str(config_dir)!r} here ({Path.cwd()})."
            " Go to the project's folder, or name the config folder with --config-dir."
        )
    with initialize_config_dir(str(config_dir.resolve()), version_base=None):
        return cast("ConfigLoaderImpl", GlobalHydra.instance().config_loader())


def _merge(declared: Sequence[Override], given: Sequence[Override]) -> tuple[Override, ...]:
    """Let the command line win over the file, key by key, each key where it first stood."""
    merged: dict[str, Override] = {}
    for override in (*declared, *given):
        key = _name(override)
        before = merged.get(key)
        if before is not None and override.type is OverrideType.CHANGE:
            # The file may have added the key (+key=...); then the new value is added as well.
            merged[key] = dataclasses.replace(
                override,
                type=before.type,
                input_line=f"{before.get_key_element()}={override.get_value_string()}",
            )
        else:
            merged[key] = override
    return tuple(merged.values())


def _name(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _axis(override: Override) -> Axis:
    if not override.is_discrete_sweep():
        raise GridError(
            f"{override.input_line}: a range without steps cannot be enumerated."
            " Use choice(...), range(...), glob(...) or a list of values with commas."
        )
    with refusals_of_hydra():
        values = [Override._convert_value(value) for value in override.sweep_iterator()]
    return Axis(_name(override), tuple(cast("list[Value]", values)))


def _choose(override: Override, point: Point) -> Override:
    """Return the override that sets an axis to the point's value; others stay as they are."""
    if not override.is_sweep_override():
        return override
    value = point.values[_name(override)]
    text = Override._get_value_element_as_str(value)
    return dataclasses.replace(
        override,
        value_type=ValueType.ELEMENT,
        _value=value,
        input_line=f"{override.get_key_element()}={text}",
    )


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
