"""Secret references: the config as it is written to disk, with references in place of secrets.

A value from the environment (``oc.env``) is written as the interpolation that the config folder has;
the trainer resolves it in its own, equal environment. Any other secret is passed to the attempt in an
environment variable, and written as a reference to that variable.
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
    from collections.abc import Mapping, Sequence

    from orchestrator.grid.config_template import Path
    from orchestrator.grid.config_values import Value

HANDED_OVER: Final = "ORCH_VALUE_"
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A value that is not written to disk.

    ``reference`` is written instead; if empty, the value has to be passed in a variable.
    ``identity`` replaces the value in the run ID; None if the value itself counts, as for values
    from the environment that are not credentials.
    """

    reference: str
    identity: str | None = None


def conceal(
    config: Mapping[str, Value], hidden: Mapping[Path, Hidden], own: Sequence[Path] = ()
) -> Concealed:
    """Return a resolved config with its written form: references for secrets, other strings escaped.

    ``own`` are the paths of what each run has for itself.

    Raises:
        ConfigError: A value cannot be passed on.
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
    stand_ins = {path: _value_at(config, path) for path in own if path not in hidden}
    written_config = put(escaped, written)
    return Concealed(config, written_config, environment, identity_of(hidden), stand_ins=stand_ins)


def identity_of(hidden: Mapping[Path, Hidden]) -> dict[Path, Value]:
    """Return the values that replace credentials from the environment in the run ID."""
    return {path: item.identity for path, item in hidden.items() if item.identity is not None}


def _value_at(config: Mapping[str, Value], path: Path) -> Value:
    node: object = config
    for step in path:
        node = node[step]  # type: ignore[index] # the path leads through containers
    return node  # type: ignore[return-value]


def _hand_over(name: str, value: Value, path: Path) -> tuple[str, str]:
    """Return the value of the variable, and the reference that resolves to the original value."""
    reference = f"${{oc.env:{name}}}"
    if not isinstance(value, str):
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        return ("null" if value is None else text), f"${{oc.decode:{reference}}}"
    if "\0" in value:
        where = ".".join(map(str, path))
        raise ConfigError(
            f"{where} is a secret that contains a NUL, which an environment variable cannot hold."
            " Remove the NUL."
        )
    return value, reference


def _name(path: Path, taken: Mapping[str, str]) -> str:
    name = HANDED_OVER + _NOT_IN_A_NAME.sub("_", "__".join(map(str, path)).upper())
    while name in taken:
        name += "_"
    return name
