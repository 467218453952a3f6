"""Progress messages of a reporter to the process that started it, one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import Final

from orchestrator.rundir import records

NO_TURN: Final = "another reporter is working on this experiment"


@dataclass(frozen=True, slots=True)
class ProgressMessage:
    """The progress of a reporter: runs and points sent, runs still behind, and the problem, if any.

    ``beat`` grows with each step of the work, including those that send nothing.
    """

    runs: int = 0
    points: int = 0
    behind: int = 0
    problem: str = ""
    beat: int = field(default=0, compare=False)


def send_message(descriptor: int, message: ProgressMessage) -> bool:
    """Write a message without blocking, and return whether it was written."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(asdict(message)).encode() + b"\n")
        return True
    return False


def read_newest(descriptor: int, before: ProgressMessage) -> ProgressMessage:
    """Return the newest message without blocking, or the one ``before`` if there is none."""
    lines: list[bytes] = []
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 65536):
            lines.extend(piece.splitlines())
    for line in reversed(lines):
        match records.parse(line):
            case {
                "runs": int(r),
                "points": int(p),
                "behind": int(b),
                "problem": str(problem),
            } as it:
                beat = it.get("beat")
                return ProgressMessage(r, p, b, problem, beat if isinstance(beat, int) else 0)
    return before
