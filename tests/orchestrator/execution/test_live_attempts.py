"""The live attempts of a process: which slots they occupy, and who hears of a request to stop."""

import os
import time
from dataclasses import dataclass, field

import pytest

from orchestrator.execution.events import AttemptStarted, Event, Stopping
from orchestrator.execution.live_attempts import Attempts
from orchestrator.execution.protocols import Resources
from orchestrator.execution.remaining_time import Pace
from orchestrator.execution.scheduler import QueuedRun
from orchestrator.execution.slot_limit import Allotment
from orchestrator.execution.slots import Gpu, Slot, make_slots
from orchestrator.execution.stop_requests import StopLevel, StopRequests
from orchestrator.grid.identity import Run
from orchestrator.planning.plan import Action, decide
from orchestrator.rundir.control_file import ControlRequest
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import NOTHING_THERE, Progress

GPU = Gpu(0, "GPU-0", "H200", 1 << 37)


class FakeAttempt:
    """An attempt that is over when the test says so."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._over, self._end = os.pipe()

    def fileno(self) -> int:
        return self._over

    def end(self) -> None:
        os.close(self._end)

    def ask_to_stop(self) -> None:
        self.heard.append("ask")

    def end_at_once(self) -> None:
        self.heard.append("end")

    def abandon(self) -> None:
        self.heard.append("abandon")

    def close(self) -> str:
        os.close(self._over)
        return ""


@dataclass
class FakeBoard:
    """Keeps the events it was shown."""

    events: list[Event] = field(default_factory=list)

    def show(self, event: Event) -> None:
        self.events.append(event)

    def refresh(self, snapshot: object) -> None:
        raise AssertionError(snapshot)


@dataclass
class World:
    """The live attempts, with all that a test looks at."""

    attempts: Attempts
    board: FakeBoard
    slots: tuple[Slot, ...]
    runs: list[Run]

    def begin(self, number: int) -> FakeAttempt:
        """Begin the attempt of a run in the slot of the same number."""
        run, attempt = self.runs[number], FakeAttempt()
        started = AttemptStarted(run, Action.RUN, 1, self.slots[number], "")
        queued = QueuedRun(decide(run, NOTHING_THERE))
        self.attempts.begin(attempt, queued, started, before=0)
        return attempt


@pytest.fixture
def world(experiment: ExperimentDirectory, runs: list[Run]) -> World:
    """Return a world in which nothing runs."""
    board = FakeBoard()
    slots = make_slots(3, [GPU])
    return World(Attempts(experiment, board, Resources(slots[:2])), board, slots, runs)


def test_attempt_occupies_its_slot_until_it_ends(world: World) -> None:
    attempt = world.begin(0)
    assert world.slots[0] in world.attempts
    assert world.slots[1] not in world.attempts
    attempt.end()
    with StopRequests() as stop:
        (over,) = world.attempts.wait(stop)
    assert over.attempt is attempt
    assert (len(world.attempts), world.slots[0] in world.attempts) == (0, False)
    attempt.close()


def test_attempts_that_share_a_gpu_are_marked(world: World) -> None:
    """One that ran out of memory beside another is retried alone."""
    attempts = [world.begin(0)]
    attempts.append(world.begin(1))
    for attempt in attempts:
        attempt.end()
    with StopRequests() as stop:
        assert all(running.shared for running in world.attempts.wait(stop))


def test_each_level_of_a_request_to_stop_is_passed_on_once(world: World) -> None:
    attempt = world.begin(0)
    for level in (StopLevel.NOT_ASKED, StopLevel.AT_CHECKPOINT, StopLevel.AT_CHECKPOINT):
        world.attempts.pass_on(level)
    assert attempt.heard == ["ask"]
    world.attempts.pass_on(StopLevel.AT_ONCE)
    world.attempts.pass_on(StopLevel.AT_CHECKPOINT)
    assert attempt.heard == ["ask", "end"]
    assert [event for event in world.board.events if isinstance(event, Stopping)] == [
        Stopping(1, at_once=False, unsaved=1),
        Stopping(1, at_once=True),
    ]


def test_runner_that_does_not_end_is_abandoned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = world.begin(0)
    world.attempts.pass_on(StopLevel.AT_ONCE)
    monkeypatch.setattr(time, "monotonic", lambda: float("inf"))
    world.attempts.pass_on(StopLevel.AT_ONCE)
    assert attempt.heard == ["end", "abandon"]


def test_snapshot_has_the_progress_of_each_attempt(
    world: World, experiment: ExperimentDirectory
) -> None:
    directory = experiment.create(world.runs[0])
    content = '{"iteration": 2, "iterations": 5, "metrics": {"loss": 1.5}}'
    (directory.path / "progress.json").write_text(content)
    world.begin(0)
    allotment = Allotment(Resources(world.slots), world.board)
    snapshot = world.attempts.look([], 7, allotment)
    (live,) = snapshot.live
    assert live.progress == Progress(2, 5, {"loss": 1.5})
    assert snapshot.waiting == 7


def test_nobody_knows_when_a_paused_grid_ends(
    world: World, experiment: ExperimentDirectory
) -> None:
    """While a run lives, it is known how long that takes."""
    directory = experiment.create(world.runs[0])
    (directory.path / "progress.json").write_text('{"iteration": 2, "iterations": 5}')
    attempt = world.begin(0)
    requests = [ControlRequest(paused=True)]
    resources = Resources(world.slots, requests=lambda: (requests, ""))
    paused = Allotment(resources, world.board)
    paused.look()
    assert world.attempts.look([{}], 1, paused).pace != Pace()
    attempt.end()
    with StopRequests() as stop:
        list(world.attempts.wait(stop))
    assert world.attempts.look([{}], 1, paused).pace == Pace()
    attempt.close()
