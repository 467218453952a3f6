"""The course of a halved grid: from rung to rung, where the best runs go on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.errors import UsageError
from orchestrator.execution.events import RungCompleted
from orchestrator.execution.execution_course import Standstill
from orchestrator.execution.scheduler import QueuedRun
from orchestrator.planning.plan import Decisions
from orchestrator.planning.rung_decisions import RungVerdict
from orchestrator.rundir.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from orchestrator.config.halving_settings import Halving
    from orchestrator.execution.events import Event
    from orchestrator.execution.run_queue import RunQueue
    from orchestrator.grid.identity import Run, RunId
    from orchestrator.planning.halving_stage import StageReader
    from orchestrator.planning.plan import Decision
    from orchestrator.planning.rung_decisions import Rung, Stage
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation


class HalvingCourse:
    """Decides from the run directories, after each stage or after each pause, which runs go on.

    What it decides depends on these alone, so that several processes decide the same. It starts no run
    twice for one rung: one that does not come to it is left.

    Args:
        experiment: The experiment's folder.
        decisions: The decisions on the runs, in their stage.
        reader: Reads the curves.
        halving: How the runs are compared.
        tell: Shows an event.
    """

    def __init__(
        self,
        experiment: ExperimentDirectory,
        decisions: Decisions,
        reader: StageReader,
        halving: Halving,
        tell: Callable[[Event], None],
    ) -> None:
        self._experiment = experiment
        self._decisions = decisions
        self._reader = reader
        self._halving = halving
        self._tell = tell
        self._seen: dict[int, Observation] = dict(decisions.observed())
        self._told: dict[int, Rung] = {}
        self._news(decisions.stage)
        self._issued: set[tuple[RunId, int | None]] = set()
        self._out: set[RunId] = set()  # those that were issued, and have not paused since
        self._is_checked = False
        self.trouble = ""

    def aim(self, decision: Decision) -> Decision:
        """Return the decision, which has its aim, and remember it."""
        self._issued.add((decision.run.run_id, decision.stop_after))
        self._out.add(decision.run.run_id)
        return decision

    def aim_again(self, decision: Decision, failed: Collection[RunId]) -> Decision | None:
        """Decide again on a run that another process has executed meanwhile; None if it does not go on."""
        run_id = decision.run.run_id
        self._out.discard(run_id)
        self._issued = {each for each in self._issued if each[0] != run_id}
        self._observe()
        stage, place = self._look(failed), self._places[run_id]
        if stage is None or stage.of(place).verdict is not RungVerdict.GOES_ON:
            return None
        return self.aim(self._decisions.seeing(self._seen, stage)[place])

    def note_pause(self, decision: Decision, seen: Observation, queue: RunQueue) -> None:
        """Queue the runs that go on before all others, if they need not wait for these."""
        self._out.discard(decision.run.run_id)
        if not decision.is_reached(seen):  # it counts from 0, say, and goes on to the same rung
            self._issued.discard((decision.run.run_id, decision.stop_after))
        if self._is_checked and not self._halving.is_asynchronous:
            return
        self._is_checked = True  # whether there is such a metric: the first pause shows it
        self._seen[self._places[decision.run.run_id]] = seen
        if self._halving.is_asynchronous:
            following = [QueuedRun(each) for each in self._following(())]
            queue.ready.extendleft(reversed(following))
        else:
            self._look(())

    def go_on(self, failed: Collection[RunId]) -> Sequence[Decision]:
        """Return the runs that go on, now that nothing is live."""
        self._observe()
        return [*self._following(failed)]

    def count(self, failed: Collection[RunId], told: Collection[RunId]) -> Standstill:
        """Return how many runs are paused since others were better, and how many are left.

        Those whose failure was told are neither. Where runs cannot be compared, none is paused.
        """
        self._observe()
        stage = self._look(failed)
        over = {self._places[run_id] for run_id in {*failed, *told}}
        if stage is None:
            over |= {at for at, each in self._seen.items() if each.state is State.DONE}
            return Standstill(len(self._decisions) - len(over))
        paused = stage.paused - over
        held_back = sum(self._seen[at].state is State.FAILED for at in paused)
        over |= {at for at, each in self._seen.items() if each.state is State.UNPROVEN}
        left = sum(each.is_open and at not in over for at, each in stage.standings.items())
        unseen = len(self._decisions) - len(stage.standings)
        return Standstill(left + unseen, len(paused), held_back)

    @cached_property
    def _places(self) -> dict[RunId, int]:
        return {run.run_id: place for place, run in enumerate(self._decisions.runs)}

    def _add(self, runs: Iterable[Run]) -> None:
        """Compare further runs as well, unless they are already."""
        new = [run for run in runs if run.run_id not in self._places]
        if new:
            first = len(self._decisions)
            self._decisions = Decisions([*self._decisions.runs, *new], self._seen)
            self._places.update((run.run_id, at) for at, run in enumerate(new, first))

    def _observe(self) -> None:
        existing = self._experiment.run_ids()
        self._seen = self._experiment.observe_among(self._decisions.runs, existing)

    def _look(self, failed: Collection[RunId]) -> Stage | None:
        """Return the stage; None if there is trouble."""
        try:
            places = {self._places[run_id] for run_id in failed}
            return self._reader.stage(self._decisions, self._seen, places)
        except UsageError as error:
            self.trouble = str(error)
            return None

    def _following(self, failed: Collection[RunId]) -> Iterator[Decision]:
        """Yield the runs that are to start now, those first that are furthest, and tell of rungs."""
        stage = self._look(failed)
        if stage is None:
            return
        if not self._halving.is_asynchronous:
            self._tell_of_rungs(stage)
        again = self._decisions.seeing(self._seen, stage)
        goes_on = [
            at for at, each in stage.standings.items() if each.verdict is RungVerdict.GOES_ON
        ]
        for at in sorted(goes_on, key=lambda at: (-(stage.of(at).rung or 0), at)):
            decision = again[at]
            run_id = decision.run.run_id
            is_new = run_id not in self._out and (run_id, decision.stop_after) not in self._issued
            # One that another process executes meanwhile is waited for.
            if is_new and decision.seen.state is not State.UNPROVEN:
                yield self.aim(decision)

    def _tell_of_rungs(self, stage: Stage) -> None:
        for rung in self._news(stage):
            paused = sum(stage.of(at).rung == rung.iteration for at in stage.paused)
            going = stage.count(RungVerdict.GOES_ON)
            if paused or going or rung.failed:  # otherwise all have ended there
                told = rung.iteration, rung.runs, rung.best, paused, self._halving.metric
                self._tell(RungCompleted(*told, rung.failed, rung.unevenness))

    def _news(self, stage: Stage | None) -> Sequence[Rung]:
        """Return the rungs that are complete, and were not so when they were last looked at.

        One is complete again after another run has come in place of one that has failed.
        """
        complete = {it.iteration: it for it in stage.rungs if it.is_complete} if stage else {}
        news = [each for at, each in complete.items() if self._told.get(at) != each]
        self._told = complete
        return news
