"""A run that another process has executed is aimed again before it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orchestrator.execution.execution_course import WholeRuns
from orchestrator.execution.outrun_aims import OutrunAims
from orchestrator.execution.scheduler import QueuedRun
from orchestrator.grid.identity import identify
from orchestrator.planning.plan import Decision, decide
from orchestrator.rundir.state import Observation, Record, Status

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.grid.identity import RunId

RUN = identify({"seed": 0}, {"seed": 0})


def seen(attempts: int, *, is_live: bool = False) -> Observation:
    status = Status(Record.RUNNING, attempts, "then", "box", 1)
    return Observation(status, attempts=attempts, locked=is_live)


class Course(WholeRuns):
    """Aims a run at the number of its attempts; one with four attempts does not go on."""

    def aim_again(self, decision: Decision, failed: Collection[RunId]) -> Decision | None:
        """Return the decision with another aim."""
        assert not failed
        attempts = decision.seen.attempts
        return None if attempts == 4 else replace(decision, stop_after=attempts)


def start(before: Observation, now: Observation) -> int | None:
    """Return how far a run goes, of which something else is seen when it starts; -1: it does not."""
    aims, waiting = OutrunAims(Course()), QueuedRun(replace(decide(RUN, before), stop_after=9))
    aims.look(waiting.decision, now)
    renewed = aims.renew(waiting, now, ())
    again = aims.renew(waiting, now, ())  # once is enough
    assert again == waiting
    return renewed.decision.stop_after if renewed else -1


@pytest.mark.parametrize(
    ("before", "now", "aim"),
    [
        (seen(2), seen(2), 9),
        (seen(2), seen(3), 3),
        (seen(2, is_live=True), seen(2), 2),  # it was waited for
        (seen(2), seen(4), -1),
    ],
)
def test_run_that_was_executed_meanwhile_is_aimed_again(
    before: Observation, now: Observation, aim: int
) -> None:
    assert start(before, now) == aim
