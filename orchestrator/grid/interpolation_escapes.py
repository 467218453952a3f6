"""Escapes of interpolations, so that OmegaConf reads a string such as ``${x}`` literally."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.grid.config_values import Value

_OPENING: Final = "${"
# From the first backslash: a search from each of many would take the square of their number.
_PLAIN: Final = re.compile(r"(?<!\\)(\\*)\$\{")
_ESCAPED: Final = re.compile(r"(?<!\\)(\\+)\$\{")


def escape(value: Value) -> Value:
    r"""Return a resolved value as it must be written to a file: ``${x}`` becomes ``\${x}``.

    Backslashes before it are doubled; everywhere else they are literal.
    """
    match value:
        case str():
            if _OPENING not in value:
                return value
            return _PLAIN.sub(lambda found: f"{found[1] * 2}\\{_OPENING}", value)
        case dict():
            return {key: escape(item) for key, item in value.items()}
        case list():
            return [escape(item) for item in value]
        case _:
            return value


def unescape(text: str) -> str:
    """Return the string that was escaped; the inverse of ``escape``."""
    return _ESCAPED.sub(lambda found: "\\" * (len(found[1]) // 2) + _OPENING, text)
