"""Plain values: a resolved config as built-in types, whatever types a schema gives it.

An enum is the name of its member and a path is a string: from these, every schema reads the same
value again.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from omegaconf import Container, ListConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from orchestrator.grid.config_values import Value


def to_plain(container: Container) -> Value:
    """Return a container with its interpolations resolved.

    Raises:
        OmegaConfBaseException: A value is missing or cannot be resolved.
    """
    found = OmegaConf.to_container(container, resolve=True, throw_on_missing=True, enum_to_str=True)
    return plain_value(found)


def drop_unresolvable(container: Container) -> None:
    """Remove what is missing, or cannot be resolved, from a config; items of lists become null."""
    with suppress(OmegaConfBaseException):
        to_plain(container)
        return
    keys = range(len(container)) if isinstance(container, ListConfig) else list(container)
    for key in keys:
        if not _is_resolvable(container, key):
            with flag_override(container, ["struct", "readonly"], [False, False]):
                if isinstance(container, ListConfig):
                    container[key] = None
                else:
                    del cast("DictConfig", container)[key]


def _is_resolvable(container: Container, key: Any) -> bool:  # noqa: ANN401 # of any type
    """Return whether a value can be resolved, after dropping what cannot within it."""
    is_own = not (
        OmegaConf.is_missing(container, key) or OmegaConf.is_interpolation(container, key)
    )
    try:
        node = container[key]
        if isinstance(node, Container):
            if is_own:
                drop_unresolvable(node)
            else:
                to_plain(node)
    except OmegaConfBaseException:
        return False
    return True


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
