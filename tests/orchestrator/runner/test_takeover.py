"""The keeper ends an attempt whose runner was killed, and records its end."""

import os
import select
import signal
import time
from pathlib import Path

import pytest
from attempts import failure_of, recorded, runner_of, start

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import State
from orchestrator.runner.runner import Verdict


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
        log = directory.path / "logs/attempt-001.log"
        while not log.read_text():  # what the runner has in hand when it is killed is lost
            time.sleep(0.002)
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


def test_program_that_asks_the_keeper_of_its_killed_runner_has_failed(
    directory: RunDirectory, told: Path
) -> None:
    """The keeper is its parent then."""
    script = f"echo ready > {told}; read x < {told}; kill $1; exec sleep 999"
    command = f"read _ _ _ keeper _ < /proc/$PPID/stat; set -- $keeper; {script}"
    with start(directory, "sh", "-c", command) as keeper:
        assert told.read_text() == "ready\n"
        runner = runner_of(directory)
        end = os.pidfd_open(runner)
        os.kill(runner, signal.SIGKILL)
        select.select([end], [], [])
        os.close(end)
        told.write_text("end\n")
    assert keeper.returncode == Verdict.FAILED
    assert failure_of(directory)[1].startswith("one of its own processes asked its runner to stop")
