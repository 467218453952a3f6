"""The lines of an output in which an error is searched: without colours, not too many, and none too long."""

from __future__ import annotations

import re
from typing import Final

_MOST: Final = 40_000  # lines; behind an error, thousands of objects may complain
_LONGEST: Final = 4000  # characters at each end of a line; a command stands between them
# Colours, links, and other control characters: the crash handler of PyTorch's loaders prints a NUL.
_ESCAPES = re.compile(
    r"\x1b\[[0-9;:?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[\x00-\x08\x0e-\x1a]"
)
# A progress bar, or other output, had not ended its line.
_BEFORE_HEADER = re.compile(
    r"(?<=[\w\]).%])(?=Traceback \(most recent call last\):$)", re.MULTILINE
)


def lines_of(output: str) -> list[str]:
    """Return the last lines of an output, without the spaces at their ends."""
    text = re.sub(r"\r\n?", "\n", _ESCAPES.sub("", output))
    lines = _BEFORE_HEADER.sub("\n", text).split("\n")[-_MOST:]
    return [_shorten(line.rstrip()) for line in lines]


def _shorten(line: str) -> str:
    """Return the ends of a long line; a record in JSON is read whole."""
    if len(line) <= 2 * _LONGEST or line.startswith("{"):
        return line
    return f"{line[:_LONGEST]}...{line[-_LONGEST:]}"
