"""The command launcher starts a runner per attempt, in processes of its own."""

import os
import select
import sys
import time

import pytest

from orchestrator.errors import ConfigError
from orchestrator.grid.identity import Run
from orchestrator.launchers.command import CommandAttempt, CommandLauncher
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, State, Status


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the directory of a run that has not run yet."""
    return experiment.create(runs[0])


def end_of(attempt: CommandAttempt) -> str:
    """Return what the runner complained about, once it has ended."""
    assert select.select([attempt], [], [], 60)[0]
    return attempt.close()


def test_program_gets_its_placeholders_and_the_environment_of_its_slot(
    directory: RunDirectory, runs: list[Run]
) -> None:
    command = ["sh", "-c", "echo $CUDA_VISIBLE_DEVICES {lr} {run_id}"]
    environment = {"CUDA_VISIBLE_DEVICES": "GPU-0"}
    assert end_of(CommandLauncher(command).start(runs[0], directory, 1, environment)) == ""
    assert directory.observe().state is State.DONE
    assert directory.attempt_log(1).read_text() == f"GPU-0 0.1 {runs[0].run_id}\n"


def test_unknown_placeholder_starts_nothing(directory: RunDirectory, runs: list[Run]) -> None:
    with pytest.raises(ConfigError, match="widht"):
        CommandLauncher(["echo", "{widht}"]).start(runs[0], directory, 1, {})
    assert directory.observe().state is State.PENDING


@pytest.mark.parametrize("how", ["ask_to_stop", "end_at_once"])
def test_program_is_stopped_through_its_runner(
    directory: RunDirectory, runs: list[Run], how: str
) -> None:
    script = "import signal; print('ready', flush=True); signal.pause()"
    attempt = CommandLauncher([sys.executable, "-c", script]).start(runs[0], directory, 1, {})
    until_running(directory)
    getattr(attempt, how)()
    assert end_of(attempt) == ""
    seen = directory.observe().status
    assert isinstance(seen, Status)
    assert seen.record is Record.INTERRUPTED


def test_runner_that_does_not_respond_can_be_abandoned(
    directory: RunDirectory, runs: list[Run]
) -> None:
    """Its program ends with nobody left to record that; the run can be resumed."""
    attempt = CommandLauncher(["sh", "-c", "exec sleep 999"]).start(runs[0], directory, 1, {})
    until_running(directory)
    attempt.abandon()
    attempt.abandon()  # it may be gone already
    end_of(attempt)
    for pid in directory.observe().survivors:
        os.kill(pid, 9)


def test_complaint_of_the_runner_is_returned(directory: RunDirectory, runs: list[Run]) -> None:
    directory.lock.path.unlink()
    assert "is missing" in end_of(CommandLauncher(["true"]).start(runs[0], directory, 1, {}))


def until_running(directory: RunDirectory) -> None:
    """Return once the program runs: its output, or its status, says so."""
    while not isinstance(directory.read_status(), Status):
        time.sleep(0.002)
