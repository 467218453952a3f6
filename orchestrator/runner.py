"""The runner: the process that carries out one attempt and records how it ended.

Every launcher starts this same runner, so there is one place that takes the lock, writes
``status.json`` and keeps the output. The program it starts inherits the locked descriptor: the run
counts as running until the last process of the attempt is gone, even if the runner dies first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import lock_descriptor

from orchestrator.errors import RunDirectoryError
from orchestrator.programs import SIGNALS, Command
from orchestrator.rundir import RunDirectory, now
from orchestrator.state import Failure, Record, State, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from orchestrator.programs import Program, Started

_LOCK_PAUSE: Final = 0.001
_TAIL: Final = 8192
_LONGEST_MESSAGE: Final = 500


class Verdict(IntEnum):
    """The runner's own exit code: what became of the attempt."""

    DONE = 0
    FAILED = 1
    INTERRUPTED = 3
    NOT_OURS = 4  # another orchestrator runs it, or has run it since this one looked


@dataclass(frozen=True, slots=True)
class Ending:
    """How the program ended: its exit code, negative for a signal, and whether it was asked to."""

    exit_code: int
    asked: bool


class Runner:
    """Carries out one attempt of one run."""

    def __init__(self, directory: RunDirectory, attempt: int, program: Program) -> None:
        self._directory = directory
        self._attempt = attempt
        self._program = program
        self._started: Started | None = None
        self._asked: signal.Signals | None = None

    def carry_out(self) -> Verdict:
        """Take the lock, look again, run the program and record how it ended.

        Raises:
            OSError: The run directory is gone, or the disk takes no records.
            RunDirectoryError: Something else stands in place of the lock.
        """
        lock = self._directory.open_lock()
        if not _take(lock, self._directory):
            return Verdict.NOT_OURS
        # Look again: another orchestrator may have run it since this one planned.
        seen = self._directory.observe_locked()
        if seen.attempts != self._attempt - 1 or seen.state is State.DONE:
            return Verdict.NOT_OURS
        status = Status(
            record=Record.RUNNING,
            attempt=self._attempt,
            started_at=now(),
            host=socket.gethostname(),
            pid=os.getpid(),
        )
        self._directory.write_status(status)
        log = self._directory.attempt_log(self._attempt)
        try:
            ending = self._run_program(lock, log)
        except OSError as error:
            failure = Failure("error", f"cannot start {self._program.name!r}: {error.strerror}")
            ended = replace(status, record=Record.FAILED, failure=failure)
        else:
            ended = _judge(status, ending, log)
        self._directory.write_status(replace(ended, ended_at=now()))
        return _VERDICTS[ended.record]

    def stop(self, number: int, _frame: FrameType | None = None) -> None:
        """Pass a signal on: SIGQUIT kills the program, the others ask it to stop."""
        self._asked = signal.SIGKILL if number == signal.SIGQUIT else signal.SIGTERM
        self._pass_on()

    def _pass_on(self) -> None:
        if self._started is not None and self._asked:
            is_alone = self._asked == signal.SIGTERM and not self._program.asked_as_group
            with contextlib.suppress(ProcessLookupError):
                (os.kill if is_alone else os.killpg)(self._started.pid, self._asked)

    def _run_program(self, lock: int, log: Path) -> Ending:
        run_dir = self._directory.path.resolve()
        environment = {
            **os.environ,
            "ORCH_RUN_DIR": str(run_dir),
            "ORCH_RUN_ID": self._directory.run_id,
            "ORCH_ATTEMPT": str(self._attempt),
            "ORCH_EXPERIMENT": run_dir.parent.parent.name,
            "ORCH_LOCK_FD": str(lock),
        }
        self._started = self._program.start(environment, log, lock)
        self._pass_on()  # the signal may have come before there was a program to ask
        exit_code = self._started.wait()
        return Ending(exit_code, asked=bool(self._asked))


_VERDICTS: Final = {
    Record.DONE: Verdict.DONE,
    Record.FAILED: Verdict.FAILED,
    Record.INTERRUPTED: Verdict.INTERRUPTED,
}
_ASKING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# A shell, and our own trainer, end with 128 and the number of the signal.
_STOPPED_CODES: Final = frozenset(code for n in _ASKING for code in (-n, 128 + n))


def _judge(status: Status, ending: Ending, log: Path) -> Status:
    """Decide what the program's end means; only exit code 0 is done."""
    code = ending.exit_code
    status = replace(status, exit_code=code)
    if code == 0:
        return replace(status, record=Record.DONE)
    if ending.asked or code in _STOPPED_CODES:
        return replace(status, record=Record.INTERRUPTED, reason="it was asked to stop")
    if code < 0:
        failure = Failure("killed", f"by {signal.Signals(-code).name}")
    else:
        failure = Failure("error", _last_line(log) or f"exit code {code}, and no output")
    return replace(status, record=Record.FAILED, failure=failure)


def _last_line(log: Path) -> str:
    """Return the last line of the output, which for Python is the error, without control codes."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return "".join(char if char.isprintable() else "?" for char in last)[:_LONGEST_MESSAGE]


def _take(lock: int, directory: RunDirectory) -> bool:
    """Lock the run for this attempt, unless another attempt lives."""
    while not lock_descriptor(lock, blocking=False):
        # Who only looks whether a run lives shares the lock for microseconds; an attempt does not.
        if directory.is_locked():
            return False
        time.sleep(_LOCK_PAUSE)
    return True


def work(directory: RunDirectory, attempt: int, program: Program) -> tuple[Verdict, str]:
    """Carry out an attempt as this process' only work; return the verdict, and any complaint.

    Expects the signals to be held back, and lets them in when it can answer to them.
    """
    runner = Runner(directory, attempt, program)
    for number in SIGNALS:
        signal.signal(number, runner.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        return runner.carry_out(), ""
    except (OSError, RunDirectoryError) as error:
        return Verdict.FAILED, str(error)


def main(arguments: Sequence[str]) -> int:
    """Carry out ``RUN_DIR ATTEMPT COMMAND...`` and return the verdict as exit code."""
    run_dir, attempt, *command = arguments
    program = Command(tuple(command))
    verdict, complaint = work(RunDirectory(Path(run_dir)), int(attempt), program)
    sys.stderr.write(complaint)
    return verdict


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
