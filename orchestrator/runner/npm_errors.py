"""The lines of npm: they say that a script of a package has failed, or why npm could not start it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_NPM = re.compile(r"npm (?:ERR!|error)(?: (.*))?$")
_OF_SCRIPT = re.compile(r"code ELIFECYCLE|Lifecycle script|command failed")
_FIELD = re.compile(r"(?:code|errno|syscall|path|dest|cwd|cmd|signal|command|workspace|location) ")


def without_npm(said: Sequence[str]) -> list[str]:
    """Return lines that end with some of npm without these, or with its error if it is its own."""
    kept = [*said]
    told: list[str] = []
    while kept and (found := _OF_NPM.match(kept[-1])):
        kept.pop()
        told.insert(0, found[1] or "")
    if not any(map(_OF_SCRIPT.match, told)):
        kept += [line for line in told if line and not _FIELD.match(line)][:1]
    return kept or [*said]
