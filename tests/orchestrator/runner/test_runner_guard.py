"""A run is live while any of its processes is, whichever of them is killed."""

import os
import select
import signal
from pathlib import Path

import pytest
from attempts import PYTHON, failure_of, runner_of, start, until_free

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import State
from orchestrator.runner import process_tree
from orchestrator.runner.runner import Verdict


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
