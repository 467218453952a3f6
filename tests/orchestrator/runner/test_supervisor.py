"""The supervisor enforces limits, passes requests on, and ends what a program leaves."""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attempts import carry_out, failure_of, start

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.identity import Run
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.run_metrics import read_curve
from orchestrator.rundir.state import Record, Status
from orchestrator.runner.attempt_program import SIGNALS, Command, Cut, Ending
from orchestrator.runner.gpu_meter import GpuMeter
from orchestrator.runner.incoming_signals import IncomingSignals, SentSignal
from orchestrator.runner.output import CappedLog, Pipe
from orchestrator.runner.runner import Links, Runner, Verdict, record
from orchestrator.runner.supervisor import Supervisor
from orchestrator.runner.time_limits import NO_LIMITS, Limits


def exit_code_of(function: Callable[[], None]) -> int | None:
    """Call a function in a process of its own: a supervisor kills all that descends from its process."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    process.join()
    return process.exitcode


def test_run_that_takes_too_long_is_ended(directory: RunDirectory) -> None:
    """Whether it listens or not; all that it started goes with it."""
    script = "trap '' TERM; sleep 1000 & wait; sleep 1000"
    limits = Limits(timeout=0.2, grace=0.1)
    assert carry_out(directory, "sh", "-c", script, limits=limits) is Verdict.FAILED
    assert failure_of(directory) == ("timeout", "it took longer than 0.2 s")
    assert not directory.lock.is_held()


@pytest.mark.parametrize(("stretched", "cut"), [(True, None), (False, Cut.TIMEOUT)])
def test_time_that_others_have_taken_of_a_shared_gpu_does_not_count(
    directory: RunDirectory,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stretched: bool,
    cut: Cut | None,
) -> None:
    """If this tool has let them share it; here, they take all of it."""
    monkeypatch.setattr(GpuMeter, "look", lambda _, __: 60.0)
    program = Command(("sh", "-c", "sleep 0.5"))
    limits = Limits(timeout=0.2, no_progress=0.2, grace=0.1, stretched=stretched)

    def supervise() -> None:
        lock = directory.lock.open()
        with Pipe() as output, CappedLog(directory.attempt_log(1)) as log:
            started = program.prepare(dict(os.environ), output, lock).start()
            output.close_writing()
            ending = Supervisor(program, directory, limits).over(started, lock, output, log)
        os._exit(0 if ending.cut is cut else 1)

    assert exit_code_of(supervise) == 0


class SentOnce(IncomingSignals):
    """Stands in for the signals that have arrived: one, of this sender."""

    def __init__(self, sender: int) -> None:
        super().__init__()
        self._kept = [SentSignal(signal.SIGTERM, sender)]


@pytest.mark.parametrize(
    ("sender", "cut"),
    [
        ("the kernel", Cut.ASKED),
        ("a live process", Cut.ASKED),
        ("a process below", Cut.OWN),
        ("a process that is gone", Cut.UNKNOWN),
    ],
)
def test_request_is_that_of_its_sender(directory: RunDirectory, sender: str, cut: Cut) -> None:
    """Of one that is gone, nobody knows whose it was."""

    def supervise() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        with subprocess.Popen(["true"]) as gone:
            gone.wait()
        below = os.posix_spawn("/bin/sleep", ["sleep", "999"], {})
        pids = {"the kernel": 0, "a live process": os.getppid(), "a process below": below}
        signals = SentOnce(pids.get(sender, gone.pid))
        program, lock = Command(("sleep", "999")), directory.lock.open()
        with Pipe() as output, CappedLog(directory.attempt_log(1)) as log:
            started = program.prepare(dict(os.environ), output, lock).start()
            output.close_writing()
            watch = Supervisor(program, directory, NO_LIMITS, signals=signals)
            assert watch.was_asked()
            ending = watch.over(started, lock, output, log)
        os._exit(0 if ending.cut is cut else 1)

    assert exit_code_of(supervise) == 0


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


@pytest.mark.parametrize("then", ["moved", "recreated"])
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
        if then == "recreated":
            experiment.create(runs[0])
        _, complaint = runner.communicate()
    assert "it was removed, moved or replaced" in complaint
    assert directory.read_status() is None


def test_program_ends_when_the_file_system_has_lost_its_lock(
    directory: RunDirectory, told: Path
) -> None:
    """Of a lock that a server no longer knows, only the descriptor tells: reading it fails."""
    program = Command(("sh", "-c", f"echo ready > {told}; sleep 1000"))
    lock = os.open(directory.lock.path, os.O_WRONLY)  # reading this one fails as well

    def supervise() -> None:
        with Pipe() as output, CappedLog(directory.attempt_log(1)) as log:
            started = program.prepare(dict(os.environ), output, lock).start()
            output.close_writing()
            supervisor = Supervisor(program, directory, NO_LIMITS)
            assert supervisor.over(started, lock, output, log).cut is Cut.UNLOCKED

    assert exit_code_of(supervise) == 0
    status = Status(Record.DONE, 1, "now", "here", 1)
    with pytest.raises(RunDirectoryError, match="the file system has lost its lock, so another"):
        record(directory, status, lock)
    os.close(lock)
    assert directory.read_status() is None


def test_order_to_end_stands_whatever_comes_with_it(directory: RunDirectory) -> None:
    """Signals that come together are taken by their numbers: the second request comes first."""
    deaf = Command(("sh", "-c", "trap '' TERM; while :; do sleep 1; done"))

    def carry_out() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        signals = IncomingSignals()
        for number in (signal.SIGQUIT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        runner = Runner(directory, 1, deaf, NO_LIMITS, Links(signals=signals))
        os._exit(runner.carry_out())

    assert exit_code_of(carry_out) == Verdict.INTERRUPTED


@pytest.mark.parametrize(("is_known", "cut"), [(False, None), (True, Cut.ASKED)])
def test_program_that_ended_before_it_could_hear_of_a_request_was_not_asked(
    directory: RunDirectory, *, is_known: bool, cut: Cut | None
) -> None:
    """Unless another runner may have passed the request on: exit code 0 may say that it has saved."""
    program = Command(("true",))

    def supervise() -> None:
        lock = directory.lock.open()
        with Pipe() as output, CappedLog(directory.attempt_log(1)) as log:
            started = program.prepare(dict(os.environ), output, lock).start()
            output.close_writing()
            os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
            supervisor = Supervisor(program, directory, NO_LIMITS)
            supervisor.ask(signal.SIGTERM, is_known=is_known)
            ending = supervisor.over(started, lock, output, log)
        os._exit(0 if ending == Ending(0, cut) else 1)

    assert exit_code_of(supervise) == 0


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


def test_line_that_an_earlier_attempt_has_torn_costs_no_point_of_the_next(
    directory: RunDirectory,
) -> None:
    """A program that appends by itself; as long as it lives, it may just be writing."""
    directory.metrics.write_text('{"key": "lo')
    script = f"""echo '{{"key": "loss", "value": 1, "step": 2}}' >> {directory.metrics}; exit 1"""
    assert carry_out(directory, "sh", "-c", script) is Verdict.FAILED
    assert not read_curve(directory.metrics, "loss")  # glued
    assert carry_out(directory, "sh", "-c", script, attempt=2) is Verdict.FAILED
    assert read_curve(directory.metrics, "loss") == {2: 1}
    directory.metrics.write_text('{"key": "lo')
    watch = Supervisor(Command(("true",)), directory, NO_LIMITS)
    watch.recover_metrics(directory.attempt_log(2), continues=True)
    assert directory.metrics.read_text() == '{"key": "lo'
    watch.recover_metrics(directory.attempt_log(2), continues=False)
    assert directory.metrics.read_text() == ""
