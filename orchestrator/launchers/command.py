"""The command launcher: starts any program, each attempt in its own processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Final

from orchestrator.config.command_placeholders import COMMAND, fill_in
from orchestrator.launchers.code_description import NO_DESCRIPTION, CodeDescription
from orchestrator.runner.attempt_program import signals_blocked
from orchestrator.runner.runner_guard import pass_signal
from orchestrator.runner.time_limits import NO_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.grid.identity import Run
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.runner.time_limits import Limits

# The interpreter that runs orch; -P keeps modules of the current folder from being imported.
_RUNNER: Final = (sys.executable, "-P", "-m", "orchestrator.runner")


class CommandAttempt:
    """An attempt that was started: a runner process, and the program below it."""

    def __init__(self, runner: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._runner = runner
        self._complaints = complaints
        self._sentinel = os.pidfd_open(runner.pid)

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the runner has ended."""
        return self._sentinel

    def ask_to_stop(self) -> None:
        """Ask the program to stop at its next checkpoint."""
        pass_signal(self._runner.pid, self._sentinel, signal.SIGTERM)

    def end_at_once(self) -> None:
        """Have the runner kill the program and record that."""
        pass_signal(self._runner.pid, self._sentinel, signal.SIGQUIT)

    def abandon(self) -> None:
        """Kill the runner, which did not respond, and its keeper."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._runner.pid, signal.SIGKILL)

    def close(self) -> str:
        """Reap the runner, which has ended, and return what it wrote to stderr."""
        self._runner.wait()
        os.close(self._sentinel)
        with self._complaints as file:
            file.seek(0)
            return file.read().decode(errors="replace").strip()


class CommandLauncher:
    """Starts one program for every attempt, with its placeholders filled in."""

    def __init__(
        self,
        command: Sequence[str],
        limits: Limits = NO_LIMITS,
        code: CodeDescription = NO_DESCRIPTION,
        metric_patterns: Sequence[str] = (),
    ) -> None:
        self._metric_patterns = metric_patterns
        self._command = command
        self._limits = limits
        self._code = code

    def warm_up(self, stop: StopRequests) -> None:
        """Do nothing: a command loads what it needs when it starts."""

    def make_ready(self) -> None:
        """Do nothing: a program cannot be started ahead."""

    def close(self) -> None:
        """Do nothing: no process is kept ready."""

    def start(
        self, run: Run, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> CommandAttempt:
        """Start an attempt and return at once.

        Raises:
            OSError: No process could be started.
            ConfigError: A placeholder names a key that the run's config does not have.
        """
        command = fill_in(self._command, run, directory.path)
        program = COMMAND, self._command
        described = self._code.environment(run, program, command, str(directory.path))
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 # the attempt closes it
        try:
            with signals_blocked():
                runner = subprocess.Popen(
                    [
                        *_RUNNER,
                        str(directory.path),
                        str(attempt),
                        *self._limits.as_arguments(),
                        str(len(self._metric_patterns)),
                        *self._metric_patterns,
                        *command,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    env={**os.environ, **environment, **described},
                    # The terminal's signals are for us; we pass on what the run should hear.
                    start_new_session=True,
                )
        except BaseException:
            complaints.close()
            raise
        return CommandAttempt(runner, complaints)
