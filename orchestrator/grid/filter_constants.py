"""Constants: the unquoted words of a filter that are values, as YAML 1.1 and Hydra read them.

Where the two disagree about a word, or it is no value that a config of a run can have, it is
refused: a filter that compares with something else than was meant would drop nothing, in silence.
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
    **dict.fromkeys(("yes", "on"), "is true in YAML and text in Hydra's overrides; write true"),
    **dict.fromkeys(("no", "off"), "is false in YAML and text in Hydra's overrides; write false"),
    "none": "is text in YAML and in Hydra; write null",
}
_NOT_FINITE: Final = re.compile(r"[+-]?\.?(inf|nan)", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[+-]?(0|[1-9][0-9]*(_[0-9]+)*)")
_OTHER_BASE: Final = re.compile(r"[+-]?0(x[0-9a-fA-F]+(_[0-9a-fA-F]+)*|b[01]+(_[01]+)*)")
_OCTAL: Final = re.compile(r"[+-]?0[0-9_]+")
_FLOAT: Final = re.compile(
    r"[+-]?([0-9]+(_[0-9]+)*(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE
)


class NoConstant:
    """Stands for a word that is no constant."""


NO_CONSTANT: Final = NoConstant()


def read_constant(word: str) -> Value | NoConstant:
    """Return the value that a word means; ``NO_CONSTANT`` where it means none.

    Raises:
        FilterError: It means different things to YAML and Hydra, or nothing that a run can have.
    """
    known = word.lower()
    if known in _WORDS:
        return _WORDS[known]
    if known in _DISPUTED:
        raise FilterError(f"{word!r} {_DISPUTED[known]}, or put it in quotes")
    if _NOT_FINITE.fullmatch(word):
        raise FilterError(f"{word!r} is not a finite number; if it is text, put it in quotes")
    return _read_number(word)


def _read_number(word: str) -> Value | NoConstant:
    if _OTHER_BASE.fullmatch(word):
        return int(word, 0)
    if _DECIMAL.fullmatch(word):
        try:
            return int(word)
        except ValueError:  # Python refuses to read integers of more than 4,300 digits
            raise FilterError("the number is too long") from None
    if _OCTAL.fullmatch(word):
        raise FilterError(
            f"{word[:40]!r} is octal in YAML and text in Hydra's overrides; write it without the zero"
            " in front, or put it in quotes"
        )
    if not _FLOAT.fullmatch(word):
        return NO_CONSTANT
    number = float(word)
    if not math.isfinite(number):
        raise FilterError(f"{word[:40]!r} is too large a number")
    return number
