"""The runs that pilots execute, as their directories show them to who watches."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.execution.events import AttemptStarted, Ended, ExecutionSnapshot, Live
from orchestrator.execution.remaining_time import Effort, Estimator
from orchestrator.execution.slots import Slot
from orchestrator.planning.plan import ACTIONS, Action
from orchestrator.planning.work_file import is_settled
from orchestrator.rundir.records import duration_of, now
from orchestrator.rundir.state import Record, State, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.execution.events import Event
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision, Decisions
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Observation

_BETWEEN: Final = 2.0  # seconds from one look to the next ...
_SHARE: Final = 0.05  # ... and more if looking would take more than this share of the time


@dataclass(slots=True)
class _Counts:
    startable: int = 0
    unproven: int = 0


class WatchedRuns:
    """The runs of a plan, until each is settled: done, or failed for good.

    ``ended`` are those that are.
    """

    def __init__(self, experiment: ExperimentDirectory, decisions: Decisions, retries: int) -> None:
        self._experiment = experiment
        self._retries = retries
        self._before = {place: seen.attempts for place, seen in decisions.observed()}
        self._open: dict[RunId, tuple[int, Decision]] = {}
        for place, decision in enumerate(decisions):
            if decision.action is not Action.SKIP:
                self._open[decision.run.run_id] = place, decision
        self._live: dict[RunId, tuple[AttemptStarted, Observation]] = {}
        self._reasons: dict[RunId, str] = {}  # why those were over that are executed again
        self._counts = _Counts(startable=len(self._open))
        self._estimator = Estimator(1)
        self._due = 0.0
        self.ended: dict[RunId, Ended] = {}

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to watch."""
        return not self._open

    @property
    def startable(self) -> int:
        """How many runs are open, and executed by nobody."""
        return self._counts.startable

    @property
    def live(self) -> int:
        """How many runs are being executed."""
        return len(self._live)

    @property
    def left(self) -> int:
        """How many runs are not settled, besides those that cannot be proved dead."""
        return len(self._open) - self._counts.unproven

    def look(self, moment: float) -> Iterator[Event]:
        """Observe the runs, if it is time to, and yield what has happened."""
        if moment < self._due:
            return
        began = time.monotonic()
        self._counts = counts = _Counts()
        for run_id, seen in self._experiment.observe(list(self._open)).items():
            place, decision = self._open[run_id]
            if self._is_over(seen, place):
                yield self._end(decision, seen)
            elif seen.state is State.RUNNING:
                yield from self._keep_live(decision, seen)
            else:
                self._live.pop(run_id, None)
                if seen.attempts:
                    self._reasons[run_id] = seen.reason
                counts.unproven += seen.state is State.UNPROVEN
                counts.startable += seen.state is not State.UNPROVEN
        took = time.monotonic() - began
        self._due = moment + max(_BETWEEN, took / _SHARE)

    def snapshot(self, note: str, moment: float) -> ExecutionSnapshot:
        """Return what a board shows; ``note`` is what it says besides."""
        live, efforts = [], []
        for started, seen in self._live.values():
            directory = self._experiment.run(started.run.run_id)
            metrics = directory.outcome().metrics if moment >= self._due - _BETWEEN else {}
            seconds = _seconds_since(seen)
            live.append(Live(started, seconds, seen.progress, metrics))
            if seen.progress is not None:
                progress, before = seen.progress, _resumed_at(seen)
                point = started.run.overrides
                efforts.append(
                    Effort(point, seconds, before, progress.iteration, progress.iterations)
                )
        self._estimator.slots = max(1, len(live))
        waiting = (decision.run.overrides for _, decision in self._open.values())
        pace = self._estimator.pace(efforts, waiting, self.startable, moment)
        return ExecutionSnapshot(live, self.startable, pace, note)

    def _is_over(self, seen: Observation, place: int) -> bool:
        if seen.state is State.DONE or seen.damage:
            return True
        return is_settled(seen, self._before.get(place, 0), self._retries)

    def _end(self, decision: Decision, seen: Observation) -> Ended:
        run_id = decision.run.run_id
        del self._open[run_id]
        self._live.pop(run_id, None)
        directory = self._experiment.run(run_id)
        ended = Ended(
            decision.run,
            seen.state,
            seen.reason,
            _duration(seen),
            executed=True,
            metrics=directory.outcome().metrics,
            notices=directory.notices(),
            is_paused=seen.is_paused,
        )
        if seen.state is State.DONE:
            self._estimator.note(Effort(decision.run.overrides, ended.seconds))
        self.ended[run_id] = Ended(
            decision.run, seen.state, seen.reason, ended.seconds, executed=True
        )
        return ended

    def _keep_live(self, decision: Decision, seen: Observation) -> Iterator[AttemptStarted]:
        run_id = decision.run.run_id
        status, known = seen.status, self._live.get(run_id)
        if not (isinstance(status, Status) and status.record is Record.RUNNING):
            return  # a runner has just taken its lock
        if known and known[0].attempt == seen.attempts:
            self._live[run_id] = known[0], seen
            return
        taken = {started.slot.number for started, _ in self._live.values()}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
        before = decision.seen
        action = ACTIONS[before.state if before.state is State.FAILED else State.STALE]
        action = Action.RUN if seen.attempts == 1 else action
        reason = self._reasons.pop(run_id, before.reason)
        started = AttemptStarted(decision.run, action, seen.attempts, Slot(number), reason)
        self._live[run_id] = started, seen
        yield started


def _resumed_at(seen: Observation) -> int:
    status = seen.status
    return (status.resumed_at or 0) if isinstance(status, Status) else 0


def _seconds_since(seen: Observation) -> float:
    """Return how long an attempt has been executed, to judge by this host's clock."""
    if not isinstance(seen.status, Status):
        return 0.0
    return duration_of(replace(seen.status, ended_at=now())) or 0.0


def _duration(seen: Observation) -> float:
    return (duration_of(seen.status) if isinstance(seen.status, Status) else None) or 0.0
