"""The configuration file of a run: reads it, and resolves its interpolations."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from omegaconf import DictConfig

    from trainer.settings import Config

# Loads YAML as OmegaConf does, with the parser in C, in a twentieth of the time.
Loader: Any = get_yaml_loader()
if yaml.__with_libyaml__:

    class QuickLoader(yaml.cyaml.CParser, Loader):  # type: ignore[misc, name-defined]
        """OmegaConf's loader on top of the parser in C."""

        def __init__(self, stream: str) -> None:
            yaml.cyaml.CParser.__init__(self, stream)  # type: ignore[attr-defined]
            yaml.constructor.SafeConstructor.__init__(self)
            yaml.resolver.Resolver.__init__(self)

    Loader = QuickLoader


def read_config(path: Path) -> Config | DictConfig:
    """Read the configuration of a run: plain if it has no interpolations, which is faster.

    Raises:
        ConfigError: If the file is missing or is not YAML with keys.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe one
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}. Name a run directory.") from None
    # Not only YAMLError: a value that does not fit its tag, such as !!timestamp 2001, raises any of these.
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: it is not YAML: {reason}. Correct the file.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected keys with values. Correct the file.")
    try:
        return cast("Config", found) if _is_literal(found) else OmegaConf.create(found)
    except (OmegaConfBaseException, RecursionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{path}: {reason}. Correct the file.") from None


def _is_literal(value: object) -> bool:
    """Return whether OmegaConf would leave a value unchanged."""
    if isinstance(value, str):
        return "${" not in value and value != "???"
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(_is_literal, value.values()))
    if isinstance(value, list):
        return all(map(_is_literal, value))
    return value is None or type(value) in (bool, int, float)


def plain_config(cfg: Config | DictConfig) -> Config:
    """Resolve every interpolation and return plain dictionaries, lists and values.

    Raises:
        ConfigError: If an interpolation cannot be resolved or a mandatory value is missing.
    """
    if not isinstance(cfg, BaseContainer):
        return cfg
    try:
        plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(
            f"{error.full_key or 'config'}: {reason}. Give the key a value."
        ) from None
    if not isinstance(plain, dict):
        raise ConfigError("config: expected keys with values, not a list. Correct it.")
    return cast("Config", plain)


def written_config(cfg: Config | DictConfig) -> Config:
    """Return the configuration with interpolations of the environment unresolved.

    So a renewed token in the environment does not make another run.
    """
    if not isinstance(cfg, BaseContainer):
        return cfg
    written = OmegaConf.to_container(cfg)
    if "${" in str(written):
        OmegaConf.register_new_resolver("oc.env", _reference, replace=True)
        try:
            with suppress(OmegaConfBaseException):  # a resolver may need the value
                written = OmegaConf.to_container(cfg, resolve=True)
        finally:
            OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return cast("Config", written)


def _reference(*arguments: object) -> str:
    return f"${{oc.env:{','.join(map(str, arguments))}}}"
