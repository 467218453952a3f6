"""A run that is done is recognized by two small files; any other takes a full look."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.quick_look import observe_done
from orchestrator.rundir.records import now
from orchestrator.rundir.state import Record, State, Status


@pytest.fixture
def training(experiment: ExperimentDirectory) -> Iterator[int]:
    """Yield a descriptor of the folder of the run directories."""
    descriptor = os.open(experiment.training, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the directory of a run that has finished."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.DONE, 2, now(), "box", 1))
    return directory


def test_quick_look_at_a_done_run_agrees_with_a_full_one(
    directory: RunDirectory, training: int
) -> None:
    seen = observe_done(directory.run_id, training)
    assert seen is not None
    assert (seen.state, seen.attempts) == (State.DONE, 2)
    assert seen.state is directory.observe().state


@pytest.mark.parametrize("record", [Record.RUNNING, Record.FAILED, Record.INTERRUPTED])
def test_run_that_is_not_done_takes_a_full_look(
    directory: RunDirectory, training: int, record: Record
) -> None:
    directory.write_status(Status(record, 1, now(), "box", 1))
    assert observe_done(directory.run_id, training) is None


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_text("{"),
        lambda path: path.write_text('{"run_id": "f", "digest": "f"}'),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to("config.yaml")),
    ],
)
@pytest.mark.parametrize("name", ["status.json", "run.json"])
def test_damage_takes_a_full_look(
    directory: RunDirectory, training: int, damage: Callable[[Path], object], name: str
) -> None:
    damage(directory.path / name)
    assert observe_done(directory.run_id, training) is None


def test_missing_run_takes_a_full_look(training: int, runs: list[Run]) -> None:
    assert observe_done(runs[1].run_id, training) is None
