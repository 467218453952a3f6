"""The literals of filters: unquoted words that are values, as YAML 1.1 and Hydra read them.

A word on which the two disagree, or that a config cannot have as a value, is an error: a filter that
compares with an unintended value would silently drop nothing.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from orchestrator.errors import FilterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.grid.config_values import Value

_WORDS: Final[Mapping[str, Value]] = {"true": True, "false": False, "null": None, "~": None}
_DISPUTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("yes", "on"), "is true in YAML and a string in Hydra's overrides; write true"),
    **dict.fromkeys(
        ("no", "off"), "is false in YAML and a string in Hydra's overrides; write false"
    ),
    "none": "is a string in YAML and in Hydra; write null",
}
_NOT_FINITE: Final = re.compile(r"[+-]?\.?(inf|nan)", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[+-]?(0|[1-9][0-9]*(_[0-9]+)*)")
_OTHER_BASE: Final = re.compile(r"[+-]?0(x[0-9a-fA-F]+(_[0-9a-fA-F]+)*|b[01]+(_[01]+)*)")
_OCTAL: Final = re.compile(r"[+-]?0[0-9_]+")
_FLOAT: Final = re.compile(
    r"[+-]?([0-9]+(_[0-9]+)*(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE
)


class NotALiteral:
    """The result for a word that is not a literal."""


NOT_A_LITERAL: Final = NotALiteral()


def read_literal(word: str) -> Value | NotALiteral:
    """Return the value of a word, or ``NOT_A_LITERAL``.

    Raises:
        FilterError: YAML and Hydra read it differently, or no config can have its value.
    """
    known = word.lower()
    if known in _WORDS:
        return _WORDS[known]
    if known in _DISPUTED:
        raise FilterError(f"{word!r} {_DISPUTED[known]}, or put it in quotes")
    if _NOT_FINITE.fullmatch(word):
        raise FilterError(f"{word!r} is not a finite number; if it is a string, put it in quotes")
    return _read_number(word)


def _read_number(word: str) -> Value | NotALiteral:
    if _OTHER_BASE.fullmatch(word):
        return int(word, 0)
    if _DECIMAL.fullmatch(word):
        try:
            return int(word)
        except ValueError:  # Python does not convert strings of more than 4,300 digits
            raise FilterError("the number is too long") from None
    if _OCTAL.fullmatch(word):
        raise FilterError(
            f"{word[:40]!r} is octal in YAML and a string in Hydra's overrides; write it without the"
            " leading zero, or put it in quotes"
        )
    if not _FLOAT.fullmatch(word):
        return NOT_A_LITERAL
    number = float(word)
    if not math.isfinite(number):
        raise FilterError(f"the number {word[:40]!r} is too large")
    return number
