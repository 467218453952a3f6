"""What a program hears when it is asked to stop, and what its exit code means then."""

import json
import os
import signal
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, State, Status
from orchestrator.runner.runner import Verdict
from orchestrator.runner.stop_request_rules import ASKING, StopRules
from orchestrator.runner.time_limits import NO_LIMITS, Limits

RESULTS = 'echo \'{"test": {"x": 1}}\' > $ORCH_RUN_DIR/results.json'


def progress(iteration: int) -> str:
    content = json.dumps({"iteration": iteration, "iterations": 30})
    return f"echo '{content}' > $ORCH_RUN_DIR/progress.json"


def start(
    directory: RunDirectory, script: str, *, limits: Limits = NO_LIMITS, attempt: int = 1
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrator.runner", str(directory.path), str(attempt)]
    return subprocess.Popen(
        [*command, *limits.as_arguments(), "0", "sh", "-c", script],
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def asked(
    directory: RunDirectory, told: Path, then: str, *, before: str = ":", stop: StopRules
) -> Verdict:
    """Ask a program to stop, which does ``then``; return the verdict on its exit code 0."""
    name = stop.signal.name.removeprefix("SIG")
    wait = f"trap '{then}; exit 0' {name}; echo ready > {told}; while :; do sleep 0.02; done"
    with start(directory, f"{before}; {wait}", limits=Limits(stop=stop)) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    return Verdict(runner.returncode)


def recorded(directory: RunDirectory) -> Status:
    status = directory.read_status()
    assert isinstance(status, Status)
    return status


def quoted(shell: str) -> str:
    """Return a shell command for use within single quotes."""
    return shell.replace("'", "'\\''")


@pytest.mark.parametrize("then", [":", progress(7), "echo bye"])
def test_exit_code_zero_after_a_request_is_not_the_end_of_the_training(
    directory: RunDirectory, told: Path, then: str
) -> None:
    """A program that saves and exits in order was recorded as done, at 7 of 30."""
    assert asked(directory, told, quoted(then), stop=StopRules()) is Verdict.INTERRUPTED
    assert recorded(directory).exit_code == 0
    seen = directory.observe()
    assert seen.state is State.STALE
    assert seen.reason.startswith("it was asked to stop (it exited with code 0, without results)")


@pytest.mark.parametrize("then", [RESULTS, progress(30), progress(31)])
def test_program_that_shows_that_it_finished_is_done(
    directory: RunDirectory, told: Path, then: str
) -> None:
    """Results, or progress to the last iteration: the request came too late."""
    assert asked(directory, told, quoted(then), stop=StopRules()) is Verdict.DONE
    assert directory.observe().state is State.DONE


@pytest.mark.parametrize("before", [RESULTS, progress(30)])
def test_what_an_earlier_attempt_showed_does_not_count(
    directory: RunDirectory, told: Path, before: str
) -> None:
    """It may have restarted from the beginning since."""
    with start(directory, f"{before}; exit 1") as failed:
        pass
    assert failed.returncode == Verdict.FAILED
    script = f"trap 'exit 0' TERM; echo ready > {told}; while :; do sleep 0.02; done"
    with start(directory, script, attempt=2) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    assert runner.returncode == Verdict.INTERRUPTED


def test_config_may_say_that_exit_code_zero_is_done_whatever_was_asked(
    directory: RunDirectory, told: Path
) -> None:
    """A program that always works to its end says so."""
    assert asked(directory, told, ":", stop=StopRules(zero_is_done=True)) is Verdict.DONE


def test_exit_code_zero_without_a_request_is_done(directory: RunDirectory) -> None:
    """Its progress is its own affair."""
    with start(directory, progress(7)) as runner:
        pass
    assert runner.returncode == Verdict.DONE


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (Limits(timeout=0.3), "timeout"),
        (Limits(no_progress=0.3), "no-progress"),
        (Limits(timeout=0.3, stop=StopRules(zero_is_done=True)), None),
    ],
)
def test_exit_code_zero_after_a_limit_is_a_failure(
    directory: RunDirectory, limits: Limits, kind: str | None
) -> None:
    """The training ended early, and the next orch run retries it from what it saved."""
    script = "trap 'exit 0' TERM; while :; do sleep 0.02; done"
    with start(directory, script, limits=limits) as runner:
        pass
    assert runner.returncode == (Verdict.FAILED if kind else Verdict.DONE)
    failure = recorded(directory).failure
    assert (failure and failure.kind) == kind


@pytest.mark.parametrize("number", ASKING.values())
def test_program_is_asked_with_the_signal_of_the_config(
    directory: RunDirectory, told: Path, number: signal.Signals
) -> None:
    """It finds the name in its environment; a signal that was ignored elsewhere is not here."""
    then = 'echo "$ORCH_STOP_SIGNAL" > $ORCH_RUN_DIR/heard'
    assert asked(directory, told, then, stop=StopRules(number)) is Verdict.INTERRUPTED
    assert (directory.path / "heard").read_text().strip() == number.name


def test_limit_asks_with_the_signal_of_the_config_as_well(directory: RunDirectory) -> None:
    script = "trap 'exit 5' USR2; while :; do sleep 0.02; done"
    limits = Limits(timeout=0.3, stop=StopRules(signal.SIGUSR2))
    with start(directory, script, limits=limits) as runner:
        pass
    assert runner.returncode == Verdict.FAILED
    assert recorded(directory).exit_code == 5


def test_program_that_does_not_end_after_a_request_is_killed_if_the_config_limits_that(
    directory: RunDirectory, told: Path
) -> None:
    script = f"trap '' TERM; echo ready > {told}; while :; do sleep 0.02; done"
    with start(directory, script, limits=Limits(stop=StopRules(grace=0.1))) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    assert runner.returncode == Verdict.INTERRUPTED
    assert recorded(directory).exit_code == -signal.SIGKILL
    assert recorded(directory).record is Record.INTERRUPTED


def test_request_that_comes_after_a_success_does_not_undo_it(
    directory: RunDirectory, told: Path
) -> None:
    """The program has ended; only a process that it left behind is still at work."""
    script = f"(trap '' TERM; sleep 0.5; echo ready > {told}; sleep 0.5) & exit 0"
    with start(directory, script) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    assert runner.returncode == Verdict.DONE


def test_keeper_judges_exit_code_zero_as_the_runner_does(
    directory: RunDirectory, told: Path
) -> None:
    script = f"trap 'exit 0' TERM; echo ready > {told}; while :; do sleep 0.02; done"
    with start(directory, script) as keeper:
        assert told.read_text() == "ready\n"
        os.kill(recorded(directory).pid, signal.SIGKILL)
        keeper.send_signal(signal.SIGTERM)
    assert keeper.returncode == Verdict.INTERRUPTED
    assert directory.observe().state is State.STALE


@pytest.mark.parametrize("number", ASKING.values())
def test_rules_survive_a_command_line(number: signal.Signals) -> None:
    for limits in (
        Limits(1.0, 2.0, 3.0, StopRules(number, 4.5, zero_is_done=True)),
        Limits(stop=StopRules(number, inf)),
    ):
        arguments = limits.as_arguments()
        assert len(arguments) == len(NO_LIMITS.as_arguments())
        assert Limits.from_arguments(arguments) == limits
