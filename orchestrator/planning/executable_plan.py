"""An executable plan: a plan with all that its execution needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.orch_settings import Settings
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision, Plan
    from orchestrator.planning.search import Search
    from orchestrator.rundir.experiment import ExperimentDirectory


@dataclass(frozen=True, slots=True)
class Work:
    """A plan with its experiment's folder, and the settings to execute it with.

    ``settled`` are the runs that failed after the work was prepared: they are not retried. ``halving``
    is how the runs are compared, if they are; the decisions then are those of a stage. ``search`` is
    where further runs come from.
    """

    plan: Plan
    experiment: ExperimentDirectory
    settings: Settings
    settled: frozenset[RunId] = field(default=frozenset(), kw_only=True)
    halving: Halving | None = field(default=None, kw_only=True)
    search: Search | None = field(default=None, kw_only=True)

    @property
    def growing_search(self) -> Search | None:
        """The search, unless only some of its runs are wanted: then it chooses no more."""
        return None if self.plan.only else self.search

    def starts(self) -> tuple[Decision, ...]:
        """Return the decisions that start an attempt."""
        starts = self.plan.starts()
        if not self.settled:
            return starts
        return tuple(each for each in starts if each.run.run_id not in self.settled)

    def count_open(self) -> int:
        """Return how many runs are neither done nor paused."""
        return len(self.plan.decisions) - self.plan.states[State.DONE] - self.count_paused()

    def count_paused(self) -> int:
        """Return how many runs are paused because others were better."""
        stage = self.plan.decisions.stage
        return 0 if stage is None else len(stage.paused)

    def count_paused_failed(self) -> int:
        """Return how many of the paused runs have failed: they are not retried."""
        decisions = self.plan.decisions
        paused = frozenset() if decisions.stage is None else decisions.stage.paused
        return len(paused.intersection(decisions.places([State.FAILED])))

    def failures(self) -> tuple[Decision, ...]:
        """Return the decisions on runs that have failed, and are not retried."""
        starts = self.plan.starts() if self.settled else ()
        return tuple(each for each in starts if each.run.run_id in self.settled)
