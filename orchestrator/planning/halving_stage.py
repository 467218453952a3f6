"""The stage of a halved grid: reads how far its runs are, and decides what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.errors import UsageError
from orchestrator.grid.extension import TOTAL
from orchestrator.grid.identity import Run, short
from orchestrator.planning.curve_reader import CurveReader
from orchestrator.planning.plan import Decisions
from orchestrator.planning.run_results import is_of_test
from orchestrator.planning.rung_decisions import Contestant, End, find_stage
from orchestrator.planning.value_at_iteration import is_per_iteration
from orchestrator.rundir.run_metrics import read_curves
from orchestrator.rundir.state import LIVE, State
from orchestrator.runner.failure_classes import has_failed_by_itself

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.executable_plan import Work
    from orchestrator.planning.load import Planned
    from orchestrator.planning.rung_decisions import Stage
    from orchestrator.planning.search import Search
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation

_NAMED: Final = 20  # metrics in a message


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


def look_at_grid(planned: Planned, reader: StageReader) -> Decisions:
    """Return the decisions on all runs of a grid, as they stand now.

    Raises:
        UsageError: As for ``StageReader.stage``.
    """
    runs, experiment = planned.plan.selection.runs, planned.experiment
    seen = experiment.observe_among(runs, experiment.run_ids())
    decisions = Decisions(runs, seen)
    return decisions.staged(reader.stage(decisions, seen))


def look_at_directories(experiment: ExperimentDirectory, reader: StageReader) -> Decisions:
    """Return the decisions on all runs that have a directory, as if they were one grid.

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
    return decisions.staged(reader.stage(decisions, seen))


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
        contestants = {at: self._contestant(decisions.run(at).run_id, seen[at]) for at in seen}
        for at in failed:
            known = contestants.get(at) or Contestant(decisions.run(at).run_id)
            contestants[at] = Contestant(known.run_id, known.curve, known.reached, End.FAILED)
        self._check([contestants[at] for at, each in seen.items() if each.state not in LIVE])
        expected = 0 if self._search is None else self._search.expected
        return find_stage(contestants, max(expected, len(decisions)), self._halving)

    def _contestant(self, run_id: RunId, seen: Observation) -> Contestant:
        reached, curve = self._curves.read(run_id)
        is_done = seen.state is State.DONE
        if is_done and not reached and curve:
            reached = max(curve)  # it reports no progress
        return Contestant(run_id, curve, reached, End.DONE if is_done else End.OPEN)

    def _check(self, contestants: Sequence[Contestant]) -> None:
        first = self._halving.rung(0) or 1
        arrived = [it for it in contestants if it.end is not End.FAILED and it.has_reached(first)]
        if arrived and not any(each.curve for each in contestants):
            raise UsageError(self._describe_lack(arrived))
        for each in arrived:
            if (
                each.curve
                and each.end is End.OPEN
                and not is_per_iteration(each.curve, each.reached)
            ):
                raise UsageError(
                    f"halving: the steps of {self._halving.metric!r} are not iterations: run"
                    f" {short(each.run_id)} has {len(each.curve)} values up to step"
                    f" {max(each.curve)} after iteration {each.reached}. Log it once per iteration."
                )

    def _describe_lack(self, arrived: Iterable[Contestant]) -> str:
        there = (read_curves(self._experiment.run(each.run_id).metrics) for each in arrived)
        names = [it for it in dict.fromkeys(chain.from_iterable(there)) if not is_of_test(it)]
        known = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        what = f"Choose one of {known}." if names else "They have logged none."
        return f"halving: no run has the metric {self._halving.metric!r}. {what}"
