"""The causes that programs tell below an error, as those in Rust, uv, Java and NCCL do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# cargo and uv; anyhow, whose causes follow; Java
_CAUSED_BY = re.compile(r"\s*Caused by: ?(.*)")
_NUMBERED = re.compile(r"\s+\d+: (\S.*)")
_LAST_ERROR = "Last error:"  # NCCL
_FAILED = re.compile("\\s*\N{MULTIPLICATION SIGN} (\\S.*)")  # miette, as in uv
_BRANCH = re.compile(r"^\s*(?:[│├╰▶─]+\s*)?")
_ERROR = re.compile(r"Error: *$")
_CONTINUES = re.compile(r"\s|Caused by:|Location:$")


def causes_below(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the causes in the lines below an error, the deepest one last."""
    found: list[str] = []
    for at, line in enumerate(lines):
        if told := _CAUSED_BY.match(line):
            found += [told[1]] if told[1] else _block(lines[at + 1 :])
        elif line.strip() == _LAST_ERROR:
            found += [each.strip() for each in lines[at + 1 : at + 2]]
    return tuple(found)


def error_above_causes(said: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Return the error whose causes end the output, and the causes; None if they do not."""
    at = len(said)
    while at and _CONTINUES.match(said[at - 1]):
        at -= 1
        if found := _FAILED.match(said[at]):
            return " ".join((found[1], *(_BRANCH.sub("", each) for each in said[at + 1 :]))), ()
    below = said[at:]
    if not at or not below:
        return None
    if _ERROR.match(said[at - 1]) and (causes := _block(below)):  # color-eyre
        return causes[0], tuple(causes[1:])
    causes = [*causes_below(below)] if _CAUSED_BY.match(below[0]) else []
    return (said[at - 1].strip(), tuple(causes)) if causes else None


def _block(lines: Sequence[str]) -> list[str]:
    """Return the numbered causes that stand first in the lines, or the only one."""
    found: list[str] = []
    for line in lines:
        if told := _NUMBERED.match(line):
            found.append(told[1].strip())
        elif not found and line[:1].isspace():
            return [line.strip()]
        else:
            break
    return found
