"""The status of an experiment: its run directories, and the runs of the grid that have none yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.errors import RunDirectoryError
from orchestrator.grid.lazy_runs import find_places, overrides_at
from orchestrator.rundir.identity_file import read_identity
from orchestrator.rundir.program_files import read_figure
from orchestrator.rundir.run_summary import Report, report_on_seen
from orchestrator.rundir.state import NOTHING_THERE, State, fill_counts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestrator.grid.config_values import Value
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.load import Planned
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation


@dataclass(frozen=True, slots=True)
class ExperimentStatus:
    """What was seen of the runs of an experiment; the report on each is read on request.

    ``existing`` are the run directories. ``named`` are the directories that the grid names,
    with the index in it, and ``pending`` the runs of the grid without one, in its order. Without a
    grid, all directories are meant.
    """

    experiment: ExperimentDirectory
    existing: Mapping[RunId, Observation]
    named: Mapping[RunId, int] = field(default_factory=dict)
    pending: Sequence[Run] = ()
    grid: Sequence[Run] | None = None

    def count(self, *, with_others: bool = False) -> Mapping[State, int]:
        """Return the number of runs in each state, for all states.

        ``with_others``: those that the grid does not name as well.
        """
        run_ids = self.existing if with_others else self._meant
        counts = Counter(self.existing[run_id].state for run_id in run_ids)
        counts[State.PENDING] += len(self.pending)
        return fill_counts(counts)

    def count_paused(self, *, with_others: bool = False) -> int:
        """Return how many of the stale runs have paused."""
        run_ids = self.existing if with_others else self._meant
        return sum(self.existing[run_id].is_paused for run_id in run_ids)

    @property
    def others(self) -> int:
        """The number of run directories that the grid does not name."""
        return len(self.existing) - len(self._meant)

    @property
    def _meant(self) -> Collection[RunId]:
        return self.existing if self.grid is None else self.named

    def is_in_grid(self, run_id: RunId) -> bool | None:
        """Return whether the grid names a run; None without a grid."""
        if self.grid is None:
            return None
        return run_id in self.named or run_id not in self.existing

    def reports(
        self, states: Collection[State], *, with_others: bool, most: int | None = None
    ) -> list[Report]:
        """Return the reports on the runs in these states, the oldest first, the pending ones last.

        ``with_others``: on those that the grid does not name as well. ``most``: on how many.
        """
        run_ids = self._oldest_first(self.run_ids(states, with_others=with_others))
        return (self._reports_on(run_ids[:most]) + self.pending_reports(states))[:most]

    def run_ids(self, states: Collection[State], *, with_others: bool) -> list[RunId]:
        """Return the IDs of the run directories in these states."""
        run_ids = self.existing if with_others else self._meant
        if {*State} <= {*states}:
            return [*run_ids]
        return [run_id for run_id in run_ids if self.existing[run_id].state in states]

    def reports_on(self, run_ids: Sequence[RunId]) -> list[Report]:
        """Return the reports on run directories, the oldest first."""
        return self._reports_on(self._oldest_first(run_ids))

    def _reports_on(self, run_ids: Sequence[RunId]) -> list[Report]:
        training = f"{self.experiment.training}"
        return [
            report_on_seen(f"{training}/{it}", self.existing[it], self._overrides(it))
            for it in run_ids
        ]

    def _oldest_first(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Return runs by when they were created; those that are only prepared come last."""
        seen, pending = self.existing, State.PENDING
        return sorted(run_ids, key=lambda it: (seen[it].state is pending, self._created_at(it), it))

    def _created_at(self, run_id: RunId) -> str:
        """Return when a run directory was created; an empty text if it does not say."""
        identity = self.existing[run_id].identity
        if identity is None:
            try:
                identity = read_identity(self.experiment.run(run_id).identity)
            except RunDirectoryError:
                return ""
        return str(identity.get("created_at", ""))

    def read_figure(self, run_id: RunId, metric: str) -> float | None:
        """Return a metric as the report on a run directory has it; None if it is not a number."""
        has_begun = self.existing[run_id].status is not None
        return read_figure(f"{self.experiment.training}/{run_id}", metric) if has_begun else None

    def pending_reports(self, states: Collection[State]) -> list[Report]:
        """Return the reports on the runs of the grid without a directory, if these states are asked for."""
        if State.PENDING not in states:
            return []
        return [Report(run.run_id, run.overrides, "", NOTHING_THERE) for run in self.pending]

    def _overrides(self, run_id: RunId) -> Mapping[str, Value] | None:
        place = self.named.get(run_id)
        return None if place is None or self.grid is None else overrides_at(self.grid, place)


def status_of_runs(experiment: ExperimentDirectory, run_ids: Sequence[RunId]) -> ExperimentStatus:
    """Return the status of run directories of an experiment."""
    return ExperimentStatus(experiment, experiment.observe(run_ids))


def status_of_grid(planned: Planned, others: Sequence[RunId]) -> ExperimentStatus:
    """Return the status of the runs of a plan, and of other run directories."""
    decisions = planned.plan.decisions
    seen = dict(decisions.observed())
    named = {decisions.run_id(at): at for at in sorted(seen)}
    existing = {run_id: seen[at] for run_id, at in named.items()}
    existing |= status_of_runs(planned.experiment, others).existing
    missing = [at for at in decisions.places((State.PENDING,)) if at not in seen]
    return ExperimentStatus(
        planned.experiment,
        existing,
        named,
        decisions.pick(missing).runs,
        decisions.runs,
    )


def observe_again(planned: Planned) -> Planned:
    """Return a plan with the states of now.

    Raises:
        RunDirectoryError: The folder cannot be read.
    """
    experiment, plan = planned.experiment, planned.plan
    existing = experiment.run_ids()
    seen = experiment.observe_among(plan.decisions.runs, existing)
    decisions = plan.decisions.observed_again(seen)
    in_grid = find_places(plan.selection.runs, existing)
    former = [run_id for run_id in existing if run_id not in in_grid]
    return replace(planned, plan=replace(plan, decisions=decisions), former=former)
