"""The runner carries out an attempt and records how it ended, whatever the program does."""

import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from attempts import PYTHON, carry_out, failure_of, recorded, start

from orchestrator.grid.identity import Run
from orchestrator.launchers.warm import TRAINER
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Failure, Record, State, Status
from orchestrator.runner.attempt_program import Command, Ending
from orchestrator.runner.entry_point_call import EntryPoint
from orchestrator.runner.runner import Verdict, judge_attempt
from orchestrator.runner.runner_guard import Begun
from orchestrator.runner.time_limits import NO_LIMITS


def test_exit_code_zero_is_done(directory: RunDirectory) -> None:
    """The record has the attempt, its times and its exit code; the output is kept."""
    assert carry_out(directory, "sh", "-c", "echo hello; echo trouble >&2") is Verdict.DONE
    status = recorded(directory)
    assert (status.record, status.attempt, status.exit_code) == (Record.DONE, 1, 0)
    assert status.ended_at is not None
    assert status.started_at <= status.ended_at
    assert (directory.path / "logs/attempt-001.log").read_text() == "hello\ntrouble\n"
    assert directory.observe().state is State.DONE


def test_run_that_stopped_early_is_done_and_says_why(directory: RunDirectory) -> None:
    """The reason is in the status, which every command reads."""
    script = """echo '{"iteration": 3, "iterations": 9, "stopped_early": "it was enough"}' > progress.json"""
    assert carry_out(directory, "sh", "-c", f"cd {directory.path} && {script}") is Verdict.DONE
    seen = directory.observe()
    assert seen.state is State.DONE
    assert seen.reason == "stopped early after 3 of 9 iterations: it was enough"


def test_program_gets_to_know_its_run(directory: RunDirectory) -> None:
    """The environment of the contract is there."""
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    carry_out(directory, PYTHON, "-c", script)
    environment = json.loads((directory.path / "logs/attempt-001.log").read_text())
    assert environment["ORCH_RUN_DIR"] == str(directory.path)
    assert environment["ORCH_RUN_ID"] == directory.run_id
    assert environment["ORCH_ATTEMPT"] == "1"
    assert environment["ORCH_EXPERIMENT"] == "first"


def test_failure_tells_the_last_line_of_the_traceback(directory: RunDirectory) -> None:
    """What the user wants to know stands in the record."""
    assert carry_out(directory, PYTHON, "-c", "raise ValueError('lr')") is Verdict.FAILED
    failure = recorded(directory).failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("error", "ValueError: lr")
    assert directory.observe().state is State.FAILED


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (TRAINER, "lr: -1 is too small. Correct it."),
        (Command(("train",)), "exit code 2: lr: -1 is too small. Correct it."),
    ],
)
def test_trainers_error_is_told_without_its_exit_code(
    directory: RunDirectory, program: EntryPoint | Command, message: str
) -> None:
    """Its line says all; what a code of another program means is not known here."""
    running = Status(Record.RUNNING, 1, "now", "here", 1)
    begun = Begun(directory.path, program, NO_LIMITS, running, 0, directory.signs_of_the_end())
    ended = judge_attempt(directory, begun, Ending(2, None), "lr: -1 is too small. Correct it.\n")
    assert ended.record is Record.FAILED
    assert ended.failure == Failure("error", message)


def test_duration_is_measured_by_the_monotonic_clock(directory: RunDirectory) -> None:
    """It is of the attempt, also where another process records its end."""
    running = Status(Record.RUNNING, 1, "2036-01-01T00:00:00+00:00", "here", 1)
    signs = directory.signs_of_the_end()
    begun = Begun(directory.path, TRAINER, NO_LIMITS, running, 0, signs, began=time.monotonic() - 9)
    ended = judge_attempt(directory, begun, Ending(1, None), "")
    assert 9 <= (ended.seconds or 0) < 1000
    assert carry_out(directory, "true") is Verdict.DONE
    assert recorded(directory).seconds is not None


def test_trainer_is_done_if_it_has_left_results_in_this_attempt(directory: RunDirectory) -> None:
    """Those of an attempt before say nothing about the end of this one."""
    directory.results.write_text("{}")
    running = Status(Record.RUNNING, 2, "now", "here", 1)
    begun = Begun(directory.path, TRAINER, NO_LIMITS, running, 0, directory.signs_of_the_end())
    ended = judge_attempt(directory, begun, Ending(0, None), "")
    assert ended.failure is not None
    assert "before it had written its results" in ended.failure.message
    directory.results.write_text('{"test": {}}')
    assert judge_attempt(directory, begun, Ending(0, None), "").record is Record.DONE


def test_function_that_has_raised_is_not_done(directory: RunDirectory) -> None:
    """Some libraries end the process with exit code 0 in an exit function, also after an error."""
    running = Status(Record.RUNNING, 1, "now", "here", 1)
    begun = Begun(
        directory.path, Command(("x",)), NO_LIMITS, running, 0, directory.signs_of_the_end()
    )
    ended = judge_attempt(directory, begun, Ending(0, None, has_raised=True), "ValueError: told\n")
    assert (ended.record, ended.exit_code) == (Record.FAILED, 0)
    assert ended.failure == Failure("error", "ValueError: told")


def test_killed_program_tells_the_signal(directory: RunDirectory) -> None:
    """A program that is killed, by the kernel for memory for example, has failed."""
    assert carry_out(directory, "sh", "-c", "kill -9 $$") is Verdict.FAILED
    failure = recorded(directory).failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("killed", "by SIGKILL")


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        ("kill -TERM $$", ("killed", "by SIGTERM")),
        ("trap 'kill 0' EXIT; echo work is done", ("killed", "by SIGTERM")),
        ("kill -INT $$", ("killed", "by SIGINT")),
        ("exit 143", ("error", "exit code 143 (a shell's code for SIGTERM), and no output")),
        ("echo usage; exit 129", ("error", "exit code 129 (a shell's code for SIGHUP): usage")),
    ],
)
def test_program_that_nobody_asked_to_stop_has_failed(
    directory: RunDirectory, end: str, failure: tuple[str, str]
) -> None:
    """It would end so each time: repeated without a limit, the grid would have no end."""
    assert carry_out(directory, "sh", "-c", end) is Verdict.FAILED
    assert failure_of(directory) == failure


@pytest.mark.parametrize(
    "script", ["kill $PPID; exec sleep 999", "sh -c 'kill -QUIT $0; exec sleep 999' $PPID & wait"]
)
def test_program_that_asks_its_own_runner_to_stop_has_failed(
    directory: RunDirectory, script: str
) -> None:
    """As above: nobody else asked, so the same command would meet it again, for ever."""
    assert carry_out(directory, "sh", "-c", script) is Verdict.FAILED
    told = "one of its own processes asked its runner to stop it, as kill $PPID does"
    assert failure_of(directory) == ("error", told)


def test_program_that_does_not_exist_has_failed(directory: RunDirectory) -> None:
    """The message names it."""
    assert carry_out(directory, "/no/such/program") is Verdict.FAILED
    failure = recorded(directory).failure
    assert failure is not None
    assert failure.message == "cannot start '/no/such/program': No such file or directory"


def test_done_run_is_not_run_again(directory: RunDirectory) -> None:
    """A runner that was planned before it was done looks again, and leaves it."""
    carry_out(directory, "true")
    before = (directory.path / "status.json").read_bytes()
    assert carry_out(directory, "false", attempt=2) is Verdict.NOT_OURS
    assert (directory.path / "status.json").read_bytes() == before


def test_attempt_that_another_orchestrator_made_is_not_repeated(directory: RunDirectory) -> None:
    """An attempt number that is taken means that somebody was faster."""
    carry_out(directory, "false")
    assert carry_out(directory, "true", attempt=1) is Verdict.NOT_OURS
    assert carry_out(directory, "true", attempt=2) is Verdict.DONE


def test_signal_reaches_the_program_and_is_recorded(directory: RunDirectory, told: Path) -> None:
    """Asked to stop, the runner asks the program, and waits for its end."""
    script = f"trap 'echo saved; exit 9' TERM; echo ready > {told}; while :; do :; done"
    with start(directory, "sh", "-c", script) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    assert runner.returncode == Verdict.INTERRUPTED
    assert recorded(directory).exit_code == 9
    assert (directory.path / "logs/attempt-001.log").read_text() == "saved\n"


def test_quit_kills_a_program_that_does_not_listen(directory: RunDirectory, told: Path) -> None:
    """The second request ends the whole process group, and that is recorded too."""
    script = f"trap '' TERM; echo ready > {told}; while :; do sleep 1; done"
    with start(directory, "sh", "-c", script) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
        runner.send_signal(signal.SIGQUIT)
    assert runner.returncode == Verdict.INTERRUPTED
    assert recorded(directory).reason == "it was asked to stop"


@pytest.mark.parametrize(
    ("program", "attempts"),
    [
        ("/no/such/program", 5),
        ("/etc/passwd", 5),
        pytest.param("/no/such/program", 5000, marks=pytest.mark.soak),
    ],
)
def test_program_that_cannot_be_started_leaves_nothing_open(
    directory: RunDirectory, program: str, attempts: int
) -> None:
    """A runner that is kept carries out hundreds of attempts."""
    script = f"""
import os, pathlib
from orchestrator.rundir.directory import RunDirectory
from orchestrator.runner.time_limits import NO_LIMITS
from orchestrator.runner.attempt_program import Command
from orchestrator.runner.runner import Runner
directory = RunDirectory(pathlib.Path({str(directory.path)!r}))
for attempt in range(1, {attempts} + 1):
    Runner(directory, attempt, Command(({program!r},)), NO_LIMITS).carry_out()
    print(len(os.listdir("/proc/self/fd")))
"""
    told = subprocess.run([PYTHON, "-c", script], check=True, capture_output=True, text=True)
    assert len(set(told.stdout.split())) == 1


def test_held_lock_is_left_alone_and_a_look_at_it_is_not_in_the_way(
    directory: RunDirectory,
) -> None:
    """An attempt is never begun beside another one; who only looks does not prevent it."""
    other = directory.lock.open()
    fcntl.flock(other, fcntl.LOCK_EX)
    assert carry_out(directory, "true") is Verdict.NOT_OURS
    assert directory.read_status() is None
    os.close(other)
    assert carry_out(directory, "true") is Verdict.DONE


def test_directory_that_is_gone_is_one_line(
    experiment: ExperimentDirectory, runs: list[Run]
) -> None:
    """The launcher gets to know what happened; nothing is made."""
    directory = experiment.run(runs[0].run_id)
    with start(directory, "true") as runner:
        _, complaint = runner.communicate()
    assert runner.returncode == Verdict.FAILED
    assert "No such file or directory" in complaint
    assert not directory.path.exists()


def test_flood_of_output_is_cut_and_the_program_goes_on(directory: RunDirectory) -> None:
    """The beginning and the end are kept; the last line still says what went wrong."""
    script = "echo first; yes | head -c 100000000; echo 'ValueError: last'; exit 1"
    assert carry_out(directory, "sh", "-c", script) is Verdict.FAILED
    log = directory.attempt_log(1).read_bytes()
    assert len(log) < 9 << 20
    assert log.startswith(b"first\ny\n")
    assert log.endswith(b"y\nValueError: last\n")
    assert b"bytes were left out here" in log
    assert failure_of(directory) == ("error", "ValueError: last")
