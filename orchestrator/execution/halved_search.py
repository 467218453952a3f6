"""The course of a halved search: new points are trained to the first rung, and the best go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.execution.halving_course import HalvingCourse
from orchestrator.planning.halving_stage import StageReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.config.halving_settings import Halving
    from orchestrator.execution.events import Event
    from orchestrator.planning.plan import Decision, Decisions
    from orchestrator.planning.search import Search
    from orchestrator.rundir.experiment import ExperimentDirectory


class HalvedSearch(HalvingCourse):
    """Compares the runs of a search, also those that are chosen meanwhile, here or by another process.

    Args:
        experiment: The experiment's folder.
        decisions: The decisions on the runs that there are, in their stage.
        search: Where further runs come from.
        halving: How the runs are compared.
        tell: Shows an event.
    """

    def __init__(
        self,
        experiment: ExperimentDirectory,
        decisions: Decisions,
        search: Search,
        halving: Halving,
        tell: Callable[[Event], None],
    ) -> None:
        reader = StageReader(experiment, halving, search)
        super().__init__(experiment, decisions, reader, halving, tell)
        self._search = search

    def aim(self, decision: Decision) -> Decision:
        """Return the decision, for a run that the search has just chosen to train it to the first rung."""
        if decision.run.run_id not in self._places:
            self._add([decision.run])
            decision = replace(decision, stop_after=self._halving.rung(0))
        return super().aim(decision)

    def _observe(self) -> None:
        self._add(member.run for member in self._search.members())
        super()._observe()
