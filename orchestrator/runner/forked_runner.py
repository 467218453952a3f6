"""The forked runner: what a fork of the fork server does.

It imports nothing that is not already loaded there: every run would pay for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.rundir.directory import RunDirectory
from orchestrator.runner import forkserver_preload
from orchestrator.runner.attempt_program import redirect
from orchestrator.runner.entry_point_call import Standby
from orchestrator.runner.incoming_signals import IncomingSignals
from orchestrator.runner.new_imports import NOTHING_NEW, NewImports
from orchestrator.runner.runner_guard import Keeper, watch_over

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from orchestrator.runner.entry_point_call import EntryPoint
    from orchestrator.runner.time_limits import Limits


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """A request to a forked runner: the attempt that it carries out."""

    run_dir: Path
    attempt: int
    program: EntryPoint
    limits: Limits
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunnerAnswer:
    """What a forked runner says after an attempt: its error, if any, and what the program imported."""

    complaint: str
    found: NewImports


def tell_failure(sender: Connection) -> None:
    """Send the error of loading the modules; an empty string if there was none."""
    with contextlib.suppress(BrokenPipeError):  # orch has ended meanwhile
        sender.send(forkserver_preload.FAILURE)


def be_runner(line: Connection, orch: int) -> None:
    """Run in the fork: carry out requests until the connection is closed.

    Requests are read from ``line``; the error of the attempt is sent back, an empty string if there
    was none, once the run's lock is free, with what its program imported. Signals are blocked since
    before the fork, because a request to stop may follow a request immediately; ``orch`` is the
    process that sends both.
    """
    from orchestrator.runner.takeover import take_over  # noqa: PLC0415 # loaded before the fork

    signal.signal(signal.SIGUSR2, signal.SIG_DFL)  # that of the fork server has another meaning
    # The terminal and its signals are for orch.
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    redirect(nowhere)
    os.close(nowhere)
    # The keeper's end stays open: an attempt that it takes over is not over yet.
    with line:
        watch_over(partial(_carry_out_orders, line, orch), take_over, orch)


def _carry_out_orders(line: Connection, orch: int, keeper: Keeper) -> int:
    from orchestrator.runner.runner import Links, work  # noqa: PLC0415 # loaded before the fork

    signals = IncomingSignals()
    for of_the_runner in (line, keeper, signals):  # not for the program
        os.register_at_fork(after_in_child=of_the_runner.close)
    environment = dict(os.environ)
    with line, contextlib.suppress(EOFError, ConnectionError):
        while True:
            with _fork_ahead() as standby:
                order: AttemptRequest = line.recv()
                # Others cannot have meant this attempt when they sent a signal to an idle runner.
                signals.drop(besides=(orch, os.getppid()))
                os.environ.clear()
                os.environ.update(environment | dict(order.environment))
                program = replace(order.program, standby=standby)
                directory = RunDirectory(order.run_dir)
                attempt = directory, order.attempt, program, order.limits
                _, complaint = work(*attempt, Links(keeper, signals))
                found = standby.found if standby else NOTHING_NEW
            signals.drop(besides=())  # they came too late for this attempt, and none is requested
            line.send(RunnerAnswer(complaint, found))
    return 0


def _fork_ahead() -> Standby | contextlib.nullcontext[None]:
    """Fork the next program ahead; if that fails, it is forked when it is needed."""
    try:
        return Standby()
    except OSError:
        return contextlib.nullcontext()
