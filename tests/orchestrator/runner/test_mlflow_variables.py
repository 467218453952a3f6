"""A program gets the variables of its MLflow run all together, or not at all."""

from __future__ import annotations

import os
import select
import signal

import pytest
from attempts import PYTHON, carry_out, runner_of, start, until_free

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.mlflow_run_request import Answer, Bell, read_answer, write_answer
from orchestrator.rundir.state import State
from orchestrator.runner.mlflow_variables import await_answer, is_asked_for, with_variables
from orchestrator.runner.runner import Verdict

HANDED_OVER = {
    "ORCH_SHARED_MLFLOW_TRACKING_URI": "sqlite:////x.db",
    "ORCH_SHARED_MLFLOW_EXPERIMENT_NAME": "first",
}
OF_THE_USER = {"MLFLOW_TRACKING_URI": "http://mine", "MLFLOW_EXPERIMENT_ID": "7", "A": "b"}
SCRIPT = (
    "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items() if k.startswith('MLFLOW')))"
)


def test_program_gets_the_store_and_the_run() -> None:
    """An experiment's ID of the user's would contradict the name."""
    assert with_variables({**OF_THE_USER, **HANDED_OVER}, "abc") == {
        "A": "b",
        "MLFLOW_TRACKING_URI": "sqlite:////x.db",
        "MLFLOW_EXPERIMENT_NAME": "first",
        "MLFLOW_RUN_ID": "abc",
    }


def test_without_a_run_the_environment_is_that_of_the_user() -> None:
    assert with_variables({**OF_THE_USER, **HANDED_OVER}, "") == OF_THE_USER
    assert is_asked_for(HANDED_OVER)
    assert not is_asked_for(OF_THE_USER)


def test_answer_to_another_attempt_does_not_count(directory: RunDirectory) -> None:
    write_answer(directory.path, Answer(1, "old"))
    late = await_answer(directory.path, 2, lambda: False, patience=0.0)
    assert (late.mlflow_run_id, late.problem) == ("", "MLflow did not answer within 120 s")
    assert read_answer(directory.path) == late
    write_answer(directory.path, Answer(2, "new"))
    assert await_answer(directory.path, 2, lambda: False) == Answer(2, "new")


def test_user_who_wants_an_end_does_not_wait(directory: RunDirectory) -> None:
    answer = await_answer(directory.path, 1, lambda: True)
    assert answer == Answer(1, problem="it was asked to stop first")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand over what programs need to find MLflow."""
    for name, value in HANDED_OVER.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("shared")
def test_program_of_an_attempt_is_given_its_run(directory: RunDirectory) -> None:
    write_answer(directory.path, Answer(1, "abc"))
    carry_out(directory, PYTHON, "-c", SCRIPT)
    assert directory.attempt_log(1).read_text() == (
        "MLFLOW_EXPERIMENT_NAME=first MLFLOW_RUN_ID=abc MLFLOW_TRACKING_URI=sqlite:////x.db\n"
    )


@pytest.mark.usefixtures("shared")
def test_program_starts_without_mlflow_and_says_so(directory: RunDirectory) -> None:
    write_answer(directory.path, Answer(1, problem="the store is damaged"))
    carry_out(directory, PYTHON, "-c", SCRIPT)
    log = directory.attempt_log(1).read_text()
    assert log == "orch: MLFLOW_RUN_ID is not set: the store is damaged\n\n"
    assert directory.notices() == ("attempt 1 ran without MLFLOW_RUN_ID: the store is damaged",)


@pytest.mark.usefixtures("shared")
def test_run_counts_as_running_while_it_waits(directory: RunDirectory) -> None:
    """The reporter answers for live runs only, and is woken when it can."""
    bell = Bell(directory.path.parents[1])
    bell.listen()
    with start(directory, PYTHON, "-c", SCRIPT) as runner:
        select.select([*bell.descriptors], [], [])
        seen = directory.observe()
        assert (seen.state, seen.attempts) == (State.RUNNING, 1)
        write_answer(directory.path, Answer(1, "abc"))
        assert runner.wait() == Verdict.DONE
    bell.close()
    assert "MLFLOW_RUN_ID=abc" in directory.attempt_log(1).read_text()


@pytest.mark.usefixtures("shared")
def test_run_that_is_killed_while_it_waits_is_stale(directory: RunDirectory) -> None:
    """Its program has not started, so there is nothing to take over."""
    bell = Bell(directory.path.parents[1])
    bell.listen()
    with start(directory, "true") as keeper:
        select.select([*bell.descriptors], [], [])
        os.kill(runner_of(directory), signal.SIGKILL)
        keeper.wait()
        keeper.communicate()
    bell.close()
    until_free(directory)
    assert directory.observe().state is State.STALE
    assert not directory.attempt_log(1).exists()
