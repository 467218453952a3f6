"""The header of a config file, ``# @package ...``, which Hydra reads at the top of the file only."""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*#\s*@")
_PACKAGE: Final = re.compile(r"\s*#\s*@\s*package\s+(\S+)\s*")


def find_misplaced(text: str) -> str:
    """Return why a header of a config file has no effect, naming its line; empty if none is misplaced.

    The header ends at the first line that is neither empty nor a header, such as another comment.
    """
    if "@" not in text:
        return ""
    is_at_the_top = True
    for number, line in enumerate(text.splitlines(), 1):
        is_at_the_top = is_at_the_top and (not line.strip() or _HEADER.match(line) is not None)
        if not is_at_the_top and (found := _PACKAGE.fullmatch(line)):
            return (
                f"line {number}: '# @package {found[1]}' has no effect, since Hydra reads it at the"
                " top of a file only. Move it to the first line"
            )
    return ""
