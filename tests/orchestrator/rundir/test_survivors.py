"""A run lives while any process of it does, also where nobody is left who could hold its lock."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.run_summary import report_on
from orchestrator.rundir.state import Record, State, Status
from orchestrator.rundir.survivors import Survivors


@pytest.fixture
def stale(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the directory of a run whose attempt nobody keeps any more."""
    directory = experiment.create(runs[0])
    directory.write_status(Status(Record.RUNNING, 2, now(), "box", 1))
    return directory


@contextmanager
def survivor(directory: RunDirectory, *command: str) -> Iterator[subprocess.Popen[str]]:
    """Have a process of a run live, which has nothing of it but its environment."""
    environment = {**os.environ, "ORCH_RUN_DIR": str(directory.path.resolve())}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command or ["cat"], env=environment, stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield process


def test_run_with_a_survivor_is_running_and_its_directory_stays(
    experiment: ExperimentDirectory, stale: RunDirectory
) -> None:
    """Every look says so, with the process; what removes directories leaves it alone."""
    with survivor(stale) as process:
        (seen,) = experiment.observe([stale.run_id]).values()
        for each in (seen, stale.observe(), report_on(stale).seen):
            assert each.state is State.RUNNING
            assert each.reason == (
                f"process {process.pid} of attempt 2 still lives, nothing is saved yet"
            )
        assert experiment.remove(stale.run_id) == "a process of it is live"
        assert stale.path.is_dir()
    assert stale.observe().state is State.STALE
    assert experiment.remove(stale.run_id) == ""
    assert not stale.path.exists()


def test_several_survivors_are_counted(stale: RunDirectory) -> None:
    """One is named."""
    with survivor(stale), survivor(stale):
        assert " and 1 more of attempt 2 still lives" in stale.observe().reason


@pytest.mark.parametrize("record", [Record.DONE, Record.FAILED])
def test_recorded_end_needs_no_look_at_processes(stale: RunDirectory, record: Record) -> None:
    """The runner that recorded it had waited for all of them."""
    stale.write_status(Status(record, 2, now(), "box", 1))
    with survivor(stale):
        assert stale.observe().state is State(record.value)


def test_one_look_serves_many_runs(experiment: ExperimentDirectory, runs: list[Run]) -> None:
    """The processes are those at its first question."""
    directories = [experiment.create(run) for run in runs[:2]]
    survivors = Survivors()
    assert survivors.of(directories[0].path) == ()
    with survivor(directories[1]) as process:
        assert survivors.of(directories[1].path) == ()
        assert Survivors().of(directories[1].path) == (process.pid,)


def test_whoever_looks_is_no_survivor_nor_what_it_was_started_from(stale: RunDirectory) -> None:
    """A shell that has the variable for debugging would keep its own run from ever being resumed."""
    script = (
        "from pathlib import Path; from orchestrator.rundir.directory import RunDirectory;"
        f"print(RunDirectory(Path({str(stale.path)!r})).observe().state.value)"
    )
    look = f"{sys.executable} -c {script!r}; true"  # a shell that stays
    with survivor(stale, "sh", "-c", look) as shell:
        said, _ = shell.communicate()
    assert said == "stale\n"
