"""Pausing: a program that saves its state and ends after an iteration that it was told.

It is told in an environment variable, and exits with code 0. The run is not done: the next attempt
resumes it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.rundir.program_files import stat_of
from orchestrator.rundir.run_metrics import (
    read_contiguous_steps,
    read_furthest_step,
    read_last_step,
)
from orchestrator.rundir.state import PAUSED, Failure, Record, Status
from orchestrator.runner.failure_classes import FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rundir.directory import RunDirectory
    from orchestrator.rundir.state import Observation, Progress
    from orchestrator.runner.runner_guard import Begun

STOP_AFTER: Final = "ORCH_STOP_AFTER"
_WHAT_TO_REPORT: Final = (
    "Report the number of finished iterations in progress.json, and write results.json at the end."
)


class HowFar(NamedTuple):
    """How far a program is, by its progress and by the last step of its metrics; -1: it does not tell.

    ``told`` is how far it was told to go, where neither tells of each iteration.
    """

    iteration: int
    step: int
    told: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether nothing tells it."""
        return self.iteration < 0 and self.step < 0


def own_stop_after() -> int | None:
    """Return the iteration after which the program of this process is to pause."""
    told = os.environ.get(STOP_AFTER, "")
    return int(told) if told.isdecimal() else None


def read_pause(
    directory: RunDirectory, seen: Observation
) -> tuple[int | None, HowFar | None, tuple[int, ...]]:
    """Return after which iteration the program is to pause, where it last did, and a sign of its metrics.

    Args:
        directory: The run directory.
        seen: What the attempts before have left in it.
    """
    after = own_stop_after()
    if after is None:
        return None, None, ()
    last = None
    if seen.is_paused and isinstance(seen.status, Status):
        last = _how_far(directory, seen.progress, seen.status.paused_after or 0)
    return after, last, stat_of(str(directory.metrics))


def judge_pause(
    directory: RunDirectory, begun: Begun, status: Status, progress: Progress | None
) -> Status | None:
    """Return the status of a program that ended with exit code 0 before its end; None if it is there.

    One that does not heed the variable goes on to its end. One that ends before the iteration may
    count from 0, or report late: it has paused if that gets it further.
    """
    after, must_leave_results = begun.stop_after, begun.program.leaves_results
    if after is None or directory.signs_of_the_end()[1] != begun.signs[1]:
        return None
    if progress:
        is_over = progress.is_complete or after >= progress.iterations
        is_there = progress.iteration >= after
    else:
        steps = read_contiguous_steps(directory.metrics)
        is_over = must_leave_results or _is_over(directory, begun, after, steps)
        is_there = bool(steps) and steps[-1] >= after
    if is_over or (must_leave_results and not is_there):
        return None
    reached = _how_far(directory, progress, after)
    is_further = begun.last_pause is None or reached > begun.last_pause
    if is_there or (is_further and not reached.is_unknown):
        return replace(status, record=Record.INTERRUPTED, reason=PAUSED, paused_after=after)
    why = _describe_silence(after) if reached.is_unknown else _describe_standstill(after, progress)
    return replace(status, record=Record.FAILED, failure=Failure(FailureKind.ERROR, why))


def has_gone_on(directory: RunDirectory, progress: Progress | None, told: int) -> bool:
    """Return whether a program that is over has gone on beyond the iteration that it was to pause after."""
    if progress:
        return progress.iteration > told
    steps = read_contiguous_steps(directory.metrics)
    return bool(steps) and _does_not_heed(steps, told)


def _does_not_heed(steps: Sequence[int], told: int) -> bool:
    return steps[-1] >= told + 2  # one that counts from 1 and heeds it is not that far


def _how_far(directory: RunDirectory, progress: Progress | None, told: int) -> HowFar:
    """Return how far a program is that was ``told`` to pause after an iteration.

    If it logs every few iterations only, it counts as far as it was told, as long as its end is known,
    up to which it is told more and more.
    """
    step = read_last_step(directory.metrics)
    if progress:
        return HowFar(progress.iteration, -1 if step is None else step)
    is_sparse = not read_contiguous_steps(directory.metrics) and _total(directory) is not None
    return HowFar(-1, -1 if step is None else step, told if is_sparse else 0)


def _total(directory: RunDirectory) -> int | None:
    from orchestrator.grid.extension import total_of  # noqa: PLC0415 # few runners need it

    return total_of(directory.read_config())


def _is_over(directory: RunDirectory, begun: Begun, after: int, steps: Sequence[int]) -> bool:
    """Return whether a program without progress has come to its end, or was not to pause before it.

    What it has logged tells only if each iteration is a step, and only what this attempt has logged:
    a lost one may have come further. Step 0 may be a value before the first iteration.
    """
    total = _total(directory)
    if total is not None and after >= total:
        return True
    if not steps or read_furthest_step(directory.metrics, begun.metrics) != steps[-1]:
        return False
    does_not_heed = _does_not_heed(steps, after)
    if total is None:
        return does_not_heed
    return steps[-1] >= total or (len(steps) == total and does_not_heed)


def _describe_silence(after: int) -> str:
    return (
        f"it exited with code 0, was to pause after iteration {after}, and has reported nothing, so that"
        f" nobody knows whether it is done. {_WHAT_TO_REPORT}"
    )


def _describe_standstill(after: int, progress: Progress | None) -> str:
    where = f" after {progress.iteration} of {progress.iterations} iterations" if progress else ""
    return (
        f"it exited with code 0{where}, was to pause after iteration {after}, and came no further than"
        f" the attempt before. {_WHAT_TO_REPORT}"
    )
