"""The settings of `init_from`: the weights that a run begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.errors import ConfigError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class InitSettings:
    """A run directory or a file with weights, and what its content is known by, if that was given.

    ``prefix``: only what has a name that begins with it is taken, under the rest of that name.
    """

    path: str | None = None
    digest: str | None = None
    prefix: str = ""

    @property
    def decides(self) -> str | None:
        """What decides the results of a run: the content, or where that is unknown, the path."""
        source = self.digest or self.path
        return f"{source}:{self.prefix}" if source and self.prefix else source


def read_init(config: Mapping[str, object]) -> InitSettings:
    """Read the keys `init_from`, `init_from_digest` and `init_from_prefix` of a configuration.

    Raises:
        ConfigError: If one of them is not a string, or there is a digest or a prefix without a path.
    """
    path, digest = config.get("init_from"), config.get("init_from_digest")
    if path is not None and (not isinstance(path, str) or not path):
        raise ConfigError(
            f"init_from: {shown(path)} is not a path. Name a run directory or a file with weights."
        )
    if digest is not None and (not isinstance(digest, str) or not digest):
        raise ConfigError(f"init_from_digest: {shown(digest)} is not a digest. Remove it.")
    if digest is not None and path is None:
        raise ConfigError(
            "init_from_digest: there is no init_from. Set it, or remove init_from_digest."
        )
    return InitSettings(path, digest, _read_prefix(config, path))


def _read_prefix(config: Mapping[str, object], path: str | None) -> str:
    prefix = config.get("init_from_prefix")
    if prefix is None:
        return ""
    if not isinstance(prefix, str) or not prefix.rstrip("."):
        raise ConfigError(
            f"init_from_prefix: {shown(prefix)} is not the beginning of a name. Write one, such as"
            " encoder."
        )
    if path is None:
        raise ConfigError(
            "init_from_prefix: there is no init_from. Set it, or remove init_from_prefix."
        )
    return f"{prefix.rstrip('.')}."
