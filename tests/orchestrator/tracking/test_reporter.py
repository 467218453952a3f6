"""The reporter sends every point once, in whatever state it finds things."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.experiment import ExperimentDirectory
from orchestrator.identity import Run
from orchestrator.rundir import RunDirectory
from orchestrator.state import Record, State, Status
from orchestrator.tracking.delivery import read_delivery
from orchestrator.tracking.reporter import Reporter
from orchestrator.tracking.store import Sample

NAME = "0123456789abcdef"


@dataclass
class FakeStore:
    """Keeps what MLflow keeps, by MLflow's rules; ``fails_at`` counts calls until it breaks."""

    runs: dict[str, str] = field(default_factory=dict)
    samples: set[tuple[str, Sample]] = field(default_factory=set)
    params: dict[str, Mapping[str, str]] = field(default_factory=dict)
    states: dict[str, tuple[State, int | None]] = field(default_factory=dict)
    calls: int = 0
    fails_at: int = 0

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise ConnectionError("the store is away")

    def find_run(self, run_id: str) -> str | None:
        self._call()
        return self.runs.get(run_id)

    def create_run(self, run_id: str, name: str, start: int, tags: Mapping[str, str]) -> str:
        del name, start, tags
        assert run_id not in self.runs
        self.runs[run_id] = f"mlflow-{run_id}"
        self._call()
        return self.runs[run_id]

    def set_tags(self, mlflow_run_id: str, tags: Mapping[str, str]) -> None:
        del mlflow_run_id, tags
        self._call()

    def send_params(self, mlflow_run_id: str, params: Mapping[str, str]) -> None:
        self._call()
        assert self.params.setdefault(mlflow_run_id, params) == params

    def send_samples(self, mlflow_run_id: str, samples: Sequence[Sample]) -> None:
        self.samples.update((mlflow_run_id, sample) for sample in samples)
        self._call()

    def set_state(self, mlflow_run_id: str, state: State, end: int | None) -> None:
        self.states[mlflow_run_id] = (state, end)
        self._call()


def append(directory: RunDirectory, *steps: int, end: str = "\n") -> None:
    """Append a point a step, as a trainer does."""
    points = (
        json.dumps({"key": "loss", "value": 1 / step, "step": step, "timestamp": 1000 + step})
        for step in steps
    )
    with directory.metrics.open("a") as file:
        file.write("\n".join(points) + end)


def ended(record: Record, attempt: int = 1) -> Status:
    moment = "2026-01-01T00:00:00.000+00:00"
    return Status(record, attempt, moment, "box", 1, ended_at=moment)


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the directory of a run that is done and has reported three points."""
    made = experiment.create(runs[0])
    append(made, 1, 2, 3)
    made.write_status(ended(Record.DONE))
    return made


def report(experiment: ExperimentDirectory, store: FakeStore) -> tuple[int, int]:
    """Let a reporter that knows nothing make one round."""
    return Reporter(experiment, store, NAME).round(send=True)  # type: ignore[arg-type]


def steps(store: FakeStore) -> list[int]:
    return sorted(sample.step for _, sample in store.samples)


def test_done_run_arrives_whole(experiment: ExperimentDirectory, directory: RunDirectory) -> None:
    """Its points, parameters, state and end are there, and nothing is left to send."""
    store = FakeStore()
    assert report(experiment, store) == (0, 0)
    (run,) = store.runs.values()
    assert steps(store) == [1, 2, 3]
    assert store.params[run] == {"seed": "0", "lr": "0.1"}
    assert store.states[run] == (State.DONE, 1767225600000)
    assert read_delivery(directory, NAME) is not None


def test_second_round_sends_nothing(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """What has arrived is remembered beside the run, and the run itself is not touched."""
    before = {path: path.stat().st_mtime_ns for path in [directory.path, *directory.path.iterdir()]}
    store = FakeStore()
    report(experiment, store)
    calls = store.calls
    report(experiment, store)
    assert store.calls == calls
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_store_that_breaks_at_any_call_ends_with_each_point_once(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """A reporter that dies anywhere is followed by one that finishes its work."""
    reference = FakeStore()
    report(experiment, reference)
    total = reference.calls
    for fails_at in range(1, total + 1):
        directory.delivery.unlink(missing_ok=True)
        store = FakeStore(fails_at=fails_at)
        with pytest.raises(ConnectionError):
            report(experiment, store)
        assert report(experiment, store) == (0, 0)
        assert store.samples == reference.samples
        assert store.states == reference.states
        assert len(store.runs) == 1


def test_point_that_is_still_being_written_waits(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Only whole lines are sent; the rest is sent when its line is whole."""
    directory = experiment.create(runs[0])
    directory.write_status(ended(Record.RUNNING))
    append(directory, 1, 2, end="")
    store = FakeStore()
    report(experiment, store)
    assert steps(store) == [1]
    append(directory, 3, end="")
    report(experiment, store)
    assert steps(store) == [1]


def test_torn_last_line_of_a_dead_run_is_not_waited_for(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """Nobody will complete it; everything that can arrive has arrived."""
    directory = experiment.create(runs[0])
    directory.write_status(ended(Record.RUNNING))
    append(directory, 1, 2, end="")
    assert report(experiment, FakeStore()) == (0, 0)


def test_run_that_goes_on_is_told_again(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    """Interrupted, then done: MLflow learns of both, in the same MLflow run."""
    directory = experiment.create(runs[0])
    store = FakeStore()
    for record, attempt, state in (
        (Record.INTERRUPTED, 1, State.STALE),
        (Record.FAILED, 2, State.FAILED),
        (Record.DONE, 3, State.DONE),
    ):
        directory.write_status(ended(record, attempt))
        append(directory, attempt)
        report(experiment, store)
        assert [told for told, _ in store.states.values()] == [state]
    assert steps(store) == [1, 2, 3]


def test_run_that_has_not_begun_is_not_reported(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """There is nothing to tell of it."""
    experiment.create(runs[0])
    store = FakeStore()
    assert report(experiment, store) == (0, 0)
    assert store.runs == {}


def test_another_store_gets_everything(
    experiment: ExperimentDirectory, directory: RunDirectory
) -> None:
    """What has arrived at one store has not arrived at another."""
    report(experiment, FakeStore())
    assert read_delivery(directory, "another store") is None


def test_line_that_is_no_point_is_passed_over(
    experiment: ExperimentDirectory, directory: RunDirectory, tmp_path: Path
) -> None:
    """Foreign programs may write anything; the points around it arrive."""
    del tmp_path
    with directory.metrics.open("a") as file:
        file.write('nonsense\n{"key": "loss"}\n')
        file.write('{"key": "loss", "value": "NaN", "step": 4, "timestamp": 5}\n')
    store = FakeStore()
    assert report(experiment, store) == (0, 0)
    assert steps(store) == [1, 2, 3, 4]
