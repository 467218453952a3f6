"""The MLflow store: the only module that imports MLflow, in a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from mlflow.entities import LifecycleStage, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from orchestrator.errors import OrchestratorError
from orchestrator.rundir import durable
from orchestrator.rundir.state import State
from orchestrator.tracking.delivery import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.tracking.metric_points import Sample

Item: TypeAlias = "Param | RunTag | Metric"
RUN_ID_TAG: Final = "orch.run_id"
# Lets MLflow's page show trainings, where it would ask for conversations otherwise.
_KIND_TAG: Final = "mlflow.experimentKind"
_KIND: Final = "custom_model_development"
_MOST: Final[Mapping[type[Item], int]] = {Param: 100, RunTag: 100, Metric: 1000}
_MOST_TOGETHER: Final = 1000
_MAXIMUM_BYTES: Final = 900_000  # of a request; MLflow's limit is a million
_MAXIMUM_NAMESAKES: Final = 100
_LONGEST_NAME: Final = 500
_STATUSES: Final[Mapping[State, str]] = {
    State.PENDING: "SCHEDULED",
    State.RUNNING: "RUNNING",
    State.STALE: "KILLED",
    State.FAILED: "FAILED",
    State.DONE: "FINISHED",
}


class StoreError(OrchestratorError):
    """The store says clearly what the user has to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run that is in the store: its MLflow ID, tags and parameters."""

    mlflow_run_id: str
    tags: Mapping[str, str]
    params: Mapping[str, str]


class Store:
    """One experiment in an MLflow store, which is opened when it is needed first."""

    def __init__(self, uri: str, experiment: str, results_dir: Path) -> None:
        self._uri = uri
        self._name = experiment[:_LONGEST_NAME]
        self._results_dir = results_dir
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._mark = ""
        self._artifacts = ""
        self._is_new = False
        self._folders: dict[str, str] = {}  # of the runs' files, by MLflow run ID

    @property
    def answers_late(self) -> bool:
        """Tell whether what it was asked may happen after it was given up: so servers do."""
        return sqlite_file(self._uri) is None

    @property
    def mark(self) -> str:
        """What tells this experiment from one of the same name that was made anew."""
        _ = self._opened
        return self._mark

    @property
    def _opened(self) -> MlflowClient:
        if self._client is None:
            self._client = self._open()
        return self._client

    def _open(self) -> MlflowClient:
        """Open the store, and create it and the experiment where they do not exist.

        Two processes that create one SQLite store break it for good, hence the lock.
        """
        with durable.exclusive(self._results_dir):
            _make_whole(self._uri)
            client = MlflowClient(tracking_uri=self._uri)
            known = client.get_experiment_by_name(self._name)
            if known is None:
                # MLflow's own default would be a folder wherever orch happens to be called.
                is_local = self._uri.startswith("sqlite:")
                artifacts = (self._results_dir / "mlartifacts").absolute().as_uri()
                made = client.create_experiment(
                    self._name,
                    artifact_location=artifacts if is_local else None,
                    tags={_KIND_TAG: _KIND},
                )
                known = client.get_experiment(made)
                self._is_new = True
        if known.lifecycle_stage != LifecycleStage.ACTIVE:
            raise StoreError(
                f"the experiment {self._name!r} was deleted in MLflow. Restore it there"
                f" (mlflow experiments restore --experiment-id {known.experiment_id}),"
                " or choose another experiment_id"
            )
        self._artifacts = str(known.artifact_location)
        self._experiment_id = str(known.experiment_id)
        self._mark = f"{known.experiment_id}:{known.creation_time}"
        return client

    def find_runs(self, run_id: str) -> list[Found]:
        """Return what is in the store of a run, the oldest first."""
        client = self._opened
        if self._is_new:
            return []  # whoever reports these directories waits for its turn: nobody else was here
        found = client.search_runs(
            [self._experiment_id],
            f"tags.`{RUN_ID_TAG}` = '{run_id}'",
            max_results=_MAXIMUM_NAMESAKES,
            order_by=["attributes.start_time ASC"],
        )
        return [Found(str(run.info.run_id), run.data.tags, run.data.params) for run in found]

    def has_run(self, mlflow_run_id: str) -> bool:
        """Tell whether an MLflow run is there, and not deleted."""
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
        self._is_new = was_new  # whose creation was refused may be there all the same
        made = str(run.info.run_id)
        self._folders[made] = str(run.info.artifact_uri)
        return made

    def discard_run(self, mlflow_run_id: str) -> None:
        """Delete an MLflow run, as its page does: it can be restored."""
        self._opened.delete_run(mlflow_run_id)

    def read_points(self, mlflow_run_id: str) -> dict[tuple[str, int], float]:
        """Return the value of every point that the store has of a run, by key and step."""
        keys = self._opened.get_run(mlflow_run_id).data.metrics
        return {
            (str(key), int(point.step)): float(point.value)
            for key in keys
            for point in self._opened.get_metric_history(mlflow_run_id, key)
        }

    def send(
        self,
        mlflow_run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        samples: Sequence[Sample] = (),
    ) -> None:
        """Send parameters, tags and points, in as few requests as they fit into.

        Tags replace older values; parameters and points that have arrived already are left as they
        are, and not added again.
        """
        items: list[Item] = [Param(key, value) for key, value in (params or {}).items()]
        items += [RunTag(key, value) for key, value in (tags or {}).items()]
        items += [Metric(each.key, each.value, each.timestamp, each.step) for each in samples]
        for batch in _batches(items):
            self._opened.log_batch(
                mlflow_run_id,
                metrics=[each for each in batch if isinstance(each, Metric)],
                params=[each for each in batch if isinstance(each, Param)],
                tags=[each for each in batch if isinstance(each, RunTag)],
            )

    def set_state(self, mlflow_run_id: str, state: State, end: int | None) -> None:
        """Say how the run stands; ``end`` in ms, where it has ended."""
        status = _STATUSES[state]
        if RunStatus.is_terminated(RunStatus.from_string(status)):
            self._opened.set_terminated(mlflow_run_id, status, end)
        else:
            self._opened.update_run(mlflow_run_id, status)

    def send_file(self, mlflow_run_id: str, path: Path, name: str) -> None:
        """Keep a file with the run, under a name that may have folders.

        Raises:
            StoreError: The files would go to a place that is not the store's any more.
        """
        self._require_place()
        if mlflow_run_id not in self._folders:
            self._folders[mlflow_run_id] = self._opened.get_run(mlflow_run_id).info.artifact_uri
        # What `log_artifact` does too, but for asking the store again where the folder is.
        folder = get_artifact_repository(self._folders[mlflow_run_id], tracking_uri=self._uri)
        inside = str(PurePosixPath(name).parent)
        folder.log_artifact(str(path), None if inside == "." else inside)  # type: ignore[no-untyped-call] # MLflow left it untyped

    def _require_place(self) -> None:
        """Make sure that our own store, if it was moved, does not write where it was before."""
        place = urlsplit(self._artifacts)
        folder = Path(unquote(place.path))
        is_ours = self._uri.startswith("sqlite:") and place.scheme == "file"
        if is_ours and not _nearest(folder).is_relative_to(self._results_dir.resolve()):
            raise StoreError(
                f"the store keeps its files in {folder}, which is not here any more."
                " Choose another experiment_id, or orch.tracking.artifacts=false"
            )


def _make_whole(uri: str) -> None:
    """Create a new SQLite store beside its place, and rename it: half a store is broken for good."""
    path = sqlite_file(uri)
    if path is None or path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 # not for servers

    unfinished = path.with_name(f".{path.name}.new")
    for leftover in unfinished.parent.glob(f"{unfinished.name}*"):
        leftover.unlink()
    made = SqlAlchemyStore(f"sqlite:///{unfinished}", "mlruns")  # type: ignore[no-untyped-call] # MLflow left it untyped
    made.engine.dispose()
    unfinished.rename(path)


def _nearest(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), path).resolve()


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the items in batches that fit into one request, in their order."""
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
    """Return how many bytes an item takes in a request, about."""
    return len(json.dumps(item.key)) + len(json.dumps(item.value)) + 150
