"""Quantities in settings: counts, sizes, durations and switches, as they are written in a config."""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.grid.config_values import Value

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES: Final = {"MB": 10**6, "MIB": 1 << 20, "GB": 10**9, "GIB": 1 << 30}
_SIZE: Final = r"(?i)(\d+(?:\.\d+)?) *([MG]i?B)"
_PART: Final = r"(?<!\d)(\d+(?:\.\d+)?) *([smhd]) *"


def parse_count(value: Value, where: str, *, least: int = 1) -> int | None:
    """Return a count; ``where`` names the setting in errors.

    Raises:
        ConfigError: It is not an integer of ``least`` or more.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ConfigError(f"{where} is {value!r}. Set it to an integer, {least} or more.")


def parse_switch(value: Value, where: str, *, default: bool) -> bool:
    """Return whether something is switched on; ``where`` names the setting in errors.

    Raises:
        ConfigError: It is neither true nor false.
    """
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{where} is {value!r}. Set it to true or false.")


def parse_memory(value: Value, where: str) -> int:
    """Return a size in bytes; ``where`` names the setting in errors.

    Raises:
        ConfigError: It is neither a positive number of bytes nor a string such as ``8 GiB``.
    """
    if isinstance(value, int) and value is not True and value > 0:
        return value
    found = re.fullmatch(_SIZE, value.strip()) if isinstance(value, str) else None
    if found and float(found[1]) > 0:
        return int(float(found[1]) * _BYTES[found[2].upper()])
    raise ConfigError(f"{where} is {value!r}. Set it to bytes, or to a size such as 8 GiB.")


def parse_duration(value: Value, where: str) -> float:
    """Return a duration in seconds; ``where`` names the setting in errors.

    Raises:
        ConfigError: It is neither a positive number of seconds nor a string such as ``1h30m``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf:
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if text and not re.sub(_PART, "", text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
        if seconds > 0:
            return seconds
    raise ConfigError(
        f"{where} is {value!r}. Set it to seconds, or to a duration such as 90s or 1h 30m."
    )
