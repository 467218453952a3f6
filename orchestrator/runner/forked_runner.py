"""What a fork of the warm process does; it imports nothing that is not loaded there already.

Every run pays for every import in here, so the launcher itself, and Hydra with it, stay out.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.rundir.directory import RunDirectory
from orchestrator.runner import forkserver_preload
from orchestrator.runner.attempt_program import redirect
from orchestrator.runner.entry_point import Standby
from orchestrator.runner.lock_keeper import Keeper, watch_over

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from orchestrator.runner.entry_point import EntryPoint
    from orchestrator.runner.time_limits import Limits


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """What a forked runner is to do."""

    run_dir: Path
    attempt: int
    program: EntryPoint
    limits: Limits
    environment: Mapping[str, str]


def tell_failure(sender: Connection) -> None:
    """Tell what went wrong when the modules were loaded; an empty text if nothing did."""
    with contextlib.suppress(BrokenPipeError):  # whoever asked has been stopped meanwhile
        sender.send(forkserver_preload.FAILURE)


def be_runner(line: Connection) -> None:
    """Be a runner, in the forked process: carry out orders, until nobody is left to give them.

    The orders come on ``line``, and what there was to complain of goes back, an empty text if nothing;
    by then the run is not locked any more. Signals are held back from before the fork on, for a
    request to stop may come right behind an order.
    """
    from orchestrator.runner.runner import take_over  # noqa: PLC0415 # loaded before the fork

    # The terminal's signals, and the terminal, are for the orchestrator.
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    redirect(nowhere)
    os.close(nowhere)
    # The keeper's end of the line stays open: what it takes over is not over yet.
    with line:
        watch_over(partial(_carry_out_orders, line), take_over)


def _carry_out_orders(line: Connection, keeper: Keeper) -> int:
    from orchestrator.runner.runner import work  # noqa: PLC0415 # loaded before the fork

    for of_the_runner in (line, keeper):  # and not of the program
        os.register_at_fork(after_in_child=of_the_runner.close)
    environment = dict(os.environ)
    with line, contextlib.suppress(EOFError, ConnectionError):
        while True:
            with _fork_ahead() as standby:
                order: AttemptRequest = line.recv()
                os.environ.clear()
                os.environ.update(environment | dict(order.environment))
                program = replace(order.program, standby=standby)
                directory = RunDirectory(order.run_dir)
                _, complaint = work(directory, order.attempt, program, order.limits, keeper)
            line.send(complaint)
    return 0


def _fork_ahead() -> Standby | contextlib.nullcontext[None]:
    """Fork the next program ahead; where there is no room for it now, it is forked when needed."""
    try:
        return Standby()
    except OSError:
        return contextlib.nullcontext()
