"""A search: which runs belong to it, what they tell, and the next points.

The run directories are its only state: a search that was killed goes on from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError
from orchestrator.planning.metric_direction import Direction, direction_of
from orchestrator.planning.plan import decide
from orchestrator.planning.proposals import PointOutcome, TriedPoint, propose
from orchestrator.planning.search_members import SearchMembers
from orchestrator.planning.search_results import SearchResults
from orchestrator.rundir.folder_lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.config.load import ExperimentConfig
    from orchestrator.config.search_settings import SearchSettings
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.grid.points import Points
    from orchestrator.grid.search_space import SearchSpace
    from orchestrator.planning.plan import Decision
    from orchestrator.planning.search_members import Member
    from orchestrator.rundir.experiment import ExperimentDirectory

_COUNTED: Final = 10_000  # points of a small space of which those that filters allow are counted
LOCKED: Final = "search"  # a folder without content


@dataclass(frozen=True, slots=True)
class SearchStanding:
    """How far a search has come: the points it has tried, those measured, and the best run."""

    tried: int
    measured: int
    best: RunId | None
    value: float


class Search:
    """A search in the folder of an experiment.

    ``trouble`` says why there are no further points, if that is not their number.

    Args:
        described: The config.
        space: What the search chooses from.
        settings: What it improves.
        experiment: The experiment's folder.
        halving: How its runs are compared while they are trained, if they are.
    """

    def __init__(  # what a search consists of
        self,
        described: ExperimentConfig,
        space: SearchSpace,
        settings: SearchSettings,
        experiment: ExperimentDirectory,
        halving: Halving | None = None,
    ) -> None:
        self._space = space
        self.settings = settings
        self._experiment = experiment
        self._members = SearchMembers(described, space, experiment)
        self._results = SearchResults(experiment, settings.metric, halving)
        self.started: list[Run] = []
        self.trouble = ""

    def members(self) -> list[Member]:
        """Return the runs of the search that exist, in the order in which they were created.

        Raises:
            OrchestratorError: The folder cannot be read, or a point cannot be composed.
        """
        return self._members.find()

    def span(self, points: Sequence[Mapping[str, Value]]) -> Points:
        """Return these points as those of one grid."""
        return self._members.span(points)

    @property
    def expected(self) -> int:
        """How many runs the search will have; 0 if nothing more than those that there are."""
        return 0 if self.trouble else min(self.settings.points, self._allowed)

    @cached_property
    def _allowed(self) -> int:
        """The number of runs that the axes and the filters allow, as far as there may be too few."""
        if self._space.size <= _COUNTED:
            return len(self._members.select(list(self._space.points())))
        return int(min(self.settings.points, self._space.size))

    def standing(self) -> SearchStanding:
        """Return how far the search has come.

        Raises:
            OrchestratorError: As ``propose``.
        """
        members = self.members()
        trials = self._results.read(members)
        sign = 1 if self.is_maximized else -1
        measured = [
            (sign * trial.value, member.run_id)
            for member, trial in zip(members, trials, strict=True)
            if trial.outcome is PointOutcome.MEASURED
        ]
        value, best = max(measured, key=lambda it: it[0], default=(math.nan, None))
        return SearchStanding(len(members), len(measured), best, sign * value)

    @property
    def is_maximized(self) -> bool:
        """Whether greater values of the metric are better.

        Raises:
            ConfigError: Neither the settings nor the name of the metric tell.
        """
        if self.settings.direction:
            return self.settings.direction == "max"
        direction = direction_of(self.settings.metric)
        if direction is Direction.UNKNOWN:
            raise ConfigError(
                f"orch.search.direction is not set, and the name of {self.settings.metric!r} does not"
                " tell. Set it to min or max."
            )
        return direction is Direction.MORE

    def propose(self, members: Sequence[Member], count: int) -> list[Run]:
        """Return the next runs, at most ``count``, and no more than the search has left.

        Raises:
            OrchestratorError: A point cannot be composed, Optuna is not installed, or the metric is
                not reported.
        """
        trials = self._results.read(members)
        taken = {member.run_id for member in members}
        found: list[Run] = []
        for _ in range(min(count, self.settings.points - len(members))):
            allowed: dict[str, Run] = {}
            point = propose(
                self._space,
                self.settings,
                trials,
                partial(self._is_allowed, taken, allowed),
                is_maximized=self.is_maximized,
            )
            if point is None:
                all_points = f"all {len(trials)} points" if len(trials) > 1 else "the only point"
                self.trouble = (
                    f"the search has tried {all_points} that the axes and the filters allow"
                    if trials
                    else "the filters allow no point of the search"
                )
                break
            run = allowed[repr(point)]
            found.append(run)
            taken.add(run.run_id)
            trials.append(TriedPoint(self._space.places_of(point) or (), PointOutcome.OPEN))
        return found

    def _is_allowed(
        self, taken: set[RunId], allowed: dict[str, Run], point: Mapping[str, Value]
    ) -> bool:
        runs = self._members.select([point])
        if (
            not runs
            or runs[0].run_id in taken
            or self._experiment.run(runs[0].run_id).path.exists()
        ):
            return False
        allowed[repr(point)] = runs[0]
        return True

    def supply(self, tell: Callable[[str], None]) -> Decision | None:
        """Create the run of the next point, and return the decision to start it; None if none is left.

        A lock of its own is held, so that there are never more than were asked for: the reporter holds
        that of the experiment's folder as long as it lives, and creating a run takes the one below.

        Raises:
            OrchestratorError: As ``propose``.
            OSError: The run directory cannot be written.
        """
        place = self._experiment.path / LOCKED
        place.mkdir(exist_ok=True)
        with exclusive(place, tell):
            runs = self.propose(self.members(), 1)
            if not runs:
                return None
            directory = self._experiment.create(runs[0])
        self.started.append(runs[0])
        return decide(runs[0], directory.observe())
