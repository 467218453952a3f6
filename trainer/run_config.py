"""The configuration of a run, in the forms in which the trainer and callbacks read it."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from trainer.config_file import plain_config
from trainer.errors import ConfigError
from trainer.settings import TrainingSettings, read_settings

if TYPE_CHECKING:
    from trainer.settings import Config

READ = "iterations"


class Watch:
    """Notes whether anybody has asked for the number of iterations.

    If nobody has, the first iterations of a run do not depend on it, and a run with another number
    may begin with them. `is_read` is saved with the run's state.
    """

    def __init__(self) -> None:
        self.is_read = False


class WatchedSettings:
    """The settings as callbacks get them: reading `iterations` is noted."""

    def __init__(self, settings: TrainingSettings, watch: Watch) -> None:
        object.__setattr__(self, "_settings", settings)
        object.__setattr__(self, "_watch", watch)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - that of the setting
        """Return a setting."""
        if name in ("_settings", "_watch"):  # of a copy that is being made
            raise AttributeError(name)
        if name == READ or name.startswith("__"):  # the latter of `dataclasses`, which reads all
            self._watch.is_read = True
        return getattr(self._settings, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to assign a setting, which would have no effect.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            f"the setting {name!r} can be read, but not assigned. Set it in the config."
        )


class Configured:
    """The configuration of a run: resolved and plain, as settings, and as a `DictConfig`.

    What is public is for callbacks, and watched; the trainer itself reads the rest.

    Args:
        given: The configuration, of OmegaConf or plain.

    Raises:
        ConfigError: If it cannot be resolved, or a key of the trainer's own is invalid.
    """

    def __init__(self, given: DictConfig | Config) -> None:
        self.watch = Watch()
        self._given = given
        self._plain = plain_config(given)
        self._settings = read_settings(self._plain)
        self._shown = WatchedSettings(self._settings, self.watch)
        self._handed_out: Config | None = None
        self._written_before: Any = None  # of `cfg`, once it is handed out

    @property
    def settings(self) -> TrainingSettings:
        """The keys that the trainer itself reads, with their defaults."""
        return self._shown  # type: ignore[return-value]  # it has the same attributes

    @property
    def config(self) -> Config:
        """The run's configuration, resolved, in plain dictionaries, lists and values."""
        self.watch.is_read = True
        if self._handed_out is None:
            self._handed_out = deepcopy(self._plain)
        return self._handed_out

    @property
    def cfg(self) -> DictConfig:
        """The run's configuration as a `DictConfig`, which is created on first access."""
        self.watch.is_read = True
        return self._made

    @cached_property
    def _made(self) -> DictConfig:
        given = self._given
        made = given if isinstance(given, DictConfig) else OmegaConf.create(dict(given))
        self._written_before = OmegaConf.to_container(made)
        return made

    def check_unchanged(self) -> None:
        """Check that callbacks have changed nothing in the configuration: the modules are built already.

        It is handed out as what it is: read-only dictionaries could not be saved, nor written as YAML.

        Raises:
            ConfigError: If they have.
        """
        if self._handed_out is not None and self._handed_out != self._plain:
            raise _changed("config", self._plain, self._handed_out)
        before = self._written_before
        if before is not None and OmegaConf.to_container(self._made) != before:
            # To resolve interpolations changes no value, but for what a resolver draws each time.
            now = plain_config(self._made)
            with suppress(ConfigError):  # it may be a part, and refer to what is beside it
                again = plain_config(OmegaConf.create(before))
                now = _without_drawn(now, self._plain, again)
            if now != self._plain:
                raise _changed("cfg", self._plain, now)


def _without_drawn(now: Any, first: Any, again: Any) -> Any:  # noqa: ANN401 - any values of a config
    """Return values, with the first ones in place of those that differ whenever they are resolved."""
    kinds = {type(now), type(first), type(again)}
    if kinds == {dict}:
        return {
            key: _without_drawn(value, first[key], again[key])
            if key in first and key in again
            else value
            for key, value in now.items()
        }
    if kinds == {list} and len(now) == len(first) == len(again):
        return [*map(_without_drawn, now, first, again)]
    return now if first is again or first == again else first


def _changed(name: str, before: Config, now: Config) -> ConfigError:
    """Return the error that names the first key that differs."""
    keys = [*before, *(key for key in now if key not in before)]
    key = next(key for key in keys if [before.get(key, ...)] != [now.get(key, ...)])
    return ConfigError(
        f"trainer.{name}: a callback has changed {key!r} in it, which has no effect. Set it in the config, or"
        " change the module itself, such as trainer.optimizer.param_groups; keep values of your own in an"
        " attribute of your module."
    )
