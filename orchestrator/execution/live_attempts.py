"""The live attempts of this process: the slots they occupy, and their signals and progress."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.execution.events import AttemptStarted, ExecutionSnapshot, Live, Stopping
from orchestrator.execution.remaining_time import Effort, Estimator, Pace
from orchestrator.execution.slots import shares_gpu
from orchestrator.execution.stop_requests import StopLevel
from orchestrator.rundir.program_files import NO_SIGNS, has_saved, signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.execution.packing import LiveRun
    from orchestrator.execution.protocols import Attempt, Board, Resources
    from orchestrator.execution.scheduler import QueuedRun
    from orchestrator.execution.slot_limit import Allotment
    from orchestrator.execution.slots import Slot
    from orchestrator.execution.stop_requests import StopRequests
    from orchestrator.grid.config_values import Value
    from orchestrator.planning.plan import Decision
    from orchestrator.rundir.experiment import ExperimentDirectory
    from orchestrator.rundir.records import Metric
    from orchestrator.rundir.state import Progress

_TICK: Final = 0.25
_GRACE: Final = 4.0
_OUT_OF_TIME: Final = "the time is nearly over"
_ENOUGH: Final = "as many runs have started as may"


@dataclass(slots=True)
class Running:
    """An attempt of this process, between its start and its end.

    ``before`` counts the iterations that were saved when it started; ``shared`` tells whether
    another attempt of this process has been on its GPU. ``signs`` change with what its program
    reports: its ``progress`` and its ``metrics``. ``first`` and ``latest`` are as of ``Effort``.
    """

    attempt: Attempt
    waiting: QueuedRun
    started: AttemptStarted
    since: float
    before: int
    shared: bool = False
    signs: tuple[object, ...] = NO_SIGNS
    progress: Progress | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    first: tuple[float, int] | None = None
    latest: tuple[float, int] | None = None

    @property
    def decision(self) -> Decision:
        """What was decided for its run."""
        return self.waiting.decision

    @property
    def seconds(self) -> float:
        """The seconds since it started."""
        return time.monotonic() - self.since

    def mark(self) -> None:
        """Remember when the program has done an iteration."""
        done = self.progress.iteration if self.progress else self.before
        if done > self.before and (self.latest is None or done != self.latest[1]):
            self.latest = self.seconds, done
            self.first = self.first or self.latest


class Attempts:
    """The live attempts, by slot."""

    def __init__(self, experiment: ExperimentDirectory, board: Board, resources: Resources) -> None:
        self._experiment = experiment
        self._board = board
        self._save_when_asked = resources.save_when_asked
        self._time = resources.time
        self._longest = 0.0  # seconds that an iteration has taken
        self._begun, self._most = 0, resources.most_runs
        self._reason = ""
        self._by_slot: dict[Slot, Running] = {}
        self._estimator = Estimator(len(resources.slots))
        self._obeyed = StopLevel.NOT_ASKED
        self._deadline = float("inf")

    def __len__(self) -> int:
        """Return how many attempts are live."""
        return len(self._by_slot)

    def __contains__(self, slot: Slot) -> bool:
        """Return whether a slot is occupied."""
        return slot in self._by_slot

    @property
    def may_begin(self) -> int | None:
        """How many attempts may still begin; None: any number."""
        return None if self._most is None else max(0, self._most - self._begun)

    @property
    def busy(self) -> Mapping[Slot, QueuedRun]:
        """The occupied slots, and the runs in them."""
        return {slot: running.waiting for slot, running in self._by_slot.items()}

    @property
    def live(self) -> list[LiveRun]:
        """The live attempts that are on a GPU."""
        found = (self.on_gpu(each, each.progress) for each in self._by_slot.values())
        return [each for each in found if each]

    def on_gpu(self, running: Running, progress: Progress | None) -> LiveRun | None:
        """Return an attempt as a run on its GPU; None if it has none."""
        started, run = running.started, running.decision.run
        if started.slot.gpu is None:
            return None
        from orchestrator.execution.packing import LiveRun  # noqa: PLC0415 # GPUs only

        directory = self._experiment.run(run.run_id)
        point, gpu = run.overrides, started.slot.gpu
        return LiveRun(
            directory, started.attempt, point, gpu, running.since, running.before, progress
        )

    @property
    def begun(self) -> list[float]:
        """When the live attempts started."""
        return [running.since for running in self._by_slot.values()]

    def begin(
        self, attempt: Attempt, waiting: QueuedRun, started: AttemptStarted, before: int
    ) -> None:
        """Add an attempt that has just been started."""
        running = Running(attempt, waiting, started, time.monotonic(), before)
        self._by_slot[started.slot] = running
        self._begun += 1
        for other in self._by_slot.values():
            other.shared |= shares_gpu(other.started.slot, self._by_slot)
        self._board.show(started)

    def wait(self, stop: StopRequests) -> list[Running]:
        """Wait until an attempt ends, the user asks to stop, or a quarter of a second has passed.

        The attempts that ended are returned, and free their slots.
        """
        with selectors.PollSelector() as selector:  # it takes no descriptor
            selector.register(stop, selectors.EVENT_READ)
            for running in self._by_slot.values():
                selector.register(running.attempt, selectors.EVENT_READ, running)
            ready = [key.data for key, _ in selector.select(_TICK)]
        stop.look()
        self._run_out(stop)
        over = [running for running in ready if running is not None]
        for running in over:
            del self._by_slot[running.started.slot]
        return over

    def _run_out(self, stop: StopRequests) -> None:
        """Ask to stop if the time is nearly over, or if as many runs have started as may."""
        stop.run_out(self._time.level(self._longest))
        self._reason = _OUT_OF_TIME if stop.is_out_of_time else ""
        if not stop.asked and self.may_begin == 0:
            stop.run_out(StopLevel.DRAIN)
            self._reason = _ENOUGH

    def learn(self, running: Running, progress: Progress | None) -> None:
        """Use the duration of a finished run to estimate that of the others."""
        effort = _effort(running, progress)
        self._longest = max(self._longest, effort.iteration_seconds)
        self._estimator.note(effort)

    def pass_on(self, level: StopLevel, *, gave_up: bool = False) -> None:
        """Pass a request to stop on to the attempts, each level once.

        ``gave_up``: they are asked to stop in any case.
        """
        level = max(level, StopLevel.AT_CHECKPOINT) if gave_up else level
        if level > self._obeyed:
            self._obeyed = level
            self._board.show(self._describe(level))
            for running in self._by_slot.values():
                if level is StopLevel.AT_ONCE:
                    running.attempt.end_at_once()
                elif level is StopLevel.AT_CHECKPOINT:
                    running.attempt.ask_to_stop()
            if level is StopLevel.AT_ONCE:
                self._deadline = time.monotonic() + _GRACE
        if time.monotonic() > self._deadline:
            for running in self._by_slot.values():
                running.attempt.abandon()

    def _describe(self, level: StopLevel) -> Stopping:
        """Return the event that tells of a request, before the runs hear of it."""
        unsaved = 0
        if level is StopLevel.AT_CHECKPOINT and not self._save_when_asked:
            ids = (running.decision.run.run_id for running in self._by_slot.values())
            unsaved = sum(not has_saved(f"{self._experiment.run(each).path}") for each in ids)
        at_once, drain = level is StopLevel.AT_ONCE, level is StopLevel.DRAIN
        reason = self._reason
        return Stopping(len(self), at_once=at_once, drain=drain, unsaved=unsaved, reason=reason)

    def look(
        self, waiting: Iterable[Mapping[str, Value]], count: int, allotted: Allotment
    ) -> ExecutionSnapshot:
        """Return a snapshot for the board.

        Args:
            waiting: The axis values of the runs that are still to start.
            count: How many these are.
            allotted: How many runs may be executed at once.
        """
        live, efforts = [], []
        for running in self._by_slot.values():
            self._read(running)
            progress = running.progress
            live.append(Live(running.started, running.seconds, progress, running.metrics))
            efforts.append(_effort(running, progress))
        self._longest = max(self._longest, *(each.iteration_seconds for each in efforts), 0.0)
        at_once = len(self) if allotted.is_packed else len(allotted.slots)
        self._estimator.slots = at_once or 1
        if live or len(allotted):
            pace = self._estimator.pace(efforts, waiting, count, time.monotonic())
        else:  # nothing runs, and nothing may start: nobody knows until when
            pace = Pace()
        return ExecutionSnapshot(live, count, pace, allotted.note)

    def _read(self, running: Running) -> None:
        """Read what the program of an attempt reports, if that has changed."""
        directory = self._experiment.run(running.decision.run.run_id)
        now = signs(f"{directory.path}")
        if now != running.signs:
            running.signs = now
            running.progress, running.metrics = (
                directory.read_progress(),
                directory.outcome().metrics,
            )
            running.mark()


def _effort(running: Running, progress: Progress | None) -> Effort:
    point = running.decision.run.overrides
    if progress is None:
        return Effort(point, running.seconds)
    whole = progress.iteration if progress.stopped_early else progress.iterations
    done = running.before, progress.iteration, whole
    return Effort(point, running.seconds, *done, running.first, running.latest)
