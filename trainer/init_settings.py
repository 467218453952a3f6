"""The settings of `init_from`: the weights that a run begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.errors import ConfigError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class InitSettings:
    """A run directory or a file with weights, and what its content is known by, if that was given."""

    path: str | None = None
    digest: str | None = None

    @property
    def decides(self) -> str | None:
        """What decides the results of a run: the content, or where that is unknown, the path."""
        return self.digest or self.path


def read_init(config: Mapping[str, object]) -> InitSettings:
    """Read the keys `init_from` and `init_from_digest` of a configuration.

    Raises:
        ConfigError: If one of them is not a string, or there is a digest without a path.
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
    return InitSettings(path, digest)
