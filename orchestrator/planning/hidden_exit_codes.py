"""Exit codes that a pipe hides: ``python train.py | tee log`` ends as ``tee`` does, whatever the program does."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELLS: Final = ("bash", "dash", "sh", "zsh")
# They succeed whatever they read; a program at the end of a pipe has its exit code.
_FILTERS: Final = frozenset(
    ["awk", "cat", "cut", "head", "less", "logger", "more", "pv", "sed", "sort", "tail", "tee", "tr", "ts", "uniq"]
)  # fmt: skip
_OF_SCRIPT: Final = re.compile(r"-[A-Za-z]*c")
_WITHIN: Final = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\$\([^()]*\)|`[^`]*`|\\.""")
_BETWEEN: Final = re.compile(r";|\n|&&|\|\|")


def filter_that_hides(command: Sequence[str]) -> str:
    """Return the filter whose exit code counts instead of the program's; empty: there is none."""
    if not command or PurePath(command[0]).name not in SHELLS:
        return ""
    places = [at for at, argument in enumerate(command) if _OF_SCRIPT.fullmatch(argument)]
    if not places or any("pipefail" in argument for argument in command):
        return ""
    script = " ".join(command[places[0] + 1 : places[0] + 2])
    last = _BETWEEN.split(_WITHIN.sub("_", script).strip().rstrip(";&"))[-1]
    before, pipe, after = last.rpartition("|")
    name = PurePath((after.lstrip("&").split() or [""])[0]).name
    return name if pipe and before.strip() and name in _FILTERS else ""
