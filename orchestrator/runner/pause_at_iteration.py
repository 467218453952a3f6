"""Pausing: a program that saves its state and ends after an iteration that it was told.

It is told in an environment variable, and exits with code 0. The run is not done: the next attempt
resumes it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.runner.runner_guard import Begun

STOP_AFTER: Final = "ORCH_STOP_AFTER"


def own_stop_after() -> int | None:
    """Return the iteration after which the program of this process is to pause."""
    told = os.environ.get(STOP_AFTER, "")
    return int(told) if told.isdecimal() else None


def has_paused(directory: RunDirectory, begun: Begun) -> bool:
    """Return whether a program that exited with code 0 has paused, instead of finishing.

    One that does not heed the variable goes on to its end, and is done.
    """
    reported = directory.read_progress()
    if begun.stop_after is None or reported is None or reported.is_complete:
        return False
    has_results = directory.signs_of_the_end()[1] != begun.signs[1]
    return reported.iteration >= begun.stop_after and not has_results
