"""What the runs of a search tell it: the value of its metric at the end, or as far as a run has come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.planning.curve_reader import CurveReader
from orchestrator.planning.missing_metric import describe_choice
from orchestrator.planning.proposals import PointOutcome, TriedPoint
from orchestrator.planning.step_meaning import find_meaning
from orchestrator.planning.value_at_iteration import value_at
from orchestrator.rundir.run_metrics import read_curves
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.search_members import Member
    from orchestrator.planning.step_meaning import LoggedMetric, StepMeaning
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation


class SearchResults:
    """Reads what runs tell a search; a finished one only once.

    Args:
        experiment: The experiment's folder.
        metric: What is improved.
        halving: How the runs are compared while they are trained. Then one that is not over tells its
            value at the last rung that it has come to.
    """

    def __init__(
        self, experiment: ExperimentDirectory, metric: str, halving: Halving | None
    ) -> None:
        self._experiment = experiment
        self._metric = metric
        self._halving = halving
        self._curves = CurveReader(experiment, metric)
        self._finished: dict[RunId, TriedPoint] = {}
        self._has_metric = False  # some run that is done

    def read(self, members: Sequence[Member]) -> list[TriedPoint]:
        """Return what these runs tell.

        Raises:
            UsageError: Runs are done, or have come to a rung, and none reports the metric.
        """
        unknown = [member.run_id for member in members if member.run_id not in self._finished]
        seen = self._experiment.observe(unknown)
        logged = self._read_curves(seen)
        first = self._halving.steps_from if self._halving else None
        meaning = find_meaning([*logged.values()], first)
        found: list[TriedPoint] = []
        lacking: list[Member] = []
        for member in members:
            told = self._finished.get(member.run_id)
            if told is None:
                state = seen[member.run_id].state
                told = self._look(member, state, logged.get(member.run_id), meaning)
                if told is None:
                    lacking.append(member)
                    told = TriedPoint(member.places, PointOutcome.NOTHING)
                elif state is State.DONE:
                    self._has_metric = True
                if state is State.DONE:
                    self._finished[member.run_id] = told
            found.append(told)
        has_metric = any(each.outcome is PointOutcome.PARTLY for each in found)
        if lacking and not (self._has_metric or has_metric):
            raise UsageError(self._describe_lack(lacking[0]))
        return found

    def _read_curves(self, seen: Mapping[RunId, Observation]) -> Mapping[RunId, LoggedMetric]:
        """Return what the runs that are not over have logged, if they are compared."""
        over = (State.DONE, State.FAILED)
        unfinished = {run_id: each for run_id, each in seen.items() if each.state not in over}
        if self._halving is None:
            return {}
        return {run_id: self._curves.read(run_id, each) for run_id, each in unfinished.items()}

    def _look(
        self, member: Member, state: State, logged: LoggedMetric | None, meaning: StepMeaning
    ) -> TriedPoint | None:
        """Return what a run tells; None if it should have the metric, and does not."""
        if state is State.DONE:
            return self._measure(member)
        if state is State.FAILED:
            return TriedPoint(member.places, PointOutcome.NOTHING)
        rung = 0
        if self._halving is not None and logged is not None:
            rung = max(self._halving.rungs_up_to(meaning.reached(logged)), default=0)
        if logged is None or not rung:
            return TriedPoint(member.places, PointOutcome.OPEN)
        if not logged.curve:
            return None
        if meaning.is_unclear(logged) or meaning.is_doubtful(logged, rung):
            return TriedPoint(member.places, PointOutcome.OPEN)
        value = value_at(meaning.by_iteration(logged), rung)
        return TriedPoint(member.places, PointOutcome.PARTLY, value, rung)

    def _measure(self, member: Member) -> TriedPoint | None:
        value = self._experiment.run(member.run_id).outcome(whole=True).metrics.get(self._metric)
        if value is None:
            return None
        if isinstance(value, int | float) and math.isfinite(value):
            return TriedPoint(member.places, PointOutcome.MEASURED, float(value))
        return TriedPoint(member.places, PointOutcome.NOTHING)  # it has diverged

    def _describe_lack(self, member: Member) -> str:
        directory = self._experiment.run(member.run_id)
        if member.run_id in self._finished:
            names, what = sorted(directory.outcome(whole=True).metrics), "are done"
        else:
            names, what = sorted(read_curves(directory.metrics)), "have come to a rung"
        choice = describe_choice(self._metric, names)
        return f"orch.search.metric: runs {what}, and none reports {self._metric!r}. {choice}"
