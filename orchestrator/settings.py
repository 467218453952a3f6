"""The settings under ``orch:`` in the config: how runs are carried out, never what they compute."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError
from orchestrator.limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from orchestrator.grid import Value

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?) *([smhd]) *")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Whether and where runs are reported; no ``uri`` means SQLite under ``results_dir``.

    ``artifacts``: config, results and logs are kept with the run, ``checkpoint``: the best one too.
    """

    enabled: bool = True
    uri: str | None = None
    artifacts: bool = True
    checkpoint: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What stands under ``orch:``.

    ``identity_exclude`` are dotted keys that do not count for the run ID; ``command`` is the
    program that carries out an attempt (none: ours), ``workers`` how many at once (none: one a
    processor), ``limits`` what an attempt may take before it is ended.
    """

    workers: int | None = None
    command: tuple[str, ...] | None = None
    identity_exclude: tuple[str, ...] = ()
    tracking: Tracking = Tracking()
    limits: Limits = NO_LIMITS


def parse_settings(node: Value) -> Settings:
    """Check what the config says under ``orch:`` and return it as a value.

    Raises:
        ConfigError: A key is unknown, or a value has the wrong type.
    """
    orch = _section(
        node,
        "orch",
        ("workers", "command", "identity", "tracking", "timeout", "no_progress", "grace"),
    )
    identity = _section(orch.get("identity"), "orch.identity", ("exclude",))
    command = orch.get("command")
    return Settings(
        workers=parse_workers(orch.get("workers"), "orch.workers"),
        command=None if command is None else _texts(command, "orch.command"),
        identity_exclude=_texts(identity.get("exclude") or [], "orch.identity.exclude"),
        tracking=_parse_tracking(orch.get("tracking")),
        limits=Limits(
            **{
                name: parse_duration(orch[name], f"orch.{name}")
                for name in ("timeout", "no_progress", "grace")
                if orch.get(name) is not None
            }
        ),
    )


def _parse_tracking(node: Value) -> Tracking:
    tracking = _section(node, "orch.tracking", ("enabled", "uri", "artifacts", "checkpoint"))
    switches = {"enabled": True, "artifacts": True, "checkpoint": False}
    for name, default in switches.items():
        value = tracking.get(name, default)
        if not isinstance(value, bool):
            raise ConfigError(f"orch.tracking.{name} is {value!r}. Make it true or false.")
        switches[name] = value
    uri = tracking.get("uri")
    if not (uri is None or isinstance(uri, str)):
        raise ConfigError("orch.tracking.uri is no text. Make it an MLflow tracking URI, or null.")
    return Tracking(uri=uri, **switches)


def parse_workers(value: Value, where: str) -> int | None:
    """Return a number of workers; ``where`` names its place for the error.

    Raises:
        ConfigError: It is not a whole number of 1 or more.
    """
    if value is None or (isinstance(value, int) and value is not True and value >= 1):
        return value
    raise ConfigError(f"{where} is {value!r}. Make it a whole number, 1 or more.")


def parse_duration(value: Value, where: str) -> float:
    """Return a duration in seconds; ``where`` names its place for the error.

    Raises:
        ConfigError: It is neither a positive number of seconds nor a text such as ``1h30m``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if text and not _PART.sub("", text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        if seconds > 0:
            return seconds
    raise ConfigError(f"{where} is {value!r}. Make it seconds, or a text such as 90s or 1h 30m.")


def _section(node: Value, where: str, known: tuple[str, ...]) -> Mapping[str, Value]:
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise ConfigError(f"{where} is no mapping. Give it keys: {', '.join(known)}.")
    for key in node:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}."
            raise ConfigError(f"{where} has no setting '{key}'. {hint}")
    return node


def _texts(node: Value, where: str) -> tuple[str, ...]:
    if not isinstance(node, list) or not all(isinstance(item, str) for item in node):
        raise ConfigError(f"{where} is no list of texts. Write it as [first, second].")
    return tuple(str(item) for item in node)
