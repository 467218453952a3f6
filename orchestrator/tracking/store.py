"""The MLflow store: the only module that imports MLflow, in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.tracking import MlflowClient

from orchestrator import durable
from orchestrator.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAXIMUM_METRICS: Final = 1000
_MAXIMUM_PARAMS: Final = 100
_LONGEST_VALUE: Final = 6000
_CUT: Final = " ... (cut; config.yaml has it whole)"
_RUN_ID_TAG: Final = "orch.run_id"
_STATUSES: Final[Mapping[State, str]] = {
    State.PENDING: "SCHEDULED",
    State.RUNNING: "RUNNING",
    State.STALE: "KILLED",
    State.FAILED: "FAILED",
    State.DONE: "FINISHED",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One point of a metric; ``timestamp`` in ms never changes, so sending it again adds nothing."""

    key: str
    value: float
    step: int
    timestamp: int


class Store:
    """One experiment in an MLflow store."""

    def __init__(self, uri: str, experiment: str, results_dir: Path) -> None:
        self._uri = uri
        self._experiment = experiment
        self._results_dir = results_dir
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    def _open(self) -> MlflowClient:
        """Open the store, and create it and the experiment where they do not exist.

        Two processes that create one SQLite store break it for good, hence the lock.
        """
        with durable.exclusive(self._results_dir):
            client = MlflowClient(tracking_uri=self._uri)
            known = client.get_experiment_by_name(self._experiment)
            if known is None:
                # MLflow's own default would be a folder wherever orch happens to be called.
                is_local = self._uri.startswith("sqlite:")
                artifacts = (self._results_dir / "mlartifacts").absolute().as_uri()
                self._experiment_id = client.create_experiment(
                    self._experiment, artifact_location=artifacts if is_local else None
                )
            else:
                self._experiment_id = known.experiment_id
        return client

    def find_run(self, run_id: str) -> str | None:
        """Return the MLflow run of a run, or None if there is none yet."""
        found = self._opened.search_runs(
            [self._experiment_id], f"tags.`{_RUN_ID_TAG}` = '{run_id}'", max_results=1
        )
        return str(found[0].info.run_id) if found else None

    def create_run(self, run_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        """Create the MLflow run of a run that began at ``start`` (ms) and return its MLflow ID."""
        run = self._opened.create_run(
            self._experiment_id,
            start_time=start,
            run_name=name,
            tags={_RUN_ID_TAG: run_id, **tags},
        )
        return str(run.info.run_id)

    def set_tags(self, mlflow_run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags, replacing older values."""
        items = [RunTag(key, value) for key, value in tags.items()]
        self._opened.log_batch(mlflow_run_id, tags=items)

    def send_params(self, mlflow_run_id: str, params: Mapping[str, str]) -> None:
        """Send the parameters; what has arrived already is left as it is."""
        items = [Param(key, _fit(value)) for key, value in params.items()]
        for start in range(0, len(items), _MAXIMUM_PARAMS):
            batch = items[start : start + _MAXIMUM_PARAMS]
            self._opened.log_batch(mlflow_run_id, params=batch)

    def send_samples(self, mlflow_run_id: str, samples: Sequence[Sample]) -> None:
        """Send points; those that have arrived already are not added again."""
        items = [Metric(each.key, each.value, each.timestamp, each.step) for each in samples]
        for start in range(0, len(items), MAXIMUM_METRICS):
            batch = items[start : start + MAXIMUM_METRICS]
            self._opened.log_batch(mlflow_run_id, metrics=batch)

    def set_state(self, mlflow_run_id: str, state: State, end: int | None) -> None:
        """Say how the run stands; ``end`` in ms, where it has ended."""
        status = _STATUSES[state]
        if RunStatus.is_terminated(RunStatus.from_string(status)):
            self._opened.set_terminated(mlflow_run_id, status, end)
        else:
            self._opened.update_run(mlflow_run_id, status)

    @property
    def _opened(self) -> MlflowClient:
        if self._client is None:
            self._client = self._open()
        return self._client


def _fit(value: str) -> str:
    if len(value) <= _LONGEST_VALUE:
        return value
    return value[: _LONGEST_VALUE - len(_CUT)] + _CUT
