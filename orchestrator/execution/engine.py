"""The engine: executes a plan with the scheduler, a launcher, the run directories and a board."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from orchestrator.errors import OrchestratorError
from orchestrator.execution.adopted import AdoptedRuns
from orchestrator.execution.ended_runs import EndedRuns
from orchestrator.execution.events import AttemptStarted, Blocked, ExecutionResult, Paused, Retrying
from orchestrator.execution.execution_course import Standstill, variables_of
from orchestrator.execution.failure_policy import Histories, Pacing
from orchestrator.execution.live_attempts import Attempts
from orchestrator.execution.open_slots import OpenSlots
from orchestrator.execution.outrun_aims import OutrunAims
from orchestrator.execution.run_queue import RunQueue
from orchestrator.execution.scheduler import QueuedRun, assign
from orchestrator.planning.plan import Action
from orchestrator.rundir.durable import is_shortage
from orchestrator.rundir.folder_lock import HeldLockError
from orchestrator.rundir.state import State
from orchestrator.runner.failure_classes import LOST, Traces, classify, classify_unbegun

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.execution.live_attempts import Running
    from orchestrator.execution.protocols import Board, Companion, Launcher, Resources
    from orchestrator.execution.scheduler import Assignment
    from orchestrator.execution.slots import Slot
    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.grid.identity import RunId
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.state import Failure, Observation

_RECREATED: Final = 10  # how often a run directory is recreated after it was removed


class Engine:
    """Executes one plan. Runs are independent: a failure ends only the run that it occurs in."""

    def __init__(
        self,
        experiment: ExperimentDirectory,
        launcher: Launcher,
        board: Board,
        resources: Resources,
        companion: Companion | None = None,
    ) -> None:
        self._experiment = experiment
        self._course = resources.course
        self._launcher = launcher
        self._board = board
        self._companion = companion
        self._waits = resources.waits
        self._queue = RunQueue(resources.supply)
        self._attempts = Attempts(experiment, board, resources)
        self._elsewhere = AdoptedRuns(experiment, board, resources.orphans)
        self._ended = EndedRuns(experiment, board)
        self._histories = Histories(resources.policy)
        self._brake = Pacing(resources.policy)
        self._open_slots = OpenSlots(resources, self._attempts, board)
        self._recreated: Counter[RunId] = Counter()
        self._aims = OutrunAims(resources.course)
        self._is_short = self._is_locked_out = self._has_told_of_lock = False

    def execute(
        self, starts: Iterable[Decision], waits: Iterable[Decision], stop: StopRequests
    ) -> ExecutionResult:
        """Start runs in their order and wait for adopted ones, until nothing is left.

        A request to stop starts nothing more, and lets every run end by itself or at its next
        checkpoint; the most urgent one kills the runs. Runs that other processes execute are watched,
        never started twice.
        """
        self._queue.ready.extend(QueuedRun(self._course.aim(each)) for each in starts)
        for decision in waits:
            self._elsewhere.adopt(self._course.aim(decision))
        self._attempts.pass_on(stop.level)  # the user may have asked before anything was started
        while self._goes_on(stop) or self._advances(stop):
            self._start_what_fits(stop)
            if self._is_ending(stop):
                self._attempts.pass_on(stop.level, gave_up=bool(self._gave_up))
            if self._goes_on(stop):
                self._prepare_ahead(stop)
                for running in self._attempts.wait(stop):
                    self._finish(running, stopped=self._is_ending(stop))
                self._look_elsewhere()
            self._show_how_things_stand()
            if self._companion:
                self._companion.tend()
        self._experiment.tear_down()
        left = len(self._queue) + len(self._elsewhere) + self._ended.count_unfinished()
        end = self._course.count(self._ended.failed, self._ended.told_failed) or Standstill(left)
        told = end.left, stop.interrupts, self._gave_up, end.paused, end.failed
        more = bool(self._course.trouble), self._ended.pauses, len(self._elsewhere)
        return ExecutionResult(self._ended.ended, *told, *more)

    def _goes_on(self, stop: StopRequests) -> bool:
        is_open = bool(self._queue or (self._elsewhere and self._waits))
        return bool(self._attempts) or (is_open and not self._is_ending(stop))

    def _advances(self, stop: StopRequests) -> bool:
        """Queue what goes on now that nothing is left to do; return whether there is anything."""
        if self._is_ending(stop) or self._queue or self._elsewhere:
            return False
        self._queue.ready.extend(map(QueuedRun, self._course.go_on(self._ended.failed)))
        return bool(self._queue.ready)

    def _is_ending(self, stop: StopRequests) -> bool:
        return stop.asked or bool(self._gave_up)

    @property
    def _gave_up(self) -> str:
        return self._course.trouble or self._brake.gave_up

    def _show_how_things_stand(self) -> None:
        points = (each.decision.run.overrides for each in self._queue)
        seen = self._attempts.look(points, len(self._queue), self._open_slots.allotment)
        self._board.refresh(self._elsewhere.show_in(seen))

    def _start_what_fits(self, stop: StopRequests) -> None:
        """Fill the slots one by one: the user may ask to stop while the first run is starting."""
        moment = time.monotonic()
        self._open_slots.allotment.look()
        self._queue.make_due(moment)
        room = len(self._open_slots.allotment) - len(self._attempts) - self._elsewhere.orphans
        self._queue.refill(0 if self._is_ending(stop) else room)
        self._is_locked_out = False
        while self._queue.ready and not (
            self._is_ending(stop) or self._is_short or self._is_locked_out
        ):
            if self._brake.holds(moment, self._attempts.begun):
                return
            free = self._open_slots.find(self._elsewhere.orphans, self._queue.ready[0])
            assignment = assign(self._queue.ready, free, self._attempts.busy)
            if assignment is None:
                return
            self._queue.ready.popleft()
            self._start(assignment)

    def _start(self, assignment: Assignment) -> None:
        waiting, slot = assignment.waiting, assignment.slot
        decision, run = waiting.decision, waiting.decision.run
        try:
            seen = self._experiment.run(run.run_id).observe()
            is_ours = self._is_ours(decision, seen)
            aimed = self._aims.renew(waiting, seen, self._ended.failed) if is_ours else None
            if aimed is None:
                return
            waiting, decision, number = aimed, aimed.decision, seen.attempts + 1
            directory = self._experiment.create(run)
            environment = {**slot.environment, **run.environment, **variables_of(decision)}
            attempt = self._launcher.start(run, directory, number, environment)
        except (HeldLockError, InterruptedError) as error:  # or the user asked to stop
            self._queue.ready.appendleft(waiting)
            if isinstance(error, HeldLockError):
                self._wait_for_lock(slot, str(error))
            return
        except (OSError, OrchestratorError) as error:
            if self._attempts and isinstance(error, OSError) and is_shortage(error):
                self._is_short = True  # start nothing until another run has ended
                self._queue.ready.appendleft(waiting)
            else:
                failure = classify(1, Traces(str(error)))
                if not self._tries_again(decision, failure, decision.seen):
                    what = "it could not be started"
                    self._ended.add_unrecorded(run, what, str(error), failure)
                    self._weigh(failure, time.monotonic())
            return
        started = AttemptStarted(run, decision.action, number, slot, decision.reason)
        self._attempts.begin(attempt, waiting, started, seen.saved)

    def _wait_for_lock(self, slot: Slot, why: str) -> None:
        """Start nothing until the next round, and tell the user why, once."""
        self._is_locked_out = True
        if not self._has_told_of_lock:
            self._has_told_of_lock = True
            self._board.show(Blocked(slot, why))

    def _prepare_ahead(self, stop: StopRequests) -> None:
        """Prepare directories and a runner for the next runs; errors are reported when they start."""
        if self._queue.ready and not (self._is_ending(stop) or self._is_short):
            following = self._queue.following(len(self._open_slots.allotment))
            with suppress(OSError, OrchestratorError):
                self._launcher.make_ready()
                self._experiment.build_ahead(waiting.decision.run for waiting in following)

    def _is_ours(self, decision: Decision, seen: Observation) -> bool:
        """Return whether the run is still to be started; if not, adopt or end it.

        Another orchestrator may have started or even ended it since the decision was made. Its
        failure counts as one of this process: every run is executed once, not once per orchestrator.
        """
        now = decision.again(seen)
        news = self._aims.look(decision, seen)
        if seen.state is State.RUNNING:
            self._elsewhere.adopt(now)
            return False
        if seen.damage or seen.state is State.UNPROVEN:
            self._ended.add(decision.run, seen.state, seen.reason)
            return False
        if decision.is_reached(seen):
            self._pause(decision, seen)
            return False
        if now.action is not Action.SKIP and not (now.action is Action.RETRY and news):
            return True
        if not (seen.failure and self._tries_again(decision, seen.failure, seen)):
            self._ended.add(decision.run, seen.state, seen.reason, seen=seen)
        return False

    def _line_up(self, decision: Decision, seen: Observation) -> None:
        """Queue a run again after another process's attempt, if it is still to be started."""
        if self._is_ours(decision, seen):
            self._queue.ready.append(QueuedRun(decision.again(seen)))

    def _pause(self, decision: Decision, seen: Observation, running: Running | None = None) -> None:
        """Handle a run that has come as far as it was to."""
        self._ended.show_pause(decision.run, seen, running)
        self._course.note_pause(decision, seen, self._queue)

    def _finish(self, running: Running, *, stopped: bool) -> None:
        self._is_short = False
        decision, attempt = running.decision, running.started.attempt
        complaint = self._ended.close(running)
        seen = self._elsewhere.observe(decision)
        if seen is None:
            self._elsewhere.look_later(decision)
            return
        if seen.state is State.RUNNING:  # the runner is gone, or another one holds the lock
            is_orphan = seen.attempts == attempt
            self._elsewhere.adopt(decision.again(seen), is_orphan=is_orphan)
        elif seen.attempts == attempt and not complaint:
            self._conclude(running, seen, stopped=stopped)
        elif seen.attempts > attempt - 1 and not complaint:  # another one was faster
            self._line_up(decision, seen)
        elif (stopped and not complaint) or self._was_removed(decision.run.run_id, complaint):
            self._queue.ready.append(running.waiting)
        else:
            failure = classify_unbegun(complaint)
            if not self._tries_again(decision, failure, seen):
                what = "its runner failed"
                self._ended.add_unrecorded(decision.run, what, failure.message, failure, running)
                self._weigh(failure, running.since)

    def _was_removed(self, run_id: RunId, complaint: str) -> bool:
        """Return whether an attempt found its directory removed, so that it is to be recreated."""
        if complaint.endswith(LOST):  # it had started: who removes a live run wants it to end
            return False
        self._recreated[run_id] += 1
        is_there = self._experiment.run(run_id).path.exists()
        return not is_there and self._recreated[run_id] <= _RECREATED

    def _conclude(self, running: Running, seen: Observation, *, stopped: bool) -> None:
        """Handle an attempt that recorded its end: end the run, or retry it."""
        decision, failure, shared = running.decision, seen.failure, running.shared
        self._open_slots.note_end(running, seen)
        if failure and not stopped and self._tries_again(decision, failure, seen, shared=shared):
            return
        is_short = decision.stop_after is not None and seen.is_paused
        if failure is None and (is_short or decision.is_reached(seen)):
            self._attempts.learn(running, seen.progress)
            self._pause(decision, seen, running)
            return
        self._ended.add(decision.run, seen.state, seen.reason, running=running, seen=seen)
        if seen.state is State.DONE:
            self._attempts.learn(running, seen.progress)
        self._weigh(failure, running.since)

    def _tries_again(
        self, decision: Decision, failure: Failure, seen: Observation, *, shared: bool = False
    ) -> bool:
        """Queue a run for a retry if the policy grants one; return whether it does."""
        retry = self._histories.retry(decision.run.run_id, failure, seen.saved, shared=shared)
        if retry is None:
            return False
        reason = f"{failure.kind}: {failure.message}"
        self._board.show(Retrying(decision.run, seen.attempts, reason, retry.delay, retry.alone))
        waiting = QueuedRun(decision.again(seen), alone=retry.alone)
        self._queue.put_off(waiting, time.monotonic() + retry.delay)
        return True

    def _weigh(self, failure: Failure | None, began: float) -> None:
        """Decide after the end of an attempt whether the other runs continue."""
        moment, is_more = time.monotonic(), bool(self._queue.ready)
        pause = self._brake.note(failure, began, moment, is_more=is_more)
        if pause is not None:
            self._board.show(Paused(self._brake.says, pause))

    def _look_elsewhere(self) -> None:
        for decision, seen in self._elsewhere.over():
            if self._elsewhere.is_hopeless(decision, seen):
                reason = f"its runner was killed again, and nothing saved since: {seen.reason}"
                self._ended.add(decision.run, seen.state, reason, seen=seen)
            else:
                self._line_up(decision, seen)
