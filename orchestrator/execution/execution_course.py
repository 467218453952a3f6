"""The course of an execution: how far each run goes before others go on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Final

from orchestrator.execution.scheduler import QueuedRun
from orchestrator.grid.extension import total_of
from orchestrator.rundir.pauses import read_pauses
from orchestrator.rundir.run_metrics import read_contiguous_steps
from orchestrator.runner.pause_at_iteration import STOP_AFTER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.execution.run_queue import RunQueue
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation


@dataclass(frozen=True, slots=True)
class Standstill:
    """How a course ends: how many runs are ``left``, and how many ``paused`` for good.

    ``failed`` of the paused ones had failed before, and are not retried, since others were better.
    """

    left: int
    paused: int = 0
    failed: int = 0


def variables_of(decision: Decision) -> Mapping[str, str]:
    """Return the variable that tells a program to pause after an iteration, if it is to.

    One that is to pause after its last iteration goes on to its end.
    """
    if decision.stop_after is None or decision.stop_after >= _count_iterations(decision):
        return {}
    return {STOP_AFTER: str(decision.stop_after)}


def _count_iterations(decision: Decision) -> float:
    """Return how many iterations a run has, by its config or by what it reports."""
    if total := total_of(decision.run.config):
        return total
    return decision.seen.progress.iterations if decision.seen.progress else inf


class WholeRuns:
    """Each run is executed to its end."""

    trouble = ""

    def aim(self, decision: Decision) -> Decision:
        """Return the decision as it is."""
        return decision

    def aim_again(
        self,
        decision: Decision,
        failed: Collection[RunId],  # noqa: ARG002 # of no interest
    ) -> Decision | None:
        """Return the decision as it is."""
        return decision

    def note_pause(self, decision: Decision, seen: Observation, queue: RunQueue) -> None:
        """Do nothing: no run is told to pause."""

    def go_on(self, failed: Collection[RunId]) -> Sequence[Decision]:  # noqa: ARG002 # of no interest
        """Return nothing: all runs were started."""
        return ()

    def count(
        self,
        failed: Collection[RunId],  # noqa: ARG002 # as above
        told: Collection[RunId],  # noqa: ARG002 # as above
    ) -> Standstill | None:
        """Return None: no run is paused."""
        return None


WHOLE_RUNS: Final = WholeRuns()


class BreadthFirst(WholeRuns):
    """All runs advance some iterations at a time: one that pauses is queued behind the others.

    Args:
        experiment: The experiment's folder.
        step: How many iterations.
    """

    def __init__(self, experiment: ExperimentDirectory, step: int) -> None:
        self._experiment = experiment
        self._step = step

    def aim(self, decision: Decision) -> Decision:
        """Return the decision to execute a run up to the next multiple of the step."""
        return self._beyond(decision, decision.seen.saved)

    def aim_again(
        self,
        decision: Decision,
        failed: Collection[RunId],  # noqa: ARG002 # as above
    ) -> Decision | None:
        """Return the decision to go on from where another process has left a run."""
        return self.aim(decision)

    def note_pause(self, decision: Decision, seen: Observation, queue: RunQueue) -> None:
        """Queue the run for its next iterations."""
        reached = max(seen.saved, seen.progress.iteration if seen.progress else 0)
        queue.ready.append(QueuedRun(self._beyond(decision.again(seen), reached)))

    def _beyond(self, decision: Decision, reached: int) -> Decision:
        if decision.seen.progress is None:
            # What it has logged shows how far it is, and where it has paused.
            directory = self._experiment.run(decision.run.run_id)
            logged = len(read_contiguous_steps(directory.metrics))
            if not decision.seen.is_paused:  # the last one may not be over
                logged = max(0, logged - 1)
            reached = max(logged, read_pauses(directory, decision.seen).furthest)
        return replace(decision, stop_after=(reached // self._step + 1) * self._step)
