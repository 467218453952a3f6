"""The source of runs, from git: the commit, with user and command, recorded when runs start."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import subprocess
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.rundir import code_record, durable, records
from orchestrator.rundir.state import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orchestrator.rundir.state import Observation

_NAME: Final = "tracking/sources.jsonl"
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class GitSource:
    """A commit of the project's folder, and whether tracked files were modified; None: git did not say.

    ``commit`` is empty without a git repository. ``user`` started the runs with ``command``.
    """

    since: str
    commit: str
    is_dirty: bool | None
    user: str = ""
    command: str = ""


def read_git_source(folder: Path, command: str = "") -> GitSource:
    """Return the commit that is checked out in a folder, with the user and this command."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD") or ""
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else ""
    is_dirty = None if changes is None else bool(changes)
    return GitSource(records.now(), commit, is_dirty, name_of_user(), command)


def name_of_user() -> str:
    """Return the name of the user, or the user ID if there is no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def record_source(experiment: Path, source: GitSource) -> None:
    """Record beside the runs that those which start from now on have this source.

    If it cannot be written, the runs start without a recorded source.
    """
    known = read_sources(experiment)
    if known and replace(known[-1], since=source.since) == source:
        return
    with contextlib.suppress(OSError):
        descriptor, _ = durable.open_below(experiment, _NAME, append=True)
        with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 # no path
            file.write(json.dumps(asdict(source)) + "\n")


def read_sources(experiment: Path) -> list[GitSource]:
    """Return the recorded sources, the oldest first; unreadable lines are skipped."""
    sources = []
    with contextlib.suppress(OSError):
        for line in durable.read_tail(experiment / _NAME, durable.LARGEST_RECORD).splitlines():
            match records.parse(line):
                case {
                    "since": str(since),
                    "commit": str(commit),
                    "is_dirty": bool() | None as is_dirty,
                } as it:
                    by = (str(it.get("user", "")), str(it.get("command", "")))
                    sources.append(GitSource(since, commit, is_dirty, *by))
    return sources


def source_of_attempt(
    run_dir: Path, seen: Observation, sources: Sequence[GitSource]
) -> GitSource | None:
    """Return the source of the last attempt: as it has recorded it, or the last one before it started.

    Several ``orch run`` may execute one experiment: only the attempt itself knows whose it is.
    """
    moment = seen.status.started_at if isinstance(seen.status, Status) else ""
    for made in reversed(code_record.read(run_dir)):
        if made["attempt"] == seen.attempts and isinstance(made.get("user"), str):
            by = (made["user"], str(made.get("typed") or ""))
            is_dirty = None if made.get("dirty") is None else bool(made["dirty"])
            return GitSource(moment, str(made.get("commit") or ""), is_dirty, *by)
    return source_at(sources, moment)


def source_at(sources: Sequence[GitSource], moment: str) -> GitSource | None:
    """Return the source of a run that started at a moment, an ISO 8601 time in UTC."""
    return next((each for each in reversed(sources) if each.since <= moment), None)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it fails, or takes too long."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["git", "-C", str(folder), "--no-optional-locks", *arguments],  # noqa: S607 # the user's git
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        ).stdout.strip()
    return None
