"""The source: the commit that an experiment's runs are made from, noted whenever runs start."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME: Final = "tracking/sources.jsonl"
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Source:
    """A commit of the project's folder, and whether files that git knows had been changed."""

    since: str
    commit: str
    is_dirty: bool


def look_at_source(folder: Path) -> Source | None:
    """Return the commit that is checked out in a folder; None where git knows of none."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Source(records.now(), commit, bool(changes))


def note_source(experiment: Path, source: Source) -> None:
    """Remember beside the runs that those which start from now on have this source."""
    known = read_sources(experiment)
    if known and (known[-1].commit, known[-1].is_dirty) == (source.commit, source.is_dirty):
        return
    path = experiment / _NAME
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(source)) + "\n")


def read_sources(experiment: Path) -> list[Source]:
    """Return all that was noted, the oldest first; what cannot be read is passed over."""
    sources = []
    with contextlib.suppress(OSError):
        for line in durable.read_file(experiment / _NAME).splitlines():
            match records.parse(line):
                case {"since": str(since), "commit": str(commit), "is_dirty": bool(is_dirty)}:
                    sources.append(Source(since, commit, is_dirty))
    return sources


def source_at(sources: Sequence[Source], moment: str) -> Source | None:
    """Return the source of what began at a moment, an ISO 8601 time in UTC."""
    return next((each for each in reversed(sources) if each.since <= moment), None)


def _git(folder: Path, *arguments: str) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", *arguments],  # noqa: S607 # the user's git
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        ).stdout.strip()
    return ""
