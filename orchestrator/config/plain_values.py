"""Plain values: a resolved config as built-in types, whatever types a schema gives it.

An enum is the name of its member and a path is a string: from these, every schema reads the same
value again.
"""

from __future__ import annotations

from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from omegaconf import OmegaConf

if TYPE_CHECKING:
    from omegaconf import Container

    from orchestrator.grid.config_values import Value


def to_plain(container: Container) -> Value:
    """Return a container with its interpolations resolved.

    Raises:
        OmegaConfBaseException: A value is missing or cannot be resolved.
    """
    found = OmegaConf.to_container(container, resolve=True, throw_on_missing=True, enum_to_str=True)
    return plain_value(found)


def plain_value(value: object) -> Value:
    """Return a value as built-in types; one of another type is returned unchanged."""
    match value:
        case dict():
            return {key: plain_value(item) for key, item in value.items()}
        case list():
            return [plain_value(item) for item in value]
        case Enum():
            return value.name
        case PurePath():
            return str(value)
        case _:
            return cast("Value", value)
