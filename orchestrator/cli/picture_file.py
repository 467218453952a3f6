"""The file that ``orch plot`` or ``orch report`` writes: what it may be, and its replacement at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.rundir import durable

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_out(out: str, endings: Sequence[str]) -> str:
    """Return the format that a file's ending names.

    Raises:
        UsageError: It is another ending, or the file cannot be written there.
    """
    path = Path(out)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in endings:
        known = ", ".join(f".{name}" for name in endings[:-1])
        wanted = f"{known} or .{endings[-1]}" if known else f".{endings[-1]}"
        said = f"ends in .{ending}" if ending else "has no ending"
        raise UsageError(f"--out {out}: the file {said}. Let it end in {wanted}.")
    if path.is_dir():
        raise UsageError(f"--out {out}: it is a folder. Name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {path.parent}. Create it first.")
    return ending


def write_out(out: str, content: bytes) -> None:
    """Replace a file at once: it has the old or the new content, whatever happens.

    A link stays, and what it leads to is replaced.

    Raises:
        UsageError: It cannot be written.
    """
    try:
        durable.write_file(Path(os.path.realpath(out)), content)
    except OSError as error:
        raise UsageError(
            f"--out {out}: it cannot be written ({error.strerror or error})."
            " Check the permissions and the disk, or name another file."
        ) from None
