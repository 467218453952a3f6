"""The engine: executes a plan by joining the scheduler, a launcher, the run directories, a board."""

from __future__ import annotations

import selectors
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from orchestrator.durable import is_shortage
from orchestrator.errors import RunDirectoryError
from orchestrator.events import Adopted, Ended, Live, Started, Stopping
from orchestrator.plan import Action, decide
from orchestrator.scheduler import assign
from orchestrator.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.events import Event
    from orchestrator.experiment import ExperimentDirectory
    from orchestrator.identity import Run
    from orchestrator.plan import Decision, Plan
    from orchestrator.rundir import RunDirectory
    from orchestrator.scheduler import Assignment, Slot
    from orchestrator.state import Observation, RunId
    from orchestrator.stop import StopRequests

_TICK: Final = 0.25
_GRACE: Final = 4.0


class Attempt(Protocol):
    """An attempt that a launcher started."""

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the attempt is over."""

    def ask_to_stop(self) -> None:
        """Ask for an end at the next checkpoint."""

    def end_at_once(self) -> None:
        """Kill the program and have that recorded."""

    def abandon(self) -> None:
        """Kill the runner, which did not obey."""

    def close(self) -> str:
        """Release the attempt, which is over, and return what its runner complained of."""


class Launcher(Protocol):
    """Starts attempts."""

    def start(
        self, directory: RunDirectory, attempt: int, environment: Mapping[str, str]
    ) -> Attempt:
        """Start an attempt and return at once.

        Raises:
            OSError: No process could be started.
        """


class Board(Protocol):
    """Shows what happens."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def refresh(self, live: Sequence[Live]) -> None:
        """Show how far the live attempts are; called several times a second."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How every run ended that had to be executed, and whether the user stopped it all.

    ``left`` counts the runs that this call neither finished nor saw finished.
    """

    ended: Mapping[RunId, Ended]
    left: int
    stopped: bool


@dataclass(slots=True)
class _Running:
    """An attempt of ours, between its start and its end."""

    attempt: Attempt
    decision: Decision
    started: Started
    since: float


class Engine:
    """Executes one plan. Runs are independent: what goes wrong with one ends that one only."""

    def __init__(
        self,
        experiment: ExperimentDirectory,
        launcher: Launcher,
        board: Board,
        slots: Sequence[Slot],
    ) -> None:
        self._experiment = experiment
        self._launcher = launcher
        self._board = board
        self._slots = slots
        self._waiting: deque[Decision] = deque()
        self._running: dict[Slot, _Running] = {}
        self._elsewhere: dict[RunId, Decision] = {}
        self._ended: dict[RunId, Ended] = {}
        self._is_short = False
        self._obeyed = 0
        self._deadline = float("inf")

    def execute(self, plan: Plan, stop: StopRequests) -> Outcome:
        """Start what the plan starts, wait for what lives elsewhere, until nothing is left.

        Asked to stop once, starts nothing more and lets every run end at its next checkpoint;
        twice, kills them. Runs that others execute are looked at, never started twice.
        """
        self._waiting.extend(plan.starts())
        for decision in plan.decisions:
            if decision.action is Action.WAIT:
                self._adopt(decision)
        while self._running or (not stop.asked and (self._waiting or self._elsewhere)):
            self._start_what_fits(stop)
            if stop.asked:
                self._pass_on(stop.asked)
            if self._running or self._elsewhere:
                for running in self._wait(stop):
                    self._finish(running, stopped=bool(stop.asked))
                self._look_elsewhere()
            self._board.refresh([self._live(running) for running in self._running.values()])
        left = len(self._waiting) + len(self._elsewhere)
        left += sum(ended.state is State.STALE for ended in self._ended.values())
        return Outcome(self._ended, left, stopped=bool(stop.asked))

    def _start_what_fits(self, stop: StopRequests) -> None:
        """Fill the slots, one by one: the user may ask to stop while the first is being started."""
        while not (stop.asked or self._is_short):
            assignments = assign(self._waiting, self._slots, self._running)
            if not assignments:
                return
            self._waiting.popleft()
            self._start(assignments[0])

    def _start(self, assignment: Assignment) -> None:
        decision, slot = assignment.decision, assignment.slot
        run = decision.run
        try:
            seen = self._experiment.run(run.run_id).observe()
            if not self._is_ours(decision, seen):
                return
            number = seen.attempts + 1
            directory = self._experiment.create(run)
            attempt = self._launcher.start(directory, number, slot.environment)
        except (OSError, RunDirectoryError) as error:
            if self._running and isinstance(error, OSError) and is_shortage(error):
                self._is_short = True  # fewer at once, then: until the next end there is no room
                self._waiting.appendleft(decision)
            else:
                self._end(run, State.FAILED, f"it could not be started: {error}")
            return
        started = Started(run, decision.action, number, slot, decision.reason)
        self._running[slot] = _Running(attempt, decision, started, time.monotonic())
        self._board.show(started)

    def _is_ours(self, decision: Decision, seen: Observation) -> bool:
        """Tell whether the run is still to be started; if not, put it where it belongs.

        Another orchestrator may have begun, or even ended it, since the decision was made. Its
        failure is an answer too: every run is executed once, not once for each orchestrator.
        """
        now = decide(decision.run, seen)
        if now.action is Action.WAIT:
            self._adopt(now)
            return False
        if seen.damage:
            self._end(decision.run, State.FAILED, seen.damage)
            return False
        news = decision.action is Action.WAIT or seen.attempts > decision.seen.attempts
        if now.action is Action.SKIP or (now.action is Action.RETRY and news):
            self._end(decision.run, seen.state, seen.reason, seen=seen)
            return False
        return True

    def _wait(self, stop: StopRequests) -> list[_Running]:
        """Wait until an attempt is over, the user asks to stop, or it is time for a look."""
        with selectors.PollSelector() as selector:  # it takes no descriptor
            selector.register(stop, selectors.EVENT_READ)
            for running in self._running.values():
                selector.register(running.attempt, selectors.EVENT_READ, running)
            ready = [key.data for key, _ in selector.select(_TICK)]
        stop.drain()
        return [running for running in ready if running is not None]

    def _finish(self, running: _Running, *, stopped: bool) -> None:
        del self._running[running.started.slot]
        self._is_short = False
        decision, attempt = running.decision, running.started.attempt
        complaint = running.attempt.close()
        seen = self._observe(decision)
        if seen is None:
            self._elsewhere[decision.run.run_id] = decision
        elif seen.state is State.RUNNING:  # the runner is gone, or another one holds the lock
            self._adopt(decide(decision.run, seen))
        elif seen.attempts == attempt and not complaint:
            self._end(decision.run, seen.state, seen.reason, running=running, seen=seen)
        elif seen.attempts > attempt - 1 and not complaint:  # another one was faster
            if self._is_ours(decision, seen):
                self._waiting.append(decide(decision.run, seen))
        elif stopped and not complaint:
            self._waiting.append(decision)
        else:
            reason = f"its runner failed: {complaint or 'it died without a word'}"
            self._end(decision.run, State.FAILED, reason, running=running)

    def _observe(self, decision: Decision) -> Observation | None:
        """Look at a run; return nothing where that cannot be done just now."""
        try:
            return self._experiment.run(decision.run.run_id).observe()
        except OSError:
            return None

    def _end(
        self,
        run: Run,
        state: State,
        reason: str,
        *,
        running: _Running | None = None,
        seen: Observation | None = None,
    ) -> None:
        ended = Ended(
            run,
            state,
            reason,
            seconds=time.monotonic() - running.since if running else 0.0,
            executed=running is not None,
            progress=seen.progress if seen else None,
        )
        self._ended[run.run_id] = ended
        self._board.show(ended)

    def _adopt(self, decision: Decision) -> None:
        self._elsewhere[decision.run.run_id] = decision
        self._board.show(Adopted(decision.run, decision.reason))

    def _look_elsewhere(self) -> None:
        for run_id, decision in list(self._elsewhere.items()):
            seen = self._observe(decision)
            if seen is None or seen.state is State.RUNNING:
                continue
            del self._elsewhere[run_id]
            if self._is_ours(decision, seen):
                self._waiting.append(decide(decision.run, seen))

    def _pass_on(self, asked: int) -> None:
        """Hand the user's wish to the attempts, each level once."""
        wanted = min(asked, 2)
        if wanted > self._obeyed:
            self._obeyed = wanted
            self._board.show(Stopping(len(self._running), at_once=wanted > 1))
            for running in self._running.values():
                if wanted > 1:
                    running.attempt.end_at_once()
                else:
                    running.attempt.ask_to_stop()
            if wanted > 1:
                self._deadline = time.monotonic() + _GRACE
        if time.monotonic() > self._deadline:
            for running in self._running.values():
                running.attempt.abandon()

    def _live(self, running: _Running) -> Live:
        directory = self._experiment.run(running.decision.run.run_id)
        seconds = time.monotonic() - running.since
        return Live(running.started, seconds, directory.read_progress())
