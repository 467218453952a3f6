"""The note of a run as tags of its MLflow run, of which the text is the description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestrator.rundir.note_file import read_note
from orchestrator.tracking.mlflow_names import tag_value

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory

_DESCRIPTION: Final = "mlflow.note.content"


def note_tags(directory: RunDirectory) -> dict[str, str]:
    """Return the tags that MLflow should have for the note of a run."""
    note = read_note(directory.path)
    description = {_DESCRIPTION: tag_value(note.text)} if note.text else {}
    return {**description, **note.tags}
