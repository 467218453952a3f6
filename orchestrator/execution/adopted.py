"""Adopted runs: live runs that another ``orch`` process started, or one that is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.execution.events import Adopted, LiveElsewhere
from orchestrator.rundir.state import State
from orchestrator.rundir.survivors import Survivors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.execution.events import ExecutionSnapshot
    from orchestrator.execution.protocols import Board
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation, Progress


class AdoptedRuns:
    """Waits for runs that other processes execute, and knows which of them are orphans.

    An orphan is a live run whose orchestrator or runner is gone; it still takes up a slot.
    """

    def __init__(
        self, experiment: ExperimentDirectory, board: Board, orphans: Iterable[RunId]
    ) -> None:
        self._experiment = experiment
        self._board = board
        self._orphans = set(orphans)
        self._live: dict[RunId, Decision] = {}
        self._progress: dict[RunId, Progress | None] = {}
        self._lost: dict[RunId, int] = {}  # iterations saved when a run last lost its runner

    def __len__(self) -> int:
        """Return how many runs are waited for."""
        return len(self._live)

    @property
    def orphans(self) -> int:
        """The number of orphans among them."""
        return len(self._orphans & self._live.keys())

    def adopt(self, decision: Decision, *, is_orphan: bool = False) -> None:
        """Start to wait for a run."""
        self._live[decision.run.run_id] = decision
        if is_orphan:
            self._orphans.add(decision.run.run_id)
        self._board.show(Adopted(decision.run, decision.reason))

    def observe(self, decision: Decision, survivors: Survivors | None = None) -> Observation | None:
        """Return what is seen of a run, or None if it cannot be read now."""
        try:
            return self._experiment.run(decision.run.run_id).observe(survivors)
        except OSError:
            return None

    def look_later(self, decision: Decision) -> None:
        """Wait for a run that could not be read: it may be live, or over."""
        self._live[decision.run.run_id] = decision

    def over(self) -> list[tuple[Decision, Observation]]:
        """Return the runs that are over, with their observations, and stop waiting for them."""
        survivors = Survivors()
        looked_at = [(each, self.observe(each, survivors)) for each in self._live.values()]
        self._progress = {each.run.run_id: seen.progress for each, seen in looked_at if seen}
        over = [
            (each, seen) for each, seen in looked_at if seen and seen.state is not State.RUNNING
        ]
        for decision, _ in over:
            del self._live[decision.run.run_id]
        return over

    def show_in(self, snapshot: ExecutionSnapshot) -> ExecutionSnapshot:
        """Return a snapshot with the runs that are waited for, as they were seen by ``over``."""
        if not self._live:
            return snapshot
        progress = {**{it: each.seen.progress for it, each in self._live.items()}, **self._progress}
        shown = [LiveElsewhere(each.run, progress[it]) for it, each in self._live.items()]
        return replace(snapshot, elsewhere=shown)

    def is_hopeless(self, decision: Decision, seen: Observation) -> bool:
        """Return whether a run lost its runner again without saving an iteration in between."""
        run_id = decision.run.run_id
        is_lost = seen.state is State.STALE and not seen.is_paused
        if run_id not in self._orphans or not is_lost:
            return False
        before, self._lost[run_id] = self._lost.get(run_id, -1), seen.saved
        return seen.saved <= before
