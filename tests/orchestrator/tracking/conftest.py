"""What the tests of tracking share: runs that have left something, and a store that may break."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, State, Status
from orchestrator.tracking.metrics_file_points import MetricPoint
from orchestrator.tracking.store import MlflowRun

sys.path.append(str(Path(__file__).parent))  # for the helpers of these tests

Append = Callable[..., None]


@dataclass
class FakeRun:
    name: str
    start: int
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    samples: set[MetricPoint] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    state: State | None = None
    end: int | None = None
    is_deleted: bool = False


@dataclass
class FakeStore:
    """``fails_at`` counts calls until one breaks, after its work is done: the answer is lost."""

    runs: dict[str, FakeRun] = field(default_factory=dict)
    mark: str = "1:1"
    calls: int = 0
    fails_at: int = 0
    is_away: bool = False
    answers_late: bool = True
    uri: str = "http://store"
    starts: list[int] = field(default_factory=list)

    def _call(self) -> None:
        self.calls += 1
        if self.is_away or self.calls == self.fails_at:
            raise ConnectionError("Connection refused")

    def _active(self, mlflow_run_id: str) -> FakeRun:
        run = self.runs[mlflow_run_id]
        assert not run.is_deleted
        return run

    def find_runs(self, run_id: str) -> list[MlflowRun]:
        self._call()
        return [
            MlflowRun(each, run.tags, run.params, run.start)
            for each, run in self.runs.items()
            if run.tags["orch.run_id"] == run_id and not run.is_deleted
        ]

    def has_run(self, mlflow_run_id: str) -> bool:
        if self.is_away:
            raise ConnectionError("Connection refused")
        return mlflow_run_id in self.runs and not self.runs[mlflow_run_id].is_deleted

    def create_run(self, run_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        made = f"mlflow-{len(self.runs)}"
        self.runs[made] = FakeRun(name, start, {"orch.run_id": run_id, **tags})
        self._call()
        return made

    def discard_run(self, mlflow_run_id: str) -> None:
        self._active(mlflow_run_id).is_deleted = True
        self._call()

    def read_points(
        self, mlflow_run_id: str, on_progress: Callable[[], None] = lambda: None
    ) -> dict[tuple[str, int], float]:
        self._call()
        on_progress()
        return {(each.key, each.step): each.value for each in self._active(mlflow_run_id).samples}

    def read_tags(self, mlflow_run_id: str) -> dict[str, str]:
        self._call()
        return dict(self._active(mlflow_run_id).tags)

    def read_params(self, mlflow_run_id: str) -> dict[str, str]:
        self._call()
        return dict(self._active(mlflow_run_id).params)

    def remove_repeated(self, mlflow_run_id: str, starts: Sequence[int]) -> None:
        self._active(mlflow_run_id)
        self.starts = list(starts)

    def portions(self, samples: Sequence[MetricPoint]) -> list[Sequence[MetricPoint]]:
        return [samples]

    def send(
        self,
        mlflow_run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        samples: Sequence[MetricPoint] = (),
    ) -> None:
        run = self._active(mlflow_run_id)
        for key, value in (params or {}).items():
            assert run.params.setdefault(key, value) == value
        run.tags.update(tags or {})
        run.samples.update(samples)
        self._call()

    def set_state(self, mlflow_run_id: str, state: State, end: int | None) -> None:
        run = self._active(mlflow_run_id)
        run.state, run.end = state, end
        self._call()

    def remove_tag(self, mlflow_run_id: str, key: str) -> None:
        self._active(mlflow_run_id).tags.pop(key, None)
        self._call()

    def send_file(self, mlflow_run_id: str, path: Path, name: str) -> None:
        self._active(mlflow_run_id).files[name] = path.read_bytes()
        self._call()

    @property
    def run(self) -> FakeRun:
        """The only run that is not deleted."""
        (run,) = (each for each in self.runs.values() if not each.is_deleted)
        return run

    @property
    def steps(self) -> list[int]:
        return sorted(each.step for each in self.run.samples)


@pytest.fixture
def new_store() -> type[FakeStore]:
    """Return what makes a store."""
    return FakeStore


@pytest.fixture
def store() -> FakeStore:
    """Return a store without runs."""
    return FakeStore()


@pytest.fixture
def append() -> Append:
    """Return what appends one point per step, as a trainer does."""

    def append_points(
        directory: RunDirectory, *steps: int, end: str = "\n", at: int = 1000
    ) -> None:
        points = (
            json.dumps({"key": "loss", "value": 1 / step, "step": step, "timestamp": at + step})
            for step in steps
        )
        with directory.metrics.open("a") as file:
            file.write("\n".join(points) + end)

    return append_points


@pytest.fixture
def ended() -> Callable[..., Status]:
    """Return what makes the status of an attempt."""

    def make(record: Record, attempt: int = 1) -> Status:
        moment = "2026-01-01T00:00:00.000+00:00"
        return Status(record, attempt, moment, "box", 1, ended_at=moment)

    return make


@pytest.fixture
def directory(
    experiment: ExperimentDirectory, runs: list[Run], append: Append, ended: Callable[..., Status]
) -> RunDirectory:
    """Return the directory of a run that is done and has reported three points."""
    made = experiment.create(runs[0])
    append(made, 1, 2, 3)
    made.write_status(ended(Record.DONE))
    return made


@pytest.fixture
def lines(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a file of points."""

    def write(*texts: str, end: str = "\n") -> Path:
        path = tmp_path / "metrics.jsonl"
        path.write_text("\n".join(texts) + end)
        return path

    return write


@pytest.fixture
def channel() -> Iterator[tuple[int, int]]:
    """Return a pipe that nobody waits for."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)
