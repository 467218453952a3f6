"""What a fork of the warm process does; it imports nothing that is not loaded there already.

Every run pays for every import in here, so the launcher itself, and Hydra with it, stay out.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.launchers import preload
from orchestrator.programs import redirect
from orchestrator.rundir import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection
    from pathlib import Path

    from orchestrator.limits import Limits
    from orchestrator.programs import EntryPoint


@dataclass(frozen=True, slots=True)
class Order:
    """What a forked runner is to do."""

    run_dir: Path
    attempt: int
    program: EntryPoint
    limits: Limits
    environment: Mapping[str, str]


def tell_failure(sender: Connection) -> None:
    """Tell what went wrong when the modules were loaded; an empty text if nothing did."""
    with contextlib.suppress(BrokenPipeError):  # whoever asked has been stopped meanwhile
        sender.send(preload.FAILURE)


def be_runner(order: Order, complaints: Connection) -> None:
    """Be the runner, in the forked process."""
    from orchestrator.runner import work  # noqa: PLC0415 # loaded before the fork

    # The terminal's signals, and the terminal, are for the orchestrator.
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    redirect(nowhere)
    os.close(nowhere)
    os.environ.pop(preload.MODULES, None)
    os.environ.update(order.environment)
    directory = RunDirectory(order.run_dir)
    _, complaint = work(directory, order.attempt, order.program, order.limits)
    if complaint:
        complaints.send(complaint)
