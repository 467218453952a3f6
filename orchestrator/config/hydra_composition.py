"""Hydra's composition of a config folder, reading every file only once.

Hydra composes its own settings, the ``hydra`` node, into every config. That takes two thirds of the
time, and no run uses them. They are left out if that makes no difference: if no override touches
them, and the configs set nothing of them but the grid in ``hydra.sweeper.params``. Otherwise, and
for everything that is an error, Hydra composes the whole config, and its result counts.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from hydra import initialize, initialize_config_dir
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from orchestrator.config.config_files import CheckedConfigs, CopiedConfigs
from orchestrator.config.hydra_errors import offering_similar
from orchestrator.config.hydra_resolver import register
from orchestrator.config.missing_config_folder import missing_config_folder
from orchestrator.config.parsed_interpolations import remember_parses
from orchestrator.config.resolved_size import check_resolved_size
from orchestrator.config.sweeper_params import has_interpolations, resolve_params
from orchestrator.config.yaml_limits import check_override
from orchestrator.rundir.chosen_values import name_choices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.types import Override

    from orchestrator.grid.config_values import Value


_NO_NAME: Final = "app"  # Hydra's name for a job without one
# The settings of Hydra's that have an effect here.
_USED: Final = ("hydra.sweeper.params", "hydra.searchpath", "hydra.job.name")
_DEFAULTS: Final = ("default", "basic", "none", None)


@dataclass(frozen=True, slots=True)
class Composed:
    """A config before values are set in it, and the config-group choices it was composed with.

    ``params`` is its ``hydra.sweeper.params``; ``refers``: that contains interpolations. ``job_name``
    is ``hydra.job.name``, if set, and ``ignored`` are the settings of Hydra's without effect here.
    """

    cfg: DictConfig
    choices: Mapping[str, object]
    params: Mapping[str, str]
    refers: bool = False
    job_name: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def named_choices(self) -> dict[str, str]:
        """The choices by which filters may name configs, by group, also with dots."""
        return name_choices(self.own_choices)

    @property
    def own_choices(self) -> dict[str, Value]:
        """The choices, by group, without those of Hydra's own groups."""
        return {
            group: cast("Value", list(found) if isinstance(found, ListConfig) else found)
            for group, found in self.choices.items()
            if group.partition("/")[0] != "hydra"
        }


class ConfigFolder:
    """Composes the primary config of a folder with any choices of its config groups.

    Args:
        path: The folder; None: all configs are defined in Python.
        config_name: The primary config.
        version_base: The version whose rules Hydra follows; None: those of the installed one.

    Raises:
        ConfigError: There is no such folder.
    """

    def __init__(
        self, path: Path | None, config_name: str, version_base: str | None = None
    ) -> None:
        if path is not None and not path.is_dir():
            raise missing_config_folder(path)
        with _quiet(), _initialize(path, version_base):
            self._loader = cast("ConfigLoaderImpl", GlobalHydra.instance().config_loader())
        register()  # initializing Hydra registered its own resolver
        remember_parses()
        self.config_name = config_name
        self.version_base = version_base
        self._parser = OverridesParser.create(config_loader=self._loader)
        self._pristine = CheckedConfigs(self._loader.repository)
        self.not_found: tuple[str, ...] = ()
        self._groups: dict[str, bool] = {}

    @property
    def misplaced(self) -> tuple[str, ...]:
        """The headers without effect in the files read so far."""
        return tuple(self._pristine.misplaced)

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Parse overrides with Hydra's grammar.

        Raises:
            ConfigError: One is too long, or nested too deeply, to be parsed in reasonable time.
            HydraException: One cannot be parsed.
        """
        for override in overrides:
            check_override(override)
        return self._parser.parse_overrides(list(overrides))

    def read_primary(self) -> DictConfig:
        """Return the primary config as its file has it, before anything is composed."""
        return self.read_config(self.config_name)

    def read_config(self, name: str) -> DictConfig:
        """Return a config as its file has it; an empty one if there is none, or it is not a mapping."""
        config = getattr(self._pristine.load_config(name), "config", None)
        return config if isinstance(config, DictConfig) else OmegaConf.create({})

    def extend_search_path(self, given: Sequence[Override]) -> None:
        """Find config groups in ``hydra.searchpath``, too, of the primary config or an override.

        Folders and packages that are not there are listed in ``not_found``.

        Raises:
            HydraException: It is not a list of strings.
        """
        with _quiet():
            name = self.config_name
            self._loader._process_config_searchpath(name, list(given), self._pristine)
        self.not_found = tuple(
            f"{source.scheme()}://{source.path}"
            for source in self._pristine.get_sources()
            if source.provider.startswith("hydra.searchpath") and not source.available()
        )

    def is_choice(self, override: Override) -> bool:
        """Return whether composing needs the override: it chooses a config, or configures Hydra."""
        if override.is_hydra_override():
            return True
        return self.is_group(override.key_or_group) and not isinstance(override.value(), dict)

    def is_group(self, key: str) -> bool:
        """Return whether a key names a config group, including Hydra's own."""
        if key not in self._groups:
            self._groups[key] = self._pristine.group_exists(key)
        return self._groups[key]

    def compose(self, choices: Sequence[Override], *, open_ended: bool = False) -> Composed:
        """Compose with these choices; ``open_ended`` allows groups without a choice (``???``).

        Raises:
            HydraException: Hydra rejects it.
        """
        plain = [choice for choice in choices if not choice.is_hydra_override()]
        with _quiet():
            try:
                found = self._compose_without_hydra(plain, open_ended=open_ended)
                if len(plain) == len(choices):
                    return found
            except (HydraException, OmegaConfBaseException, ValueError, _DoubtError):
                pass  # Hydra decides, and reports the error
            return self._compose_all(choices, open_ended=open_ended)

    def read_settings_of_hydra(self, choices: Sequence[Override]) -> DictConfig:
        """Return the node ``hydra`` as Hydra composes it with these choices.

        Raises:
            HydraException: Hydra rejects them.
        """
        with _quiet():
            return cast("DictConfig", self._load(choices).hydra)

    def read_grid(self, overrides: Sequence[Override]) -> Mapping[str, str]:
        """Return ``hydra.sweeper.params`` as composed with these overrides, values included.

        Raises:
            HydraException: Hydra rejects them.
            OmegaConfBaseException: A value cannot be resolved.
        """
        with _quiet():
            return self._compose_all(overrides, open_ended=True).params

    def _compose_without_hydra(self, choices: Sequence[Override], *, open_ended: bool) -> Composed:
        repository = CopiedConfigs(self._pristine)
        found = create_defaults_list(repository, self.config_name, list(choices), False, open_ended)
        cfg = self._loader._compose_config_from_defaults_list(found.defaults, repository)
        params, refers = _only_params(cfg), has_interpolations(cfg)
        with open_dict(cfg):
            cfg.pop("hydra", None)
        OmegaConf.set_struct(cfg, True)
        return Composed(cfg, found.overrides.known_choices, params, refers)

    def _compose_all(self, choices: Sequence[Override], *, open_ended: bool) -> Composed:
        cfg = self._load(choices, open_ended=open_ended)
        check_resolved_size(cfg.hydra)
        known = OmegaConf.to_container(cfg.hydra.runtime.choices)
        written = {key: str(value) for key, value in resolve_params(cfg).items()}
        refers, name = has_interpolations(cfg), str(OmegaConf.select(cfg, "hydra.job.name") or "")
        with open_dict(cfg):
            del cfg["hydra"]
        found = cast("dict[str, object]", known)
        ignored = _ignored(self._read_settings(found.get("hydra")), choices, found)
        name = "" if name == _NO_NAME else name
        return Composed(cfg, found, written, refers, name, ignored)

    def _load(self, choices: Sequence[Override], *, open_ended: bool = False) -> DictConfig:
        lines = [str(choice.input_line) for choice in choices]
        mode = RunMode.MULTIRUN if open_ended else RunMode.RUN
        with offering_similar(self.config_name, self._loader):
            load = self._loader.load_configuration
            return load(self.config_name, lines, run_mode=mode, from_shell=False)

    def _read_settings(self, choice: object) -> dict[str, object]:
        """Return the settings of Hydra's in the primary config and in a config group ``hydra``."""
        found: dict[str, object] = {}
        with suppress(HydraException, OmegaConfBaseException, AttributeError):
            node = self.read_primary()._get_node("hydra")
            if node is not None:
                found |= cast("dict[str, object]", OmegaConf.to_container(cast("DictConfig", node)))
        with suppress(HydraException, OmegaConfBaseException, AttributeError):
            chosen = self.read_config(f"hydra/{choice}")
            found |= cast("dict[str, object]", OmegaConf.to_container(chosen))
        return found


def _initialize(path: Path | None, version_base: str | None) -> initialize_config_dir | initialize:
    if path is None:
        return initialize(config_path=None, version_base=version_base)
    return initialize_config_dir(str(path.resolve()), version_base=version_base)


def _ignored(
    settings: Mapping[str, object], given: Sequence[Override], choices: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the settings of Hydra's in a config or overrides that have no effect."""
    keys = []
    for key, value in settings.items():
        is_section = key in ("run", "sweep", "job", "sweeper") and isinstance(value, dict)
        keys += (
            [f"hydra.{key}.{name}" for name in cast("dict[str, object]", value)]
            if is_section
            else [f"hydra.{key}"]
        )
    keys += [str(item.key_or_group) for item in given if item.is_hydra_override()]
    keys += [
        group
        for group, name in choices.items()
        if group.startswith("hydra/") and name not in _DEFAULTS
    ]
    used = [key for key in keys if key.startswith(_USED)]
    return tuple(dict.fromkeys(key for key in keys if key not in used))


class _DoubtError(Exception):
    """Leaving out Hydra's own settings could make a difference."""


def _only_params(cfg: DictConfig) -> dict[str, str]:
    """Return the grid, if a config sets nothing else of Hydra's.

    Raises:
        _DoubtError: There is more, or Hydra might reject it.
    """
    node = cfg._get_node("hydra")
    if node is None:
        return {}
    match OmegaConf.to_container(cast("DictConfig", node)):
        case {"sweeper": {"params": dict()} as sweeper, **other} if not other and len(sweeper) == 1:
            check_resolved_size(node)
            found = resolve_params(cfg)
            # Hydra keeps them as strings; it rejects null, lists and mappings.
            if all(isinstance(value, str | bool | int | float) for value in found.values()):
                return {key: str(value) for key, value in found.items()}
    raise _DoubtError


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Hydra's warnings about the composition order, which is the intended one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
