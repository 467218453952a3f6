"""The warm launcher: forks runners from a process that has loaded the training stack already.

Importing PyTorch and what it imports behind our back takes seconds, a fork takes milliseconds. The
process that forks (a ``multiprocessing`` forkserver) loads modules and does nothing else: neither
CUDA contexts nor threads would survive the fork.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.launchers.placeholders import fill_in
from orchestrator.programs import EntryPoint, redirect, signals_blocked
from orchestrator.rundir import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

TRAINER: Final = EntryPoint("trainer.__main__:main", ("{run_dir}",))
# The first optimizer imports torch._dynamo; whoever runs first would pay for it in every run.
TRAINING_STACK: Final = ("orchestrator.runner", "torch._dynamo", "trainer.trainer")


class WarmAttempt:
    """An attempt whose runner was forked."""

    def __init__(self, runner: ForkServerProcess, complaints: Connection) -> None:
        self._runner = runner
        self._complaints = complaints

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the runner has ended."""
        return self._runner.sentinel

    def ask_to_stop(self) -> None:
        """Ask for an end at the next checkpoint."""
        os.kill(int(self._runner.pid or 0), signal.SIGTERM)

    def end_at_once(self) -> None:
        """Have the runner kill the program, and record it."""
        os.kill(int(self._runner.pid or 0), signal.SIGQUIT)

    def abandon(self) -> None:
        """Kill the runner, which did not obey."""
        self._runner.kill()

    def close(self) -> str:
        """Release the runner, which has ended, and return what it complained of, if anything."""
        self._runner.join()
        with self._complaints:
            try:
                return str(self._complaints.recv()) if self._complaints.poll() else ""
            except EOFError:
                return ""


class WarmLauncher:
    """Calls one entry point for every attempt, with ``{run_dir}`` and ``{run_id}`` filled in."""

    def __init__(
        self, entry_point: EntryPoint = TRAINER, preload: tuple[str, ...] = TRAINING_STACK
    ) -> None:
        self._entry_point = entry_point
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))

    def start(
        self, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> WarmAttempt:
        """Start an attempt; the first call waits until the training stack is loaded.

        Raises:
            OSError: No process could be started.
        """
        arguments = tuple(fill_in(part, directory) for part in self._entry_point.arguments)
        program = EntryPoint(self._entry_point.name, arguments)
        receiver, sender = self._context.Pipe(duplex=False)
        runner = self._context.Process(
            target=_work, args=(str(directory.path), attempt, program, environment, sender)
        )
        with sender, signals_blocked():
            runner.start()
        return WarmAttempt(runner, receiver)


def _work(
    run_dir: str,
    attempt: int,
    program: EntryPoint,
    environment: Mapping[str, str],
    complaints: Connection,
) -> None:
    """Be the runner, in the forked process."""
    from orchestrator.runner import work  # noqa: PLC0415 # loaded before the fork

    # The terminal's signals, and the terminal, are for the orchestrator.
    os.setsid()
    redirect(Path(os.devnull))
    os.environ.update(environment)
    _, complaint = work(RunDirectory(Path(run_dir)), attempt, program)
    if complaint:
        complaints.send(complaint)
