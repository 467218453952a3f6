"""Attempts that the tests of the runner start, as a launcher does, and what they recorded."""

import os
import subprocess
import sys

from filelock import lock_descriptor

from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Status
from orchestrator.runner.runner import Verdict
from orchestrator.runner.time_limits import NO_LIMITS, Limits

PYTHON = sys.executable


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
            "0",
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


def failure_of(directory: RunDirectory) -> tuple[str, str]:
    failure = recorded(directory).failure
    assert failure is not None
    return failure.kind, failure.message


def until_free(directory: RunDirectory) -> None:
    """Return when no process of the run lives."""
    waiting = directory.lock.open()
    lock_descriptor(waiting)
    os.close(waiting)


def runner_of(directory: RunDirectory) -> int:
    """Return the process that carries the attempt out, which its keeper has forked."""
    return recorded(directory).pid
