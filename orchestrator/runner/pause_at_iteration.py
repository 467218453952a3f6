"""Pausing: a program that saves its state and ends after an iteration that it was told.

It is told in an environment variable, and exits with code 0. The run is not done: the next attempt
resumes it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.rundir.run_metrics import read_contiguous_steps, read_last_step
from orchestrator.rundir.state import PAUSED, Failure, Record
from orchestrator.runner.failure_classes import FailureKind

if TYPE_CHECKING:
    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation, Progress, Status
    from orchestrator.runner.runner_guard import Begun

STOP_AFTER: Final = "ORCH_STOP_AFTER"


class HowFar(NamedTuple):
    """How far a program is, by its progress and by the last step of its metrics; -1: it does not tell."""

    iteration: int
    step: int


def own_stop_after() -> int | None:
    """Return the iteration after which the program of this process is to pause."""
    told = os.environ.get(STOP_AFTER, "")
    return int(told) if told.isdecimal() else None


def read_pause(directory: RunDirectory, seen: Observation) -> tuple[int | None, HowFar | None]:
    """Return after which iteration the program of this process is to pause, and where it last did.

    Args:
        directory: The run directory.
        seen: What the attempts before have left in it.
    """
    after = own_stop_after()
    if after is None or not seen.is_paused:
        return after, None
    return after, _how_far(directory, seen.progress)


def judge_pause(
    directory: RunDirectory, begun: Begun, status: Status, progress: Progress | None
) -> Status | None:
    """Return the status of a program that ended with exit code 0 before its end; None if it is there.

    One that does not heed the variable goes on to its end. One that ends before the iteration may
    count from 0, or report late: it has paused if that gets it further.
    """
    after = begun.stop_after
    if after is None or directory.signs_of_the_end()[1] != begun.signs[1]:
        return None
    if progress and (progress.is_complete or after >= progress.iterations):
        return None
    paused = replace(status, record=Record.INTERRUPTED, reason=PAUSED)
    if progress and progress.iteration >= after:
        return paused
    if begun.program.leaves_results or not (progress or _is_cut_short(directory, after)):
        return None
    reached = _how_far(directory, progress)
    if begun.last_pause is None or reached > begun.last_pause:
        return paused
    return replace(status, record=Record.FAILED, failure=_describe_standstill(after, progress))


def _how_far(directory: RunDirectory, progress: Progress | None) -> HowFar:
    step = read_last_step(directory.metrics)
    return HowFar(progress.iteration if progress else -1, -1 if step is None else step)


def _is_cut_short(directory: RunDirectory, after: int) -> bool:
    """Return whether a run has logged fewer iterations than it has, each of which is a step.

    The last step is that of the pause, too, where step 0 is a value before the first iteration.
    """
    from orchestrator.grid.extension import total_of  # noqa: PLC0415 # few runners need it

    steps = read_contiguous_steps(directory.metrics)
    total = total_of(directory.read_config())
    if not steps or total is None or after >= total:
        return False
    return len(steps) < total or steps[-1] == after


def _describe_standstill(after: int, progress: Progress | None) -> Failure:
    where = f" after {progress.iteration} of {progress.iterations} iterations" if progress else ""
    return Failure(
        FailureKind.ERROR,
        f"it exited with code 0{where}, was to pause after iteration {after}, and came no further than"
        " the attempt before. Report the number of finished iterations in progress.json, and write"
        " results.json at the end.",
    )
