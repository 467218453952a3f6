"""Outrun aims: how far runs were to go, before another process has executed them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.planning.plan import Action

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.execution.protocols import Course
    from orchestrator.execution.scheduler import QueuedRun
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.state import Observation


class OutrunAims:
    """Has runs aimed again that have come further meanwhile, and start after all.

    Args:
        course: Decides how far they go now.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._outrun: set[RunId] = set()

    def look(self, decision: Decision, seen: Observation) -> bool:
        """Return whether another process has executed a run since the decision, and remember it."""
        is_outrun = decision.action is Action.WAIT or seen.attempts > decision.seen.attempts
        if is_outrun:
            self._outrun.add(decision.run.run_id)
        return is_outrun

    def renew(
        self, waiting: QueuedRun, seen: Observation, failed: Collection[RunId]
    ) -> QueuedRun | None:
        """Return what starts, with how far it goes now; None if it does not go on."""
        decision = waiting.decision
        if decision.run.run_id not in self._outrun:
            return waiting
        self._outrun.discard(decision.run.run_id)
        aimed = self._course.aim_again(decision.again(seen), failed)
        return None if aimed is None else replace(waiting, decision=aimed)
