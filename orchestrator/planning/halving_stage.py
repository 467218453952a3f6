"""The stage of a halved grid: reads how far its runs are, and decides what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.errors import UsageError
from orchestrator.grid.extension import TOTAL
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
        logged = {at: self._curves.read(decisions.run(at).run_id, it) for at, it in seen.items()}
        meaning = find_meaning(list(logged.values()), self._halving.steps_from)
        contestants: dict[int, Contestant] = {}
        for at, each in logged.items():
            end = End.DONE if seen[at].state is State.DONE else End.OPEN
            curve = meaning.by_iteration(each)
            reached = max(curve, default=0) if each.reached is None else each.reached
            contestants[at] = Contestant(decisions.run(at).run_id, curve, reached, end)
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
            self._check_steps(contestants, seen, logged, meaning, has_all=has_all)
            if has_all or self._halving.is_asynchronous:
                self._check_first_step(contestants, logged, meaning)
        return find_stage(contestants, runs, self._halving)

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

    def _check_steps(
        self,
        contestants: Mapping[int, Contestant],
        seen: Mapping[int, Observation],
        logged: Mapping[int, LoggedMetric],
        meaning: StepMeaning,
        *,
        has_all: bool,
    ) -> None:
        """Refuse steps that do not tell the value of an open run at a rung.

        ``has_all``: all runs have come to the first one.
        """
        first = self._halving.rung(0) or 1
        for at, each in logged.items():
            run = contestants[at]
            if run.end is not End.OPEN or run.reached < first:
                continue
            is_settled = seen[at].state not in LIVE and (has_all or each.is_first)
            if is_settled and meaning.read(each) is StepReading.UNCLEAR:
                raise UsageError(
                    f"halving: the steps of {self._halving.metric!r} are not iterations: run"
                    f" {short(run.run_id)} has {len(each.curve)} values up to step"
                    f" {max(each.curve)} after iteration {run.reached}. Log it once per iteration."
                )

    def _check_first_step(
        self,
        contestants: Mapping[int, Contestant],
        logged: Mapping[int, LoggedMetric],
        meaning: StepMeaning,
    ) -> None:
        """Refuse steps of which it is not known what the first one is, where a place depends on it."""
        for at, each in logged.items():
            rungs = self._halving.rungs_up_to(contestants[at].reached)
            if any(meaning.is_doubtful(each, rung) for rung in rungs):
                steps = list(map(str, each.curve))
                few = ", ".join(steps[:_STEPS]) + (", ..." if len(steps) > _STEPS else "")
                raise UsageError(
                    f"halving: the steps of {self._halving.metric!r} do not tell whether the first"
                    f" iteration is step 0 or 1: run {short(contestants[at].run_id)} has the steps {few}"
                    f" after iteration {contestants[at].reached}. Set orch.halving.steps_from to 0 or 1."
                )

    def _describe_lack(self, arrived: Iterable[Contestant], first: int) -> str:
        there = (read_curves(self._experiment.run(each.run_id).metrics) for each in arrived)
        names = [it for it in dict.fromkeys(chain.from_iterable(there)) if not is_of_test(it)]
        metric = self._halving.metric
        choice = describe_choice(metric, names, "a first rung at which it is logged")
        return f"halving: no run has the metric {metric!r} after iteration {first}. {choice}"
