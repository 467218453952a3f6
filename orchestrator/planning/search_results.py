"""What the runs of a search tell it: the value of its metric at the end, or as far as a run has come."""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.planning.curve_reader import CurveReader
from orchestrator.planning.proposals import PointOutcome, TriedPoint
from orchestrator.planning.value_at_iteration import value_at
from orchestrator.rundir.run_metrics import read_curves
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.search_members import Member
    from orchestrator.rundir.experiment import ExperimentDirectory

_SHOWN: Final = 5


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
        found: list[TriedPoint] = []
        lacking: list[Member] = []
        for member in members:
            told = self._finished.get(member.run_id)
            if told is None:
                state = seen[member.run_id].state
                told = self._look(member, state)
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

    def _look(self, member: Member, state: State) -> TriedPoint | None:
        """Return what a run tells; None if it should have the metric, and does not."""
        if state is State.DONE:
            return self._measure(member)
        if state is State.FAILED:
            return TriedPoint(member.places, PointOutcome.NOTHING)
        reached, curve = self._curves.read(member.run_id) if self._halving else (0, {})
        rung = self._last_rung(reached)
        if not rung:
            return TriedPoint(member.places, PointOutcome.OPEN)
        if not curve:
            return None
        value = value_at(curve, rung, reached)
        return TriedPoint(member.places, PointOutcome.PARTLY, value, rung)

    def _measure(self, member: Member) -> TriedPoint | None:
        value = self._experiment.run(member.run_id).outcome(whole=True).metrics.get(self._metric)
        if value is None:
            return None
        if isinstance(value, int | float) and math.isfinite(value):
            return TriedPoint(member.places, PointOutcome.MEASURED, float(value))
        return TriedPoint(member.places, PointOutcome.NOTHING)  # it has diverged

    def _last_rung(self, reached: int) -> int:
        """Return the last rung up to an iteration; 0 if there is none."""
        last = 0
        for number in count():
            rung = self._halving.rung(number) if self._halving else None
            if rung is None or rung > reached:
                return last
            last = rung
        raise AssertionError  # the count has no end

    def _describe_lack(self, member: Member) -> str:
        directory = self._experiment.run(member.run_id)
        if member.run_id in self._finished:
            names, what = sorted(directory.outcome(whole=True).metrics), "are done"
        else:
            names, what = sorted(read_curves(directory.metrics)), "have come to a rung"
        named = ", ".join(names[:_SHOWN]) or "no metrics"
        return f"orch.search.metric: runs {what}, and none reports {self._metric!r}. They report {named}."
