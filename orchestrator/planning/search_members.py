"""The runs that belong to a search: those of its axes, with the same config otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.config.experiment_settings import SharedSettings
from orchestrator.config.grid_templates import make_templates
from orchestrator.errors import RunDirectoryError
from orchestrator.grid.axes import Axis
from orchestrator.grid.point_selection import select_runs
from orchestrator.grid.points import Points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.load import ExperimentConfig
    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.grid.search_space import SearchSpace
    from orchestrator.rundir.experiment import ExperimentDirectory


@dataclass(frozen=True, slots=True)
class Member:
    """A run of a search, where its point is in the space, and when it was created."""

    run: Run
    places: tuple[float, ...]
    created_at: str

    @property
    def run_id(self) -> RunId:
        """The run's ID."""
        return self.run.run_id


class SearchMembers:
    """Finds the runs of a search in the folder of an experiment, and makes the runs of points.

    Args:
        described: The config.
        space: What the search chooses from.
        experiment: The experiment's folder.
    """

    def __init__(
        self, described: ExperimentConfig, space: SearchSpace, experiment: ExperimentDirectory
    ) -> None:
        self._described = described
        self._space = space
        self._experiment = experiment
        self._shared = SharedSettings(described.composer.span, described.composer.resolve)
        self._members: dict[RunId, Member] = {}
        self._strangers: set[RunId] = set()

    def find(self) -> list[Member]:
        """Return the runs that exist, in the order in which they were created.

        Raises:
            OrchestratorError: The folder cannot be read, or a point cannot be composed.
        """
        there = self._experiment.run_ids()
        news = {}
        for run_id in there:
            if run_id in self._members or run_id in self._strangers:
                continue
            found = self._read(run_id)
            if found is not None:
                news[run_id] = found
        if news:
            # A run of the same axes may have another config otherwise: then its ID is another one.
            runs = self.select([point for point, _, _ in news.values()])
            for run in runs:
                if run.run_id in news:
                    _, places, created_at = news[run.run_id]
                    self._members[run.run_id] = Member(run, places, created_at)
        self._strangers.update(it for it in there if it not in self._members)
        members = (self._members[run_id] for run_id in there if run_id in self._members)
        return sorted(members, key=lambda member: (member.created_at, member.run_id))

    def _read(self, run_id: RunId) -> tuple[Mapping[str, Value], tuple[float, ...], str] | None:
        directory = self._experiment.run(run_id)
        try:
            point = directory.read_chosen().overrides
            places = self._space.places_of(point)
            if places is None:
                return None
            ordered = {each.key: point[each.key] for each in self._space.dimensions}
            return ordered, places, directory.read_created_at()
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

    def select(self, points: Sequence[Mapping[str, Value]]) -> Sequence[Run]:
        """Return the runs of points that no filter drops, each once."""
        span = self.span(points)
        composer = self._described.composer
        composer = composer.with_grids(replace(composer.grids, span=span))
        return select_runs(
            span,
            self._shared.templates(make_templates(composer)),
            composer.resolve,
            (),
            exclude=self._described.settings.identity_exclude,
            conceal=partial(composer.conceal, training=self._experiment.training),
        ).runs
