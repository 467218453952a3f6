"""The stage of a halved grid: reads how far its runs are, and decides what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.errors import UsageError
from orchestrator.grid.extension import TOTAL, total_of
from orchestrator.grid.identity import Run, short
from orchestrator.planning.curve_reader import CurveReader
from orchestrator.planning.missing_metric import describe_choice
from orchestrator.planning.plan import Decisions
from orchestrator.planning.run_results import is_of_test
from orchestrator.planning.rung_decisions import find_stage
from orchestrator.planning.rung_order import Contestant, End
from orchestrator.planning.step_meaning import StepReading, find_meaning
from orchestrator.rundir.run_metrics import read_curves
from orchestrator.rundir.state import LIVE, State
from orchestrator.runner.failure_classes import has_failed_by_itself

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from orchestrator.config.halving_settings import Halving
    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.load import Planned
    from orchestrator.planning.rung_decisions import Stage
    from orchestrator.planning.search import Search
    from orchestrator.planning.step_meaning import LoggedMetric, StepMeaning
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation

_STEPS: Final = 4  # steps in a message


W = TypeVar("W", bound="Work")


def halve(work: W, halving: Halving) -> W:
    """Return work whose runs are compared with each other.

    Raises:
        UsageError: As for ``StageReader.stage``.
    """
    decisions = work.plan.decisions
    seen = dict(decisions.observed())
    # Those that have failed are retried, unless they are settled.
    failed = {at for at in seen if decisions.run(at).run_id in work.settled}
    reader = StageReader(work.experiment, halving, work.growing_search)
    stage = reader.stage(decisions, seen, failed)
    plan = replace(work.plan, decisions=decisions.staged(stage))
    return replace(work, plan=plan, halving=halving)


def look_at_grid(planned: Planned, reader: StageReader, *, is_executed: bool) -> Decisions:
    """Return the decisions on all runs of a grid, as they stand now.

    A run that has failed is retried by the next ``orch run``, but not by one that ``is_executed``.

    Raises:
        UsageError: As for ``StageReader.stage``.
    """
    decisions, experiment = planned.plan.decisions, planned.experiment
    if planned.plan.only:
        runs = planned.plan.selection.runs
        decisions = Decisions(runs, experiment.observe_among(runs, experiment.run_ids()))
    seen = dict(decisions.observed())
    return decisions.staged(reader.stage(decisions, seen, None if is_executed else ()))


def look_at_directories(
    experiment: ExperimentDirectory, reader: StageReader, *, is_executed: bool
) -> Decisions:
    """Return the decisions on all runs that have a directory, as if they were one grid.

    ``is_executed`` is as for ``look_at_grid``.

    Raises:
        UsageError: As for ``StageReader.stage``.
    """
    existing = experiment.observe(experiment.run_ids())
    runs = []
    for run_id in existing:
        progress = experiment.run(
            run_id
        ).read_progress()  # instead of its config, which is slow to read
        config = {TOTAL: progress.iterations} if progress else {}
        runs.append(Run(run_id, "", {}, config, {}))
    seen = dict(enumerate(existing.values()))
    decisions = Decisions(runs, seen)
    return decisions.staged(reader.stage(decisions, seen, None if is_executed else ()))


class StageReader:
    """Reads the curves of runs, and decides.

    Args:
        experiment: The experiment's folder.
        halving: How the runs are compared.
        search: The search that they belong to: those that it has not chosen yet count, too.
    """

    def __init__(
        self, experiment: ExperimentDirectory, halving: Halving, search: Search | None = None
    ) -> None:
        self._experiment = experiment
        self._halving = halving
        self._search = search
        self._curves = CurveReader(experiment, halving.metric)

    def stage(
        self,
        decisions: Decisions,
        seen: Mapping[int, Observation],
        failed: Collection[int] | None = None,
    ) -> Stage:
        """Decide what becomes of every run.

        Args:
            decisions: The runs.
            seen: What was just seen of those that have a directory, by their places.
            failed: The places of those that have failed and are not retried; None: all that have
                failed by themselves.

        Raises:
            UsageError: Runs have reached the first rung, and none has the metric, or its steps are not
                iterations.
        """
        if failed is None:
            # One that was killed is retried, so that others wait for it.
            failed = {
                at for at, each in seen.items() if has_failed_by_itself(each.state, each.failure)
            }
        logged = {at: self._read(decisions.run(at), it) for at, it in seen.items()}
        meaning = find_meaning(list(logged.values()), self._halving.steps_from)
        contestants: dict[int, Contestant] = {}
        for at, each in logged.items():
            end = End.DONE if seen[at].state is State.DONE else End.OPEN
            curve, done = meaning.by_iteration(each), meaning.reached(each)
            contestants[at] = Contestant(decisions.run(at).run_id, curve, done, end)
        for at in failed:
            known = contestants.get(at) or Contestant(decisions.run(at).run_id)
            contestants[at] = replace(known, end=End.FAILED)
        self._check_metric(contestants, seen, logged)
        expected = 0 if self._search is None else self._search.expected
        runs = max(expected, len(decisions))
        first = self._halving.rung(0) or 1
        everyone = contestants.values()
        # Those that come later may tell what the steps of the first ones mean.
        has_all = len(contestants) == runs and all(each.has_reached(first) for each in everyone)
        if any(each.end is End.OPEN for each in everyone):
            compared = has_all or self._halving.is_asynchronous
            is_live = any(each.state in LIVE for each in seen.values())
            for at, each in logged.items():
                if contestants[at].end is not End.FAILED and (compared or each.is_exact):
                    reached = self._find_known(contestants[at], each, meaning, is_live=is_live)
                    contestants[at] = replace(contestants[at], reached=reached)
        return find_stage(contestants, runs, self._halving)

    def _read(self, run: Run, seen: Observation) -> LoggedMetric:
        total = None if seen.progress else total_of(run.config)
        return self._curves.read(run.run_id, seen, total)

    def _check_metric(
        self,
        contestants: Mapping[int, Contestant],
        seen: Mapping[int, Observation],
        logged: Mapping[int, LoggedMetric],
    ) -> None:
        """Refuse a metric that no run has, once one has come to the first rung."""
        first = self._halving.rung(0) or 1
        ended = [at for at, each in seen.items() if each.state not in LIVE]
        arrived = [
            contestants[at]
            for at in ended
            if contestants[at].end is not End.FAILED and contestants[at].has_reached(first)
        ]
        if arrived and not any(logged[at].curve for at in ended):
            raise UsageError(self._describe_lack(arrived, first))

    def _find_known(
        self, run: Contestant, logged: LoggedMetric, meaning: StepMeaning, *, is_live: bool
    ) -> int:
        """Return how far a run is, up to the first rung at which its steps do not tell its value.

        Raises:
            UsageError: There is such a rung, and nobody who may tell still lives, so that it is in vain to
                wait.
        """
        rungs = [*self._halving.rungs_up_to(run.reached)]
        if meaning.is_unclear(logged):
            unknown = min(rungs, default=1 if run.end is End.DONE else None)
            trouble = (
                f"halving: the steps of {self._halving.metric!r} are not iterations: run"
                f" {short(run.run_id)} has {len(logged.curve)} values up to step"
                f" {max(logged.curve)} after iteration {run.reached}. Log it once per iteration."
            )
        else:
            unknown = next((it for it in rungs if meaning.is_doubtful(logged, it)), None)
            trouble = self._describe_doubt(run, logged, meaning)
        if unknown is None:
            return run.reached
        if not logged.is_settled or (is_live and not logged.is_exact):
            return unknown - 1  # it is resumed up to there, or waits for those that live
        raise UsageError(trouble)

    def _describe_doubt(self, run: Contestant, logged: LoggedMetric, meaning: StepMeaning) -> str:
        steps = list(map(str, logged.curve))
        few = ", ".join(steps[:_STEPS]) + (", ..." if len(steps) > _STEPS else "")
        has = f"run {short(run.run_id)} has the steps {few} after iteration {run.reached}"
        if meaning.readings(logged) <= {StepReading.FROM_0, StepReading.FROM_1}:
            return (
                f"halving: the steps of {self._halving.metric!r} do not tell whether the first"
                f" iteration is step 0 or 1: {has}. Set orch.halving.steps_from to 0 or 1."
            )
        return (
            f"halving: the steps of {self._halving.metric!r} do not tell whether they are iterations: {has}."
            " If they are, set orch.halving.steps_from to 0 or 1; if not, log it with the iteration as its step."
        )

    def _describe_lack(self, arrived: Iterable[Contestant], first: int) -> str:
        there = (read_curves(self._experiment.run(each.run_id).metrics) for each in arrived)
        names = [it for it in dict.fromkeys(chain.from_iterable(there)) if not is_of_test(it)]
        metric = self._halving.metric
        choice = describe_choice(metric, names, "a first rung at which it is logged")
        return f"halving: no run has the metric {metric!r} after iteration {first}. {choice}"
