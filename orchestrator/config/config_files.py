"""The config files that Hydra composes, each read and checked once."""

from __future__ import annotations

import pickle
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from omegaconf.errors import KeyValidationError, OmegaConfBaseException

from orchestrator.config.package_header import find_misplaced
from orchestrator.config.yaml_limits import check_config_file
from orchestrator.errors import ConfigError
from orchestrator.rundir.config_yaml import UNFIT_FOR_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hydra.plugins.config_source import ConfigResult


class CheckedConfigs(CachingConfigRepository):
    """Reads each config once, and checks the file before Hydra parses it.

    ``misplaced`` says which files have a header without effect.
    """

    def __init__(self, delegate: IConfigRepository) -> None:
        super().__init__(delegate)
        self.misplaced: dict[str, None] = {}
        self._pickled: dict[str, bytes] = {}

    def copy_of(self, config_path: str) -> ConfigResult | None:
        """Return a copy of a config, None if there is none.

        Raises:
            ConfigError: As for ``load_config``.
        """
        pickled = self._pickled.get(config_path)
        if pickled is None:
            found = self.load_config(config_path)
            # Unpickling takes a fifth of the time of a deep copy.
            pickled = self._pickled[config_path] = pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
        return cast("ConfigResult | None", pickle.loads(pickled))  # noqa: S301 # of this process

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Return a config; None if there is none.

        Raises:
            ConfigError: The file is too large or too deeply nested, or has a key that cannot be one.
        """
        if f"config_path={config_path}" not in self.cache:
            for source in self.get_sources():
                if source.scheme() == "file" and source.is_config(config_path):
                    name = source._normalize_file_name(config_path)
                    text = check_config_file(path := Path(source.path, name))
                    if why := find_misplaced(text):
                        self.misplaced[f"{path}, {why}"] = None
                    with _naming_the_file(path):
                        return super().load_config(config_path)
        return super().load_config(config_path)


@contextmanager
def _naming_the_file(path: Path) -> Iterator[None]:
    """Name the file in the error for a key or a value that PyYAML or OmegaConf does not support."""
    try:
        yield
    except KeyValidationError as error:
        raise ConfigError(
            f"{path}: a key is null, a list or a mapping ({type(error.key).__name__})."
            ' Rename it, or put it in quotes ("null").'
        ) from None
    except OmegaConfBaseException:
        raise
    except ValueError as error:
        raise ConfigError(f"{path}: a value cannot be read: {error}. Correct it.") from None
    except UNFIT_FOR_TAG:
        raise ConfigError(
            f"{path}: a value does not fit its tag, such as !!bool or !!timestamp. Correct it, or remove"
            " the tag."
        ) from None


class CopiedConfigs(CachingConfigRepository):
    """Returns copies of configs that were read once, since composing modifies them."""

    def __init__(self, pristine: CheckedConfigs) -> None:
        self.delegate = self._pristine = pristine
        self.cache: dict[str, ConfigResult | None] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Return a config; None if there is none."""
        if config_path not in self.cache:
            self.cache[config_path] = self._pristine.copy_of(config_path)
        return self.cache[config_path]
