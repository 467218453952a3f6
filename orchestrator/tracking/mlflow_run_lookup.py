"""The MLflow run of a run directory: found by its tags or created, and rid of surplus ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.rundir.replaced import is_rerun
from orchestrator.tracking import run_data
from orchestrator.tracking.identifying_tags import (
    SHARED_TAG,
    IdentifyingTags,
    belongs_to,
    choose,
    choose_replaced,
)
from orchestrator.tracking.sent_points import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation
    from orchestrator.tracking.delivery_record import Delivery
    from orchestrator.tracking.reported_content import Scope
    from orchestrator.tracking.store import MlflowRun, Store

logger = logging.getLogger(__name__)


class FoundRun(NamedTuple):
    """An MLflow run: its start in ms, the tags it was created with, and whether programs log to it."""

    mlflow_run_id: str
    start: int
    created_with: Mapping[str, str]
    is_new: bool
    is_shared: bool


class MlflowRunLookup:
    """Looks for the MLflow run of one run directory in one store."""

    def __init__(self, directory: RunDirectory, store: Store, scope: Scope) -> None:
        self._directory = directory
        self._store = store
        self._scope = scope

    def find_or_create(
        self,
        seen: Observation,
        created_at: str,
        params: Mapping[str, str],
        attempt_tags: Mapping[str, str],
    ) -> FoundRun:
        """Find the MLflow run, or create it; after a crash in between, the next search finds it.

        Raises:
            ConflictError: The one that was found has other parameters.
        """
        store, directory = self._store, self._directory
        identifying = self._identifying(created_at)
        # A program may have logged anything to the run of an earlier directory.
        is_exact = self._scope.share or is_rerun(directory)
        candidates = store.find_runs(directory.run_id)
        found = choose(candidates, identifying, is_rerun=is_exact)
        if found is None:
            if not is_exact:
                self._discard_removed(choose_replaced(candidates, identifying))
            start = run_data.started_at(directory, seen)
            tags = identifying.tags() | run_data.axis_tags(directory) | dict(attempt_tags)
            tags |= {SHARED_TAG: "true"} if self._scope.share else {}
            name = run_data.name_of(directory)
            run = store.create_run(directory.run_id, name=name, start=start, tags=tags)
            return FoundRun(run, start, tags, is_new=True, is_shared=self._scope.share)
        is_shared = self._scope.share or SHARED_TAG in found.tags
        for key, value in found.params.items():
            if not is_shared and params.get(key, value) != value:
                raise ConflictError(f"parameter {key}", found.mlflow_run_id)
        tags = identifying.tags() | ({SHARED_TAG: "true"} if is_shared else {})
        store.send(found.mlflow_run_id, tags=tags)
        return FoundRun(found.mlflow_run_id, found.start, {}, is_new=False, is_shared=is_shared)

    def remove_surplus(self, delivery: Delivery, *, is_replacing: bool) -> None:
        """Remove MLflow runs that a slow server created twice, and those that a rerun replaces."""
        if not (self._store.answers_late or is_replacing):
            return
        found = self._store.find_runs(self._directory.run_id)
        ours = self._identifying(delivery.created_at)
        surplus = [each for each in found if belongs_to(each, ours.created_at, ours.folder)]
        for each in [*surplus, *(choose_replaced(found, ours) if is_replacing else ())]:
            if each.mlflow_run_id != delivery.mlflow_run_id:
                self._store.discard_run(each.mlflow_run_id)

    def _discard_removed(self, earlier: Sequence[MlflowRun]) -> None:
        """Delete the MLflow runs of a directory that was removed, except what a program logged itself."""
        for each in earlier:
            if SHARED_TAG not in each.tags:
                logger.warning(
                    "%s: it was removed and created again; the MLflow run %s of the removed one is"
                    " deleted in MLflow",
                    self._directory.path,
                    each.mlflow_run_id,
                )
                self._store.discard_run(each.mlflow_run_id)

    def _identifying(self, created_at: str) -> IdentifyingTags:
        scope = self._scope
        folder = scope.destination.folder
        return IdentifyingTags.of(self._directory, created_at, scope.experiment_id, folder)
