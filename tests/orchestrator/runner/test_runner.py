"""The runner carries out an attempt and records how it ended, whatever the program does."""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import lock_descriptor

from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Record, State, Status
from orchestrator.runner import process_tree
from orchestrator.runner.runner import Verdict
from orchestrator.runner.time_limits import NO_LIMITS, Limits

PYTHON = sys.executable


@pytest.fixture
def directory(experiment: ExperimentDirectory, runs: list[Run]) -> RunDirectory:
    """Return the run directory of a run that has not run yet."""
    return experiment.create(runs[0])


def start(
    directory: RunDirectory, *command: str, attempt: int = 1, limits: Limits = NO_LIMITS
) -> subprocess.Popen[str]:
    """Start a runner, as a launcher does."""
    return subprocess.Popen(
        [
            PYTHON,
            "-m",
            "orchestrator.runner",
            str(directory.path),
            str(attempt),
            *limits.as_arguments(),
            *command,
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def carry_out(
    directory: RunDirectory, *command: str, attempt: int = 1, limits: Limits = NO_LIMITS
) -> Verdict:
    """Run a runner to its end."""
    with start(directory, *command, attempt=attempt, limits=limits) as runner:
        _, complaint = runner.communicate()
    assert complaint == ""
    return Verdict(runner.returncode)


def recorded(directory: RunDirectory) -> Status:
    """Return the status, which has to be readable."""
    status = directory.read_status()
    assert isinstance(status, Status)
    return status


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return a pipe through which a program tells that it has come to a place."""
    path = tmp_path / "told"
    os.mkfifo(path)
    return path


def test_exit_code_zero_is_done(directory: RunDirectory) -> None:
    """The record has the attempt, its times and its exit code; the output is kept."""
    assert carry_out(directory, "sh", "-c", "echo hello; echo trouble >&2") is Verdict.DONE
    status = recorded(directory)
    assert (status.record, status.attempt, status.exit_code) == (Record.DONE, 1, 0)
    assert status.ended_at is not None
    assert status.started_at <= status.ended_at
    assert (directory.path / "logs/attempt-001.log").read_text() == "hello\ntrouble\n"
    assert directory.observe().state is State.DONE


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


def test_program_that_does_not_exist_has_failed(directory: RunDirectory) -> None:
    """The message names it."""
    assert carry_out(directory, "/no/such/program") is Verdict.FAILED
    failure = recorded(directory).failure
    assert failure is not None
    assert failure.message == "cannot start '/no/such/program': No such file or directory"


def test_done_run_is_not_run_again(directory: RunDirectory) -> None:
    """Whoever planned before it was done looks again, and leaves it."""
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


def until_free(directory: RunDirectory) -> None:
    """Return when no process of the run lives."""
    waiting = directory.lock.open()
    lock_descriptor(waiting)
    os.close(waiting)


def runner_of(directory: RunDirectory) -> int:
    """Return the process that carries the attempt out, which its keeper has forked."""
    return recorded(directory).pid


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        ("exit 0", None),
        ("echo KeyError: x; exit 1", ("error", "KeyError: x")),
        ("kill -9 $$", ("killed", "by SIGKILL")),
        ("sleep 0.2 & exit 0", None),
    ],
)
def test_end_is_recorded_by_the_keeper_when_the_runner_is_killed(
    directory: RunDirectory, told: Path, end: str, failure: tuple[str, str] | None
) -> None:
    """A program that finished is not repeated; what it says from then on is in the log as well."""
    script = f"echo first; echo ready > {told}; read x < {told}; echo then; {end}"
    with start(directory, "sh", "-c", script) as keeper:
        assert told.read_text() == "ready\n"
        os.kill(runner_of(directory), signal.SIGKILL)
        assert directory.observe().state is State.RUNNING
        told.write_text("end\n")
    assert keeper.returncode == (Verdict.FAILED if failure else Verdict.DONE)
    assert directory.observe().state is (State.FAILED if failure else State.DONE)
    assert failure is None or failure_of(directory) == failure
    assert (directory.path / "logs/attempt-001.log").read_text().startswith("first\nthen\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_keeper_obeys_in_place_of_a_killed_runner(
    directory: RunDirectory, told: Path, number: signal.Signals
) -> None:
    """Also when it was asked before, and the runner had no time to pass that on."""
    script = f"trap 'exit 9' TERM; echo ready > {told}; while :; do sleep 0.02; done"
    with start(directory, "sh", "-c", script) as keeper:
        assert told.read_text() == "ready\n"
        os.kill(runner_of(directory), signal.SIGKILL)
        keeper.send_signal(number)
    assert keeper.returncode == Verdict.INTERRUPTED
    assert recorded(directory).exit_code == (9 if number == signal.SIGTERM else -9)


@pytest.mark.parametrize("victims", ["keeper", "both"])
def test_run_lives_for_as_long_as_its_program_whoever_is_killed(
    directory: RunDirectory, told: Path, victims: str
) -> None:
    """The lock is the program's as well; where nobody is left to record its end, the run is stale."""
    script = f"echo ready > {told}; read x < {told}"
    with start(directory, "sh", "-c", script) as keeper:
        assert told.read_text() == "ready\n"
        keeper.kill()
        keeper.wait()
        if victims == "both":
            os.kill(runner_of(directory), signal.SIGKILL)
        assert directory.observe().state is State.RUNNING
        told.write_text("end\n")
        until_free(directory)
    assert directory.observe().state is (State.STALE if victims == "both" else State.DONE)


def test_attempt_lives_as_long_as_a_process_that_has_closed_everything(
    directory: RunDirectory, told: Path
) -> None:
    """Python's subprocess closes the lock; the keeper holds it while any process below it lives."""
    below = f"import os; open({str(told)!r}, 'w').write('ready'); open({str(told)!r}).read()"
    launcher = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {below!r}])"
    with start(directory, PYTHON, "-c", launcher) as keeper:
        assert told.read_text() == "ready"
        runner = runner_of(directory)
        (program,) = process_tree.below(runner)[:1]
        os.kill(runner, signal.SIGKILL)
        os.kill(program, signal.SIGSTOP)
        assert directory.observe().state is State.RUNNING
        os.kill(program, signal.SIGKILL)
    assert keeper.returncode == Verdict.FAILED
    assert failure_of(directory) == ("killed", "by SIGKILL")


def test_run_is_not_over_while_what_has_closed_everything_outlives_all_others(
    directory: RunDirectory, told: Path
) -> None:
    """Keeper, runner and program were killed: nobody holds the lock, but a process of it lives."""
    below = f"open({str(told)!r}, 'w').write('ready'); open({str(told)!r}).read()"
    launcher = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {below!r}])"
    with start(directory, PYTHON, "-c", launcher) as keeper:
        assert told.read_text() == "ready"
        runner = runner_of(directory)
        program, survivor = process_tree.below(runner)
        end = os.pidfd_open(survivor)
        for each in (keeper.pid, runner, program):
            os.kill(each, signal.SIGKILL)
    until_free(directory)
    seen = directory.observe()
    told.write_text("end")
    select.select([end], [], [])
    os.close(end)
    assert (seen.state, seen.survivors) == (State.RUNNING, (survivor,))
    assert directory.observe().state is State.STALE


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


def failure_of(directory: RunDirectory) -> tuple[str, str]:
    failure = recorded(directory).failure
    assert failure is not None
    return failure.kind, failure.message


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


def test_run_that_takes_too_long_is_ended(directory: RunDirectory) -> None:
    """Whether it listens or not; all that it started goes with it."""
    script = "trap '' TERM; sleep 1000 & wait; sleep 1000"
    limits = Limits(timeout=0.2, grace=0.1)
    assert carry_out(directory, "sh", "-c", script, limits=limits) is Verdict.FAILED
    assert failure_of(directory) == ("timeout", "it took longer than 0.2 s")
    assert not directory.lock.is_held()


def test_run_without_progress_is_ended(directory: RunDirectory) -> None:
    """Reporting is progress, for a program that reports; printing is not."""
    script = "touch $ORCH_RUN_DIR/progress.json; while :; do echo busy; sleep 0.05; done"
    limits = Limits(no_progress=0.4, grace=0.1)
    assert carry_out(directory, "sh", "-c", script, limits=limits) is Verdict.FAILED
    assert failure_of(directory) == ("no-progress", "no sign of progress for 0.4 s")


def test_output_is_progress_for_a_program_that_reports_nothing_else(
    directory: RunDirectory,
) -> None:
    """A foreign program that prints lives."""
    script = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.15; done"
    assert carry_out(directory, "sh", "-c", script, limits=Limits(no_progress=0.5)) is Verdict.DONE


def test_daemon_of_a_killed_program_is_ended_with_it(directory: RunDirectory) -> None:
    """Also one that made a session of its own; the run does not live on in it."""
    script = "setsid sleep 1000 & sleep 0.1; kill -9 $$"
    assert carry_out(directory, "sh", "-c", script) is Verdict.FAILED
    assert failure_of(directory) == ("killed", "by SIGKILL")
    assert not directory.lock.is_held()


def test_what_a_program_leaves_may_finish_its_work(directory: RunDirectory) -> None:
    """The run is over when it is; its output belongs to the log."""
    script = "(sleep 0.3; echo uploaded) & echo trained"
    assert carry_out(directory, "sh", "-c", script) is Verdict.DONE
    assert directory.attempt_log(1).read_text() == "trained\nuploaded\n"


@pytest.mark.parametrize("then", ["moved", "made anew"])
def test_program_ends_when_its_run_directory_is_taken_away(
    directory: RunDirectory,
    experiment: ExperimentDirectory,
    runs: list[Run],
    told: Path,
    then: str,
) -> None:
    """It is ended, one line says why, and nothing is written into a new directory."""
    script = f"echo ready > {told}; sleep 1000"
    with start(directory, "sh", "-c", script) as runner:
        assert told.read_text() == "ready\n"
        directory.path.rename(directory.path.with_name("aside"))
        if then == "made anew":
            experiment.create(runs[0])
        _, complaint = runner.communicate()
    assert "it was removed, moved or replaced" in complaint
    assert directory.read_status() is None


def test_order_to_end_stands_whatever_comes_with_it(directory: RunDirectory) -> None:
    """Signals that come together are handled by their numbers: the second request comes first."""
    script = (
        "import sys; from pathlib import Path; from signal import SIGQUIT, SIGTERM;"
        "from orchestrator.runner.time_limits import NO_LIMITS; from orchestrator.runner.attempt_program import Command;"
        "from orchestrator.rundir.directory import RunDirectory; from orchestrator.runner.runner import Runner;"
        "deaf = Command(('sh', '-c', \"trap '' TERM; while :; do sleep 1; done\"));"
        "runner = Runner(RunDirectory(Path(sys.argv[1])), 1, deaf, NO_LIMITS);"
        "runner.stop(SIGQUIT); runner.stop(SIGTERM); sys.exit(runner.carry_out())"
    )
    ended = subprocess.run([PYTHON, "-c", script, directory.path], check=False, timeout=30)
    assert ended.returncode == Verdict.INTERRUPTED


def test_limits_hold_for_a_program_that_was_asked_to_stop(
    directory: RunDirectory, told: Path
) -> None:
    """One that does not listen has no more time than any other; it is resumed all the same."""
    script = f"trap '' TERM; echo ready > {told}; while :; do sleep 0.05; done"
    with start(directory, "sh", "-c", script, limits=Limits(timeout=1.0, grace=0.1)) as runner:
        assert told.read_text() == "ready\n"
        runner.send_signal(signal.SIGTERM)
    assert runner.returncode == Verdict.INTERRUPTED
    assert not directory.lock.is_held()
