"""Work: a plan with all that its execution needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config.settings import Settings
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision, Plan
    from orchestrator.rundir.experiment import ExperimentDirectory


@dataclass(frozen=True, slots=True)
class Work:
    """A plan with its experiment's folder, and the settings to execute it with.

    ``settled`` are the runs that failed after the work was prepared: they are not retried.
    """

    plan: Plan
    experiment: ExperimentDirectory
    settings: Settings
    settled: frozenset[RunId] = field(default=frozenset(), kw_only=True)

    def starts(self) -> tuple[Decision, ...]:
        """Return the decisions that start an attempt."""
        starts = self.plan.starts()
        if not self.settled:
            return starts
        return tuple(each for each in starts if each.run.run_id not in self.settled)

    def failures(self) -> tuple[Decision, ...]:
        """Return the decisions on runs that have failed, and are not retried."""
        starts = self.plan.starts() if self.settled else ()
        return tuple(each for each in starts if each.run.run_id in self.settled)
