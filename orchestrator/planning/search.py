"""A search: which runs belong to it, what they tell, and the next points.

The run directories are its only state: a search that was killed goes on from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestrator.config.experiment_settings import SharedSettings
from orchestrator.config.grid_templates import make_templates
from orchestrator.errors import ConfigError, RunDirectoryError, UsageError
from orchestrator.grid.axes import Axis
from orchestrator.grid.points import Points
from orchestrator.grid.run_selection import select_runs
from orchestrator.planning.metric_direction import Direction, direction_of
from orchestrator.planning.plan import decide
from orchestrator.planning.proposals import PointOutcome, TriedPoint, propose
from orchestrator.rundir.folder_lock import exclusive
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.config.search_settings import SearchSettings
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.grid.run_selection import Selection
    from orchestrator.grid.search_space import SearchSpace
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.experiment import ExperimentDirectory

_SHOWN = 5
LOCKED: Final = "search"  # a folder without content


@dataclass(frozen=True, slots=True)
class Member:
    """A run of a search: its point, where that is in the space, and when it was created."""

    run_id: RunId
    point: Mapping[str, Value]
    places: tuple[float, ...]
    created_at: str


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
    """

    def __init__(
        self,
        described: ExperimentConfig,
        space: SearchSpace,
        settings: SearchSettings,
        experiment: ExperimentDirectory,
    ) -> None:
        self._described = described
        self._space = space
        self.settings = settings
        self._experiment = experiment
        self._shared = SharedSettings(described.composer.span, described.composer.resolve)
        self._members: dict[RunId, Member] = {}
        self._strangers: set[RunId] = set()
        self._measured: dict[RunId, TriedPoint] = {}
        self.started: list[Run] = []
        self.trouble = ""

    def members(self) -> list[Member]:
        """Return the runs of the search that exist, in the order in which they were created.

        Raises:
            OrchestratorError: The folder cannot be read, or a point cannot be composed.
        """
        there = self._experiment.run_ids()
        news = {}
        for run_id in there:
            if run_id in self._members or run_id in self._strangers:
                continue
            member = self._read(run_id)
            if member is None:
                self._strangers.add(run_id)
            else:
                news[run_id] = member
        if news:
            # A run of the same axes may have another config otherwise: then its ID is another one.
            points = [member.point for member in news.values()]
            named = {run.run_id for run in self._select(points).runs}
            for run_id, member in news.items():
                if run_id in named:
                    self._members[run_id] = member
                else:
                    self._strangers.add(run_id)
        found = (self._members[run_id] for run_id in there if run_id in self._members)
        return sorted(found, key=lambda member: (member.created_at, member.run_id))

    def _read(self, run_id: RunId) -> Member | None:
        directory = self._experiment.run(run_id)
        try:
            point = directory.read_overrides()
            places = self._space.places_of(point)
            if places is None:
                return None
            ordered = {each.key: point[each.key] for each in self._space.dimensions}
            return Member(run_id, ordered, places, directory.read_created_at())
        except RunDirectoryError:
            return None  # orch status reports the damage

    def span(self, points: Sequence[Mapping[str, Value]]) -> Points:
        """Return these points as those of one grid, on which all axes vary together."""
        if not points:
            return Points()
        first, *others = (
            Axis(each.key, tuple(point[each.key] for point in points))
            for each in self._space.dimensions
        )
        return Points([replace(first, along=tuple(others))])

    def _select(self, points: Sequence[Mapping[str, Value]]) -> Selection:
        """Return the runs of points that no filter drops."""
        span = self.span(points)
        composer = self._described.composer.with_span(span)
        return select_runs(
            span,
            self._shared.templates(make_templates(composer)),
            composer.resolve,
            (),
            exclude=self._described.settings.identity_exclude,
            conceal=partial(composer.conceal, training=self._experiment.training),
        )

    def tried(self, members: Sequence[Member]) -> list[TriedPoint]:
        """Return what these runs tell.

        Raises:
            UsageError: Runs are done, and none reports the metric.
        """
        unknown = [member.run_id for member in members if member.run_id not in self._measured]
        seen = self._experiment.observe(unknown)
        reported: set[str] = set()
        lacking = False
        found = []
        for member in members:
            trial = self._measured.get(member.run_id)
            if trial is None:
                trial = TriedPoint(member.places, PointOutcome.OPEN)
                if seen[member.run_id].state is State.DONE:
                    trial = self._measure(member, reported)
                    self._measured[member.run_id] = trial
                    lacking = lacking or trial.outcome is PointOutcome.NOTHING
                elif seen[member.run_id].state is State.FAILED:
                    trial = TriedPoint(member.places, PointOutcome.NOTHING)
            found.append(trial)
        if lacking and all(trial.outcome is not PointOutcome.MEASURED for trial in found):
            named = ", ".join(sorted(reported)[:_SHOWN]) or "no metrics"
            raise UsageError(
                f"orch.search.metric: runs are done, and none reports {self.settings.metric!r}. They"
                f" report {named}."
            )
        return found

    def standing(self) -> SearchStanding:
        """Return how far the search has come.

        Raises:
            OrchestratorError: As ``propose``.
        """
        members = self.members()
        trials = self.tried(members)
        sign = 1 if self.is_maximized else -1
        measured = [
            (sign * trial.value, member.run_id)
            for member, trial in zip(members, trials, strict=True)
            if trial.outcome is PointOutcome.MEASURED
        ]
        value, best = max(measured, key=lambda it: it[0], default=(math.nan, None))
        return SearchStanding(len(members), len(measured), best, sign * value)

    def _measure(self, member: Member, reported: set[str]) -> TriedPoint:
        metrics = self._experiment.run(member.run_id).outcome(whole=True).metrics
        reported.update(metrics)
        value = metrics.get(self.settings.metric)
        if isinstance(value, int | float) and math.isfinite(value):
            return TriedPoint(member.places, PointOutcome.MEASURED, float(value))
        return TriedPoint(member.places, PointOutcome.NOTHING)

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
        trials = self.tried(members)
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
                self.trouble = f"the search has tried all {len(trials)} points that the axes and the filters allow"
                break
            run = allowed[repr(point)]
            found.append(run)
            taken.add(run.run_id)
            trials.append(TriedPoint(self._space.places_of(point) or (), PointOutcome.OPEN))
        return found

    def _is_allowed(
        self, taken: set[RunId], allowed: dict[str, Run], point: Mapping[str, Value]
    ) -> bool:
        runs = self._select([point]).runs
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
