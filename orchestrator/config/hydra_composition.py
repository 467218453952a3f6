"""Composition: Hydra's own algorithm on one config folder, with every file read only once.

Hydra composes its own settings, the ``hydra`` node, into every config: two thirds of the time, and
no run has a use for them. They are left out where that cannot make a difference: where overrides do
not touch them, and configs say no more about them than the grid in ``hydra.sweeper.params``.
Otherwise, and for everything that is refused, Hydra composes the whole, and its word counts.
"""

from __future__ import annotations

import copy
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hydra import initialize_config_dir
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import KeyValidationError, OmegaConfBaseException

from orchestrator.config.hydra_resolver import register
from orchestrator.config.yaml_limits import check_config_file, check_override
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.types import Override
    from hydra.plugins.config_source import ConfigResult


_NO_NAME: Final = "app"  # what Hydra calls a job without a name
# The settings of Hydra's that mean something here; the grid and its places, and a name.
_USED: Final = ("hydra.sweeper.params", "hydra.searchpath", "hydra.job.name")
_DEFAULTS: Final = ("default", "basic", "none", None)


@dataclass(frozen=True, slots=True)
class Composed:
    """A config before values are set in it, and the config groups' choices that made it.

    ``params`` is what it says in ``hydra.sweeper.params``; ``refers`` tells whether some of that
    refers to other keys. ``job_name`` is the name of Hydra's job, if the config gives it one, and
    ``ignored`` are settings of Hydra's that have no effect here.
    """

    cfg: DictConfig
    choices: Mapping[str, object]
    params: Mapping[str, str]
    refers: bool = False
    job_name: str = ""
    ignored: tuple[str, ...] = ()


class ConfigFolder:
    """Composes the primary config of a folder with any choices of its config groups."""

    def __init__(self, path: Path, config_name: str) -> None:
        if not path.is_dir():
            raise ConfigError(
                f"there is no config folder {str(path)!r} here ({Path.cwd()})."
                " Go to the project's folder, or name the config folder with --config-dir."
            )
        with initialize_config_dir(str(path.resolve()), version_base=None):
            self._loader = cast("ConfigLoaderImpl", GlobalHydra.instance().config_loader())
        register()  # initializing Hydra has registered its own
        self.config_name = config_name
        self._parser = OverridesParser.create(config_loader=self._loader)
        self._pristine = _Checked(self._loader.repository)
        self._groups: dict[str, bool] = {}

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Read overrides by Hydra's grammar.

        Raises:
            ConfigError: One is so long, or nested so deeply, that reading it would take minutes.
            HydraException: One cannot be read.
        """
        for override in overrides:
            check_override(override)
        return self._parser.parse_overrides(list(overrides))

    def is_choice(self, override: Override) -> bool:
        """Tell whether composing needs the override: it chooses a config, or configures Hydra."""
        if override.is_hydra_override():
            return True
        return self.is_group(override.key_or_group) and not isinstance(override.value(), dict)

    def is_group(self, key: str) -> bool:
        """Tell whether a key names a config group, or a folder of Hydra's own."""
        if key not in self._groups:
            self._groups[key] = self._pristine.group_exists(key)
        return self._groups[key]

    def compose(self, choices: Sequence[Override], *, open_ended: bool = False) -> Composed:
        """Compose with these choices; ``open_ended`` allows groups without a choice (``???``).

        Raises:
            HydraException: Hydra refuses it.
        """
        plain = [choice for choice in choices if not choice.is_hydra_override()]
        with _quiet():
            try:
                found = self._compose_without_hydra(plain, open_ended=open_ended)
                if len(plain) == len(choices):
                    return found
            except (HydraException, OmegaConfBaseException, ValueError, _DoubtError):
                pass  # Hydra decides, and says why
            return self._compose_all(choices, open_ended=open_ended)

    def read_grid(self, overrides: Sequence[Override]) -> Mapping[str, str]:
        """Return ``hydra.sweeper.params`` as it is with these overrides, values included.

        Raises:
            HydraException: Hydra refuses them.
            OmegaConfBaseException: The same.
        """
        with _quiet():
            return self._compose_all(overrides, open_ended=True).params

    def _compose_without_hydra(self, choices: Sequence[Override], *, open_ended: bool) -> Composed:
        repository = _Copies(self._pristine)
        found = create_defaults_list(repository, self.config_name, list(choices), False, open_ended)
        cfg = self._loader._compose_config_from_defaults_list(found.defaults, repository)
        params, refers = _only_params(cfg), _refers(cfg)
        with open_dict(cfg):
            cfg.pop("hydra", None)
        OmegaConf.set_struct(cfg, True)
        return Composed(cfg, found.overrides.known_choices, params, refers)

    def _compose_all(self, choices: Sequence[Override], *, open_ended: bool) -> Composed:
        cfg = self._loader.load_configuration(
            self.config_name,
            [str(choice.input_line) for choice in choices],
            run_mode=RunMode.MULTIRUN if open_ended else RunMode.RUN,
            from_shell=False,
        )
        known = OmegaConf.to_container(cfg.hydra.runtime.choices)
        params = OmegaConf.select(cfg, "hydra.sweeper.params") or {}
        written = {str(key): str(value) for key, value in params.items()}
        refers, name = _refers(cfg), str(OmegaConf.select(cfg, "hydra.job.name") or "")
        with open_dict(cfg):
            del cfg["hydra"]
        found = cast("dict[str, object]", known)
        ignored = _ignored(self._read_settings(found.get("hydra")), choices, found)
        name = "" if name == _NO_NAME else name
        return Composed(cfg, found, written, refers, name, ignored)

    def _read_settings(self, choice: object) -> dict[str, object]:
        """Return what the config folder says of Hydra: in the primary config, and in a group ``hydra``."""
        found: dict[str, object] = {}
        with suppress(HydraException, OmegaConfBaseException, AttributeError):
            loaded = self._pristine.load_config(self.config_name)
            node = loaded.config._get_node("hydra") if loaded else None
            if node is not None:
                found |= cast("dict[str, object]", OmegaConf.to_container(cast("DictConfig", node)))
        with suppress(HydraException, OmegaConfBaseException, AttributeError):
            loaded = self._pristine.load_config(f"hydra/{choice}") if choice else None
            if loaded is not None:
                found |= cast("dict[str, object]", OmegaConf.to_container(loaded.config))
        return found


def _ignored(
    settings: Mapping[str, object], given: Sequence[Override], choices: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the settings of Hydra's that a config or overrides make, and that nothing reads."""
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


class _Checked(CachingConfigRepository):
    """Reads each config once, and looks at a file before Hydra does."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self.cache:
            for source in self.get_sources():
                if source.scheme() == "file" and source.is_config(config_path):
                    name = source._normalize_file_name(config_path)
                    check_config_file(path := Path(source.path, name))
                    with _naming_null_keys(path):
                        return super().load_config(config_path)
        return super().load_config(config_path)


@contextmanager
def _naming_null_keys(path: Path) -> Iterator[None]:
    """Name the file in which a key is null, which YAML allows and OmegaConf does not."""
    try:
        yield
    except KeyValidationError as error:
        raise ConfigError(
            f"{path}: a key in it is null, a list or a mapping ({type(error.key).__name__})."
            ' Give it a name, or write it in quotes ("null").'
        ) from None


class _Copies(CachingConfigRepository):
    """Hands out copies, for composing changes what it is given, of configs that were read once."""

    def __init__(self, pristine: CachingConfigRepository) -> None:
        self.delegate = pristine
        self.cache: dict[str, ConfigResult | None] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self.cache:
            self.cache[config_path] = copy.deepcopy(self.delegate.load_config(config_path))
        return self.cache[config_path]


class _DoubtError(Exception):
    """Leaving Hydra's own settings out could make a difference."""


def _only_params(cfg: DictConfig) -> dict[str, str]:
    """Return the grid, if that is all that a config says of Hydra.

    Raises:
        _DoubtError: There is more, or Hydra might refuse it.
    """
    node = cfg._get_node("hydra")
    if node is None:
        return {}
    match OmegaConf.to_container(cast("DictConfig", node)):
        case {"sweeper": {"params": dict()} as sweeper, **other} if not other and len(sweeper) == 1:
            params = OmegaConf.select(cfg, "hydra.sweeper.params")
            found = dict(params.items())
            # Hydra keeps them as text; it refuses null, lists and mappings.
            if all(isinstance(value, str | bool | int | float) for value in found.values()):
                return {str(key): str(value) for key, value in found.items()}
    raise _DoubtError


def _refers(cfg: DictConfig) -> bool:
    """Tell whether the grid in a config refers to other keys."""
    params = OmegaConf.select(cfg, "hydra.sweeper.params")
    raw = OmegaConf.to_container(params) if isinstance(params, DictConfig) else {}
    return "${" in str(raw)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Hydra's warnings from users: the order of composing is the one it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
