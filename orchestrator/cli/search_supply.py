"""The search of ``orch run``: supplies the next point whenever a slot is free."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.waiting_notices import tell_waiting
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.grid.identity import short
from orchestrator.planning.misspelt_metric import describe_misspelt, find_correct_name
from orchestrator.planning.plan import Decisions
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from orchestrator.config.orch_settings import Settings
    from orchestrator.config.search_settings import SearchSettings
    from orchestrator.execution.events import Ended, ExecutionResult
    from orchestrator.execution.protocols import Course, Resources
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.load import Planned
    from orchestrator.planning.plan import Decision
    from orchestrator.planning.search import Search, SearchStanding


class SearchSupply:
    """Supplies the runs of a search until there are as many as were asked for; of a grid, none.

    An error ends the supply, and is reported when the runs that go on have ended.
    """

    def __init__(self, search: Search | None, known: int) -> None:
        self._search = search
        self._known = known
        self._error: Exception | None = None

    @property
    def _left(self) -> int:
        """The number of points that were not proposed yet."""
        if self._search is None or self._search.trouble:
            return 0
        return max(0, self._search.settings.points - self._known - len(self._search.started))

    def count_open(self, planned: Work) -> int:
        """Return how many runs are to be executed, with those that are not proposed yet."""
        return planned.count_open() + self._left

    def supplying(self, resources: Resources) -> Resources:
        """Return the resources with the supply of further runs, which take their course."""
        supply = partial(self._next, resources.course) if self._left else None
        return replace(resources, supply=supply)

    def _next(self, course: Course) -> Decision | None:
        """Return the decision to start the next run; None if there are no more."""
        try:
            decision = self._search.supply(tell_waiting) if self._search else None
        except (OrchestratorError, OSError) as error:
            self._error = error
            return None
        return decision and course.aim(decision)

    def after(
        self, planned: Work, outcome: ExecutionResult, failures: Mapping[RunId, Ended]
    ) -> tuple[Work, ExecutionResult]:
        """Return the plan with the runs that were supplied, and the result with what is left.

        Args:
            planned: The plan that was executed.
            outcome: The result.
            failures: The ends of runs that had failed before.

        Raises:
            OrchestratorError: The search could not propose a point.
        """
        outcome = replace(outcome, ended={**failures, **outcome.ended})
        if self._error is not None:
            raise self._error
        if self._search is None:
            return planned, outcome
        decisions = planned.plan.decisions
        runs = [*decisions.runs, *self._search.started]
        plan = replace(planned.plan, decisions=Decisions(runs, dict(decisions.observed())))
        reason = outcome.gave_up or self._search.trouble
        left = outcome.left + (self._left if outcome.stopped or outcome.gave_up else 0)
        return replace(planned, plan=plan), replace(outcome, left=left, gave_up=reason)


def find_search(planned: Work) -> SearchSupply:
    """Return the supply of a plan."""
    return SearchSupply(planned.growing_search, len(planned.plan.decisions))


def refuse_what_a_search_cannot(planned: Planned, settings: Settings, *, is_prepared: bool) -> None:
    """Make sure that the runs of a search are executed whole, and by this process, which proposes them.

    Raises:
        UsageError: They would not be.
    """
    if planned.search is None:
        return
    if is_prepared or settings.slurm:
        raise UsageError(
            "orch.search proposes each point when earlier runs have ended, so its runs cannot be handed"
            " to a cluster or to orch work. Set orch.slurm=null and leave out --prepare."
        )


def print_search(planned: Work, console: Console) -> None:
    """Print how far the search of a plan has come, if it is one."""
    if planned.search:
        found, metric = planned.search.standing(), planned.search.settings.metric
        console.print(Text(_describe_search(found, planned.search.settings)))
        if found.best is None and (meant := find_correct_name(metric, planned)):
            told = describe_misspelt("orch.search.metric", metric, meant)
            console.print(Text(printable(f"warning: {told}"), style="yellow"))


def _describe_search(found: SearchStanding, settings: SearchSettings) -> str:
    """Return in one line how far a search has come."""
    best = ""
    if found.best is not None:
        best = f"; the best {settings.metric} is {found.value:.6g}, of {short(found.best)}"
    if found.tried > settings.points:
        points = (
            f"{found.tried} points tried, more than the {settings.points} of orch.search.points"
        )
    else:
        points = f"{found.tried} of {settings.points} points tried"
    return f"search: {points}{best}"


def search_as_json(search: Search) -> dict[str, object]:
    """Return how far a search has come as ``orch plan --json`` prints it."""
    found, settings = search.standing(), search.settings
    return {
        "metric": settings.metric,
        "direction": "max" if search.is_maximized else "min",
        "points": settings.points,
        "tried": found.tried,
        "best": found.best and {"run_id": found.best, "value": found.value},
    }
