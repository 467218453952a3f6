"""The file of a run directory that holds the note of the run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.rundir import durable, records
from orchestrator.rundir.directory import NOTE
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.note import NO_NOTE, Note
from orchestrator.rundir.run_metrics import read_record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_NAME: Final = re.compile(r"[^\W\d][\w-]{0,99}")
_LONGEST: Final = 4000  # characters: MLflow takes 5000 bytes
_LONGEST_VALUE: Final = 500
_MOST: Final = 50  # tags
_OF_MLFLOW: Final = ("mlflow", "orch")


def read_note(run_dir: Path | str) -> Note:
    """Return the note of a run; a file that is missing, damaged or of another form is none."""
    path = f"{run_dir}/{NOTE}"
    # Most runs have none, and an exception takes twice as long as looking.
    if not os.access(path, os.F_OK):
        return NO_NOTE
    match read_record(path):
        case {"text": str(text), "tags": dict(tags)}:
            known = {
                name: value
                for name, value in tags.items()
                if _is_name(name) and isinstance(value, str)
            }
            return Note(text[:_LONGEST], known)
    return NO_NOTE


def change_note(
    run_dir: Path,
    *,
    text: str | None = None,
    tags: Mapping[str, str] | None = None,
    untag: Collection[str] = (),
) -> Note:
    """Change the note of a run, and return it; without content, its file is removed.

    Args:
        run_dir: The run directory.
        text: The new text; None: as it was.
        tags: The tags to add, or to give other values.
        untag: The names of tags to remove.

    Raises:
        UsageError: A text is too long, or a tag is not a tag that MLflow accepts.
        OSError: It cannot be written.
    """
    _check(text or "", tags or {})
    with exclusive(run_dir):
        before = read_note(run_dir)
        kept = {name: it for name, it in before.tags.items() if name not in untag}
        after = Note(before.text if text is None else text.strip(), kept | dict(tags or {}))
        if len(after.tags) > _MOST:
            raise UsageError(f"more than {_MOST} tags. Remove some with --untag.")
        if after:
            content = {"schema": records.SCHEMA, "text": after.text, "tags": dict(after.tags)}
            durable.write_file(run_dir / NOTE, records.dump(content))
        elif (run_dir / NOTE).is_symlink() or (run_dir / NOTE).exists():
            (run_dir / NOTE).unlink()
            durable.sync_directory(run_dir)
    return after


def _check(text: str, tags: Mapping[str, str]) -> None:
    if len(text.encode()) > _LONGEST:
        raise UsageError(f"the note has more than {_LONGEST} bytes. Shorten it.")
    for name, value in tags.items():
        if not _is_name(name):
            raise UsageError(
                f"{name[:80]!r} cannot be a tag. Use letters, digits, '-' and '_', beginning with a"
                " letter, and not mlflow or orch."
            )
        if len(value) > _LONGEST_VALUE or not value.isprintable():
            raise UsageError(f"the value of the tag {name} is not a short line. Shorten it.")


def _is_name(name: object) -> bool:
    is_word = isinstance(name, str) and _NAME.fullmatch(name) is not None
    return is_word and name not in _OF_MLFLOW
