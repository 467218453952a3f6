"""An override as it has to be typed into a shell, where its value has special characters."""

from __future__ import annotations

import re
import shlex
from typing import Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

_BRACKETS: Final = ("[]", "{}", "()")
_QUOTES: Final = ("'", '"')
_FUNCTION: Final = r"(?s)\w+\(.*\)"
_SEVERAL: Final = r"[^\s,'\"\[\](){}]+(,[^\s,'\"\[\](){}]+)+"
_OF_SHELLS: Final = '$`"\\!'


def quoted_override(override: str) -> str:
    """Return an unreadable override with its value quoted, for a shell; empty if that is not its fault.

    It is not if its value is a function, or has a bracket or a quote that is not closed. Of several values,
    those are quoted that have to be.
    """
    key, _, value = override.partition("=")
    is_open = any(value.count(opening) > value.count(closing) for opening, closing in _BRACKETS)
    if is_open or value.startswith(_QUOTES) or re.fullmatch(_FUNCTION, value):
        return ""
    if not _is_readable(f"{key}=''"):
        return ""
    values = value.split(",") if re.fullmatch(_SEVERAL, value) else [value]
    quoted = f"{key}={','.join(map(_quote, values))}"
    return shlex.quote(quoted) if set(_OF_SHELLS) & set(quoted) else f'"{quoted}"'


def _quote(value: str) -> str:
    return value if _is_readable(f"x={value}") else QuotedString(value, Quote.single).with_quotes()


def _is_readable(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
