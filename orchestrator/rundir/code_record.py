"""``code.json``: the command and the code of each attempt of a run, by which drift is noticed.

The runner writes it when an attempt starts. A program that is a Python function adds the files that it
has imported when it ends. Runners and programs read this module: it imports next to nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from orchestrator.rundir import durable, records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME: Final = "code.json"
# The environment variable that brings a record from the launcher to the runner, which removes it.
VARIABLE: Final = "ORCH_CODE"
_KEPT: Final = 20  # attempts
_DIGITS: Final = 16
_DEEPEST: Final = 5  # levels: an attempt has three
# Of one attempt: ``program`` as configured, ``command`` as executed, ``directory``, ``commit``,
# ``dirty``, ``user``, the ``orch`` command as ``typed``, and the digest of each file in ``files``; None:
# it was edited while the attempt ran.
Attempt: TypeAlias = "dict[str, Any]"


def read(run_dir: Path | str) -> list[Attempt]:
    """Return the records of the attempts, the oldest first; an empty list if there are none."""
    with contextlib.suppress(OSError):
        match records.parse(durable.read_file(f"{run_dir}/{NAME}")):
            case {"attempts": list(attempts)}:
                return [each for each in attempts if _is_sound(each)]
    return []


def commit_of(made: Mapping[str, Any]) -> str:
    """Return the commit of an attempt, and whether it was modified; an empty string if there is none."""
    if not (commit := made.get("commit")):
        return ""
    dirty = made.get("dirty")
    return f"{commit}{', perhaps modified' if dirty is None else ', modified' if dirty else ''}"


def _is_sound(found: object) -> bool:
    match found:
        case {"attempt": int(), "directory": str(), "files": dict(files)}:
            is_flat = not records.is_deeper(found, _DEEPEST)
            return is_flat and all(isinstance(digest, str | None) for digest in files.values())
        case _:
            return False


def begin(run_dir: Path, attempt: int, told: str, imported: Mapping[str, str]) -> None:
    """Add the record of an attempt that starts; requires the lock of the run.

    If it cannot be written, the attempt has none.

    Args:
        run_dir: The run directory.
        attempt: Its number.
        told: The record as JSON, as the launcher has made it; nothing is written without one.
        imported: The digests of files that the process which becomes the program has imported.
    """
    record = records.parse(told.encode(errors="replace"))
    if not isinstance(record, dict):
        return
    files = {**record.get("files", {}), **imported}
    before = read(run_dir) if attempt > 1 else []
    earlier = [each for each in before if each["attempt"] < attempt]
    _write(run_dir, [*earlier[1 - _KEPT :], {"attempt": attempt, **record, "files": files}])


def add_files(run_dir: Path, attempt: int, files: Mapping[str, str | None]) -> None:
    """Add files to the record of an attempt, as a process of it."""
    attempts = read(run_dir)
    if files and attempts and attempts[-1]["attempt"] == attempt:
        attempts[-1]["files"] = {**files, **attempts[-1]["files"]}
        _write(run_dir, attempts)


def _write(run_dir: Path, attempts: Sequence[Attempt]) -> None:
    content = json.dumps({"schema": records.SCHEMA, "attempts": attempts}) + "\n"
    with contextlib.suppress(OSError):
        durable.write_file(run_dir / NAME, content.encode(), lasting=False)


def digest_of(run_dir: Path) -> str | None:
    """Return a digest of the code and the command of all attempts: runs of the same have the same."""
    attempts = read(run_dir)
    if not attempts:
        return None
    made = {json.dumps([it.get("program"), it["files"]], sort_keys=True) for it in attempts}
    return hashlib.sha256("\n".join(sorted(made)).encode()).hexdigest()[:_DIGITS]
