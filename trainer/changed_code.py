"""Changed code: whether the files that a run was computed with have been edited since.

`code.json` of the run directory has them, with the first digits of their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from trainer.durable_files import read_plain

CODE = "code.json"
DIGITS = 16
MOST_BYTES = 1_000_000  # of larger files, the last ones count


def find_changed(run_dir: Path) -> str | None:
    """Return a file of a run's code that is another one now; None if there is none, or none is known."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        attempts = json.loads(read_plain(run_dir / CODE, 1 << 24))["attempts"]
        made = [
            (attempt["directory"], *entry)
            for attempt in attempts
            for entry in attempt["files"].items()
        ]
        return next(
            (name for folder, name, digest in made if _digest(folder, name) != digest), None
        )
    return None


def _digest(folder: str, name: str) -> str | None:
    """Return the digest of a file, in the working directory or else in that of the attempt."""
    path = Path(name) if Path(name).exists() else Path(folder) / name
    with suppress(OSError):
        content = read_plain(path, MOST_BYTES)
        if path.stat().st_size > MOST_BYTES:
            content = content.partition(b"\n")[2]  # from the start of a line, as it was recorded
        return hashlib.sha256(content).hexdigest()[:DIGITS]
    return None
