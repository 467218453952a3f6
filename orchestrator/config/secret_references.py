"""Concealment: the config as it is written down, in which references stand for secrets.

What came from the environment (``oc.env``) is written as the reference it is in the config folder;
the trainer resolves it in its own environment, which is the same. Any other secret is handed to
the attempt in a variable of the environment, and written as a reference to that one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError
from orchestrator.grid.config_template import put
from orchestrator.grid.identity import Concealed
from orchestrator.grid.interpolation_escapes import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_template import Path
    from orchestrator.grid.config_values import Value

HANDED_OVER: Final = "ORCH_VALUE_"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is not written down.

    ``reference`` is what is written instead; empty, where the value has to be handed over.
    ``identity`` is what counts for the run ID instead of the value; None where the value does: for
    what came from the environment and is no credential, another value makes another run.
    """

    reference: str
    identity: str | None = None


def conceal(config: Mapping[str, Value], hidden: Mapping[Path, Hidden]) -> Concealed:
    """Return a resolved config as it is written down: secrets by reference, all other text escaped.

    Raises:
        ConfigError: A value can not be handed over.
    """
    environment: dict[str, str] = {}
    written: dict[Path, Value] = {}
    for path, item in hidden.items():
        if item.reference:
            written[path] = item.reference
            continue
        name = _name(path, environment)
        environment[name], written[path] = _hand_over(name, _value_at(config, path), path)
    escaped = {key: escape(value) for key, value in config.items()}
    return Concealed(config, put(escaped, written), environment, identity_of(hidden))


def identity_of(hidden: Mapping[Path, Hidden]) -> dict[Path, Value]:
    """Return what counts for the run ID in place of credentials that come from the environment."""
    return {path: item.identity for path, item in hidden.items() if item.identity is not None}


def _value_at(config: Mapping[str, Value], path: Path) -> Value:
    node: object = config
    for step in path:
        node = node[step]  # type: ignore[index] # the path leads through containers
    return node  # type: ignore[return-value]


def _hand_over(name: str, value: Value, path: Path) -> tuple[str, str]:
    """Return the text in the environment, and the reference that gives the same value again."""
    reference = f"${{oc.env:{name}}}"
    if not isinstance(value, str):
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        return ("null" if value is None else text), f"${{oc.decode:{reference}}}"
    if "\0" in value:
        where = ".".join(map(str, path))
        raise ConfigError(f"{where} is a secret with a NUL in it, which no environment can hold.")
    return value, reference


def _name(path: Path, taken: Mapping[str, str]) -> str:
    name = HANDED_OVER + _NOT_IN_A_NAME.sub("_", "__".join(map(str, path)).upper())
    while name in taken:
        name += "_"
    return name
