"""The MLflow store: the only module that calls MLflow's client, in the reporter's process."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias

from mlflow.entities import LifecycleStage, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from orchestrator.errors import OrchestratorError
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.state import State
from orchestrator.tracking import sqlite_bulk_access
from orchestrator.tracking.delivery_record import sqlite_file
from orchestrator.tracking.local_store import create_store, files_uri, update_after_move
from orchestrator.tracking.mlflow_names import experiment_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from orchestrator.tracking.metrics_file_points import MetricPoint

Item: TypeAlias = "Param | RunTag | Metric"
RUN_ID_TAG: Final = "orch.run_id"
# Makes MLflow's page show trainings; by default it shows conversations.
_KIND_TAG: Final = "mlflow.experimentKind"
_KIND: Final = "custom_model_development"
_MOST: Final[Mapping[type[Item], int]] = {Param: 100, RunTag: 100, Metric: 1000}
_MOST_TOGETHER: Final = 1000
_MAXIMUM_BYTES: Final = 900_000  # of a request; MLflow's limit is a million
_MAXIMUM_NAMESAKES: Final = 100
_STATUSES: Final[Mapping[State, str]] = {
    State.PENDING: "SCHEDULED",
    State.RUNNING: "RUNNING",
    State.UNPROVEN: "RUNNING",
    State.STALE: "KILLED",
    State.FAILED: "FAILED",
    State.DONE: "FINISHED",
}

logger = logging.getLogger(__name__)


class StoreError(OrchestratorError):
    """The store is in a state that the user has to change."""


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """A run in the store: its MLflow ID, tags, parameters, and start (ms)."""

    mlflow_run_id: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    start: int = 0


class Store:
    """One experiment in an MLflow store, which is opened on first use."""

    def __init__(self, uri: str, experiment: str, results_dir: Path) -> None:
        self.uri = uri
        self._name = experiment_name(experiment)
        self._results_dir = results_dir
        self._client: MlflowClient | None = None
        self._engine: Engine | None = None  # for bulk access, bypassing the client
        self._experiment_id = ""
        self._mark = ""
        self._is_new = False
        self._folders: dict[str, str] = {}  # of the runs' files, by MLflow run ID

    @property
    def answers_late(self) -> bool:
        """Whether a request may still take effect after its timeout, as with servers."""
        return sqlite_file(self.uri) is None

    @property
    def mark(self) -> str:
        """An identifier that distinguishes this experiment from a recreated one of the same name."""
        _ = self._opened
        return self._mark

    @property
    def _opened(self) -> MlflowClient:
        if self._client is None:
            self._client = self._open()
        return self._client

    def _open(self) -> MlflowClient:
        """Open the store, and create it and the experiment if they do not exist.

        Two processes that create the same SQLite store corrupt it, hence the lock.
        """
        with exclusive(self._results_dir, logger.warning):
            create_store(self.uri)
            client = MlflowClient(tracking_uri=self.uri)
            if sqlite_file(self.uri):
                self._engine = sqlite_bulk_access.open_engine(self.uri)
            known = client.get_experiment_by_name(self._name)
            if known is None:
                # MLflow's default would be a folder in the current directory.
                is_local = self.uri.startswith("sqlite:")
                made = client.create_experiment(
                    self._name,
                    artifact_location=files_uri(self._results_dir) if is_local else None,
                    tags={_KIND_TAG: _KIND},
                )
                known = client.get_experiment(made)
                self._is_new = True
            if self._engine is not None:
                update_after_move(
                    self._engine, self.uri, self._results_dir, known.artifact_location
                )
        if known.lifecycle_stage != LifecycleStage.ACTIVE:
            raise StoreError(
                f"the experiment {self._name!r} was deleted in MLflow. Restore it there"
                f" (mlflow experiments restore --experiment-id {known.experiment_id}),"
                " or choose another experiment_id"
            )
        self._experiment_id = str(known.experiment_id)
        self._mark = f"{known.experiment_id}:{known.creation_time}"
        return client

    def find_runs(self, run_id: str) -> list[MlflowRun]:
        """Return the MLflow runs of a run, the oldest first."""
        client = self._opened
        if self._is_new:
            return []  # only one reporter at a time works on an experiment
        found = client.search_runs(
            [self._experiment_id],
            f"tags.`{RUN_ID_TAG}` = '{run_id}'",
            max_results=_MAXIMUM_NAMESAKES,
            order_by=["attributes.start_time ASC"],
        )
        return [
            MlflowRun(
                str(run.info.run_id), run.data.tags, run.data.params, int(run.info.start_time or 0)
            )
            for run in found
        ]

    def read_tags(self, mlflow_run_id: str) -> Mapping[str, str]:
        """Return the tags of an MLflow run."""
        return dict(self._opened.get_run(mlflow_run_id).data.tags)

    def has_run(self, mlflow_run_id: str) -> bool:
        """Return whether an MLflow run exists and is not deleted."""
        try:
            run = self._opened.get_run(mlflow_run_id)
        except MlflowException as error:
            if error.error_code == ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                return False
            raise
        return bool(run.info.lifecycle_stage == LifecycleStage.ACTIVE)

    def create_run(self, run_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Create the MLflow run of a run that began at ``start`` (ms) and return its MLflow ID."""
        client = self._opened
        was_new, self._is_new = self._is_new, False
        run = client.create_run(
            self._experiment_id,
            start_time=start,
            run_name=name,
            tags={RUN_ID_TAG: run_id, **tags},
        )
        self._is_new = was_new  # a run whose creation failed may exist nevertheless
        made = str(run.info.run_id)
        self._folders[made] = str(run.info.artifact_uri)
        return made

    def discard_run(self, mlflow_run_id: str) -> None:
        """Delete an MLflow run like MLflow's page does, so that it can be restored."""
        self._opened.delete_run(mlflow_run_id)

    def read_points(
        self, mlflow_run_id: str, on_progress: Callable[[], None] = lambda: None
    ) -> dict[tuple[str, int], float]:
        """Return the value of every point of a run in the store, by key and step.

        ``on_progress`` is called repeatedly, since there may be millions of points.
        """
        if self._engine is not None:
            return sqlite_bulk_access.read_points(self._engine, mlflow_run_id)
        points: dict[tuple[str, int], float] = {}
        for key in self._opened.get_run(mlflow_run_id).data.metrics:
            for point in self._opened.get_metric_history(mlflow_run_id, key):
                points[str(key), int(point.step)] = float(point.value)
            on_progress()
        return points

    def read_params(self, mlflow_run_id: str) -> Mapping[str, str]:
        """Return the parameters of an MLflow run."""
        return dict(self._opened.get_run(mlflow_run_id).data.params)

    def remove_repeated(self, mlflow_run_id: str, starts: Sequence[int]) -> None:
        """Remove the points that a later attempt has logged again, where the store allows that.

        ``starts`` are the times in ms at which attempts started, in order.
        """
        if self._engine is not None and len(starts) > 1:
            sqlite_bulk_access.remove_repeated(self._engine, mlflow_run_id, starts)

    def portions(self, samples: Sequence[MetricPoint]) -> list[Sequence[MetricPoint]]:
        """Return points in portions that fit into one request; at least one, possibly empty portion."""
        most = _MOST_TOGETHER if self.answers_late else max(len(samples), 1)
        return [samples[at : at + most] for at in range(0, max(len(samples), 1), most)]

    def send(
        self,
        mlflow_run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        samples: Sequence[MetricPoint] = (),
    ) -> None:
        """Send parameters, tags and points in as few requests as possible.

        Tags replace older values; parameters and points that have arrived already are not added
        again.
        """
        items: list[Item] = [Param(key, value) for key, value in (params or {}).items()]
        items += [RunTag(key, value) for key, value in (tags or {}).items()]
        is_bulk = self._engine is not None and len(samples) > _MOST_TOGETHER
        logged = _newest(samples) if is_bulk else samples
        items += [Metric(each.key, each.value, each.timestamp, each.step) for each in logged]
        for batch in _batches(items):
            self._opened.log_batch(
                mlflow_run_id,
                metrics=[each for each in batch if isinstance(each, Metric)],
                params=[each for each in batch if isinstance(each, Param)],
                tags=[each for each in batch if isinstance(each, RunTag)],
            )
        if is_bulk and self._engine is not None:
            sqlite_bulk_access.insert_points(self._engine, mlflow_run_id, samples)

    def set_state(self, mlflow_run_id: str, state: State, end: int | None) -> None:
        """Set the status of the MLflow run, with the ``end`` in ms of a finished one."""
        status = _STATUSES[state]
        if RunStatus.is_terminated(RunStatus.from_string(status)):
            self._opened.set_terminated(mlflow_run_id, status, end)
        else:
            self._opened.update_run(mlflow_run_id, status)

    def remove_tag(self, mlflow_run_id: str, key: str) -> None:
        """Remove a tag, unless it is removed already."""
        if key in self._opened.get_run(mlflow_run_id).data.tags:
            self._opened.delete_tag(mlflow_run_id, key)

    def send_file(self, mlflow_run_id: str, path: Path, name: str) -> None:
        """Upload a file as an artifact, under a name that may contain folders."""
        if mlflow_run_id not in self._folders:
            self._folders[mlflow_run_id] = self._opened.get_run(mlflow_run_id).info.artifact_uri
        # As `log_artifact` does, but without asking the store for the folder again.
        folder = get_artifact_repository(self._folders[mlflow_run_id], tracking_uri=self.uri)
        inside = str(PurePosixPath(name).parent)
        folder.log_artifact(str(path), None if inside == "." else inside)  # type: ignore[no-untyped-call] # MLflow left it untyped


def _newest(samples: Iterable[MetricPoint]) -> list[MetricPoint]:
    """Return the point of each key that MLflow shows as the latest."""
    newest: dict[str, MetricPoint] = {}
    for each in samples:
        known = newest.get(each.key)
        order = (each.step, each.timestamp, each.value)
        if known is None or order > (known.step, known.timestamp, known.value):
            newest[each.key] = each
    return list(newest.values())


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the items in order, in batches that fit into one request."""
    batch: list[Item] = []
    left = dict(_MOST)
    total = 0
    for item in items:
        needed = _size(item)
        is_full = len(batch) == _MOST_TOGETHER or not left[type(item)]
        if batch and (is_full or total + needed > _MAXIMUM_BYTES):
            yield batch
            batch, left, total = [], dict(_MOST), 0
        batch.append(item)
        left[type(item)] -= 1
        total += needed
    if batch:
        yield batch


def _size(item: Item) -> int:
    """Return the approximate number of bytes of an item in a request."""
    return len(json.dumps(item.key)) + len(json.dumps(item.value)) + 150
