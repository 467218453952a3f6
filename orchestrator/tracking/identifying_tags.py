"""The identifying tags of an MLflow run, by which it is found again for its run directory."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.tracking.mlflow_names import tag_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.tracking.store import MlflowRun

_CREATED_TAG: Final = "orch.created_at"
_DIRECTORY_TAG: Final = "orch.directory"
_EXPERIMENT_TAG: Final = "orch.experiment"
_FOLDER_TAG: Final = "orch.folder"
SHARED_TAG: Final = "orch.shared"  # programs log to the MLflow run themselves


@dataclass(frozen=True, slots=True)
class IdentifyingTags:
    """The values that distinguish an MLflow run from all others with the same run ID.

    ``folder`` is the identity of the experiment's folder, if the store is shared with others.
    """

    experiment_id: str
    created_at: str
    address: str
    folder: str

    @classmethod
    def of(
        cls, directory: RunDirectory, created_at: str, experiment_id: str, folder: str
    ) -> IdentifyingTags:
        """Return the identifying tags of a run directory."""
        return cls(experiment_id, tag_value(created_at), _address(directory), folder)

    def tags(self) -> dict[str, str]:
        """Return them as tags of an MLflow run."""
        tags = {
            _EXPERIMENT_TAG: tag_value(self.experiment_id),
            _CREATED_TAG: self.created_at,
            _DIRECTORY_TAG: self.address,
        }
        return tags | ({_FOLDER_TAG: self.folder} if self.folder else {})


def choose(
    found: Sequence[MlflowRun], wanted: IdentifyingTags, *, is_rerun: bool = False
) -> MlflowRun | None:
    """Return the MLflow run of this run directory.

    Others with the same run ID belong to directories elsewhere that report to the same store,
    including copies of this one, which have the same creation time, or to an earlier directory at
    its path: points and times of two executions are never mixed. Where its creation time is not
    known, its path decides, but not for a rerun, whose path is that of the run that it replaces.
    """
    known = ((_CREATED_TAG, wanted.created_at), (_DIRECTORY_TAG, wanted.address))
    earlier = choose_replaced(found, wanted)
    for tag, value in known[:1] if is_rerun else known:
        for each in _candidates(found, wanted):
            if each.tags.get(tag) == value and each not in earlier:
                return each
    return None


def choose_replaced(found: Sequence[MlflowRun], wanted: IdentifyingTags) -> list[MlflowRun]:
    """Return the MLflow runs of earlier run directories at the path of this one."""
    return [
        each
        for each in _candidates(found, wanted)
        if each.tags.get(_DIRECTORY_TAG) == wanted.address
        and each.tags.get(_CREATED_TAG, wanted.created_at) < wanted.created_at
    ]


def _candidates(found: Sequence[MlflowRun], wanted: IdentifyingTags) -> list[MlflowRun]:
    if not wanted.folder:
        return list(found)
    ours = [each for each in found if each.tags.get(_FOLDER_TAG) == wanted.folder]
    return ours + [each for each in found if _FOLDER_TAG not in each.tags]


def belongs_to(found: MlflowRun, created_at: str, folder: str) -> bool:
    """Return whether an MLflow run belongs to the run directory created at this time."""
    tags = found.tags
    return tags.get(_CREATED_TAG) == created_at and tags.get(_FOLDER_TAG, "") == folder


def _address(directory: RunDirectory) -> str:
    return tag_value(f"{socket.gethostname()}:{os.path.realpath(directory.path)}")
