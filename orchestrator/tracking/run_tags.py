"""The marks of an MLflow run: the tags by which the run directory that it belongs to finds it again."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from orchestrator.tracking.mlflow_names import tag_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.tracking.store import Found

_CREATED_TAG: Final = "orch.created_at"
_DIRECTORY_TAG: Final = "orch.directory"
_EXPERIMENT_TAG: Final = "orch.experiment"


def marks_of(directory: RunDirectory, created_at: str, experiment_id: str) -> dict[str, str]:
    """Return the tags that tell an MLflow run from all others with the same run ID."""
    return {
        _EXPERIMENT_TAG: tag_value(experiment_id),
        _CREATED_TAG: created_at,
        _DIRECTORY_TAG: _address(directory),
    }


def choose(found: Sequence[Found], directory: RunDirectory, created_at: str) -> Found | None:
    """Return the MLflow run of this directory, or of one that was in its place before.

    Others with the same ID belong to directories elsewhere, which report to the same store.
    """
    for tag, value in ((_CREATED_TAG, created_at), (_DIRECTORY_TAG, _address(directory))):
        for each in found:
            if each.tags.get(tag) == value:
                return each
    return None


def is_marked(found: Found, created_at: str) -> bool:
    """Tell whether an MLflow run belongs to the directory that was made at this time."""
    return found.tags.get(_CREATED_TAG) == created_at


def _address(directory: RunDirectory) -> str:
    return tag_value(f"{socket.gethostname()}:{os.path.realpath(directory.path)}")
