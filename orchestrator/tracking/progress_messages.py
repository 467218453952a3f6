"""Progress messages of a reporter to the process that started it, one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field

from orchestrator.rundir import records


@dataclass(frozen=True, slots=True)
class News:
    """How far a reporter is: what it has sent, how many runs it knows to be behind, what is wrong.

    ``beat`` grows with each step of the work, including those that send nothing.
    """

    runs: int = 0
    points: int = 0
    behind: int = 0
    problem: str = ""
    beat: int = field(default=0, compare=False)


def tell(descriptor: int, news: News) -> bool:
    """Write news, unless nobody reads them; tell whether they were written. Never wait."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(asdict(news)).encode() + b"\n")
        return True
    return False


def hear(descriptor: int, before: News) -> News:
    """Return the newest news, or those from before where there are none; never wait."""
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
                return News(r, p, b, problem, beat if isinstance(beat, int) else 0)
    return before
