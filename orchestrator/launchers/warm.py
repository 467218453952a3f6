"""The warm launcher: forks runners from a process that has loaded the training stack already.

Importing PyTorch and what it imports behind our back takes seconds, a fork takes milliseconds. The
process that forks (a ``multiprocessing`` forkserver) loads modules and does nothing else: neither
CUDA contexts nor threads would survive the fork.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.launchers.placeholders import fill_in
from orchestrator.limits import NO_LIMITS
from orchestrator.programs import EntryPoint, redirect, signals_blocked
from orchestrator.rundir import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from orchestrator.limits import Limits

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
        self,
        entry_point: EntryPoint = TRAINER,
        preload: tuple[str, ...] = TRAINING_STACK,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._entry_point = entry_point
        self._limits = limits
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
        order = _Order(directory.path, attempt, program, self._limits, environment)
        runner = self._context.Process(target=_work, args=(order, sender))
        with sender, signals_blocked():
            try:
                runner.start()
            except EOFError:  # it could not fork, and died of that; the next start makes another
                receiver.close()
                raise OSError(errno.EAGAIN, "the process that forks runners died") from None
        return WarmAttempt(runner, receiver)


@dataclass(frozen=True, slots=True)
class _Order:
    """What a forked runner is to do."""

    run_dir: Path
    attempt: int
    program: EntryPoint
    limits: Limits
    environment: Mapping[str, str]


def _work(order: _Order, complaints: Connection) -> None:
    """Be the runner, in the forked process."""
    from orchestrator.runner import work  # noqa: PLC0415 # loaded before the fork

    # The terminal's signals, and the terminal, are for the orchestrator.
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    redirect(nowhere)
    os.close(nowhere)
    os.environ.update(order.environment)
    directory = RunDirectory(order.run_dir)
    _, complaint = work(directory, order.attempt, order.program, order.limits)
    if complaint:
        complaints.send(complaint)
