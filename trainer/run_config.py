"""The configuration of a run, in the forms in which the trainer and callbacks read it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from trainer.config_file import plain_config
from trainer.settings import read_settings

if TYPE_CHECKING:
    from trainer.settings import Config


class Configured:
    """The configuration of a run: resolved and plain, as settings, and as a `DictConfig`.

    Args:
        given: The configuration, of OmegaConf or plain.

    Raises:
        ConfigError: If it cannot be resolved, or a key of the trainer's own is invalid.
    """

    def __init__(self, given: DictConfig | Config) -> None:
        self._given = given
        self.config = plain_config(given)
        self.settings = read_settings(self.config)

    @cached_property
    def cfg(self) -> DictConfig:
        """The run's configuration as a `DictConfig`, which is created on first access."""
        given = self._given
        return given if isinstance(given, DictConfig) else OmegaConf.create(dict(given))
