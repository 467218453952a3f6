"""Live runs that other processes execute are waited for, and given up if they never get further."""

import fcntl
import os
from collections.abc import Iterator

import pytest

from orchestrator.execution.adopted import AdoptedRuns
from orchestrator.execution.events import Adopted, Event, ExecutionSnapshot, LiveElsewhere
from orchestrator.execution.remaining_time import Pace
from orchestrator.grid.identity import Run
from orchestrator.planning.plan import Decision, decide
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.records import now
from orchestrator.rundir.state import NOTHING_THERE, Observation, Progress, Record, State, Status

RUNNING = Status(Record.RUNNING, 1, now(), "box", 1)


class FakeBoard(list[Event]):
    """Keeps the events it was shown."""

    def show(self, event: Event) -> None:
        self.append(event)

    def refresh(self, snapshot: object) -> None:
        raise AssertionError(snapshot)


@pytest.fixture
def board() -> FakeBoard:
    """Return a board that nothing was shown on."""
    return FakeBoard()


@pytest.fixture
def decision(runs: list[Run]) -> Decision:
    """Return the decision on a run."""
    return decide(runs[0], NOTHING_THERE)


@pytest.fixture
def live(experiment: ExperimentDirectory, runs: list[Run]) -> Iterator[tuple[RunDirectory, int]]:
    """Yield the directory of a live run, and the descriptor of its lock, which is held."""
    directory = experiment.create(runs[0])
    directory.write_status(RUNNING)
    descriptor = directory.lock.open()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield directory, descriptor
    os.close(descriptor)


def test_run_is_waited_for_until_its_lock_is_free(
    experiment: ExperimentDirectory,
    board: FakeBoard,
    decision: Decision,
    live: tuple[RunDirectory, int],
) -> None:
    adopted = AdoptedRuns(experiment, board, ())
    adopted.adopt(decision)
    assert [type(event) for event in board] == [Adopted]
    directory, descriptor = live
    (directory.path / "progress.json").write_text('{"iteration": 2, "iterations": 5}')
    snapshot = ExecutionSnapshot([], 0, Pace())
    assert adopted.show_in(snapshot).elsewhere == [LiveElsewhere(decision.run, None)]
    assert adopted.over() == []
    assert adopted.show_in(snapshot).elsewhere == [LiveElsewhere(decision.run, Progress(2, 5, {}))]
    directory.write_status(Status(Record.DONE, 1, now(), "box", 1))
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    ((over, seen),) = adopted.over()
    assert (over, seen.state) == (decision, State.DONE)
    assert len(adopted) == 0
    assert adopted.show_in(snapshot) is snapshot


def test_only_live_orphans_take_up_slots(
    experiment: ExperimentDirectory, board: FakeBoard, runs: list[Run]
) -> None:
    adopted = AdoptedRuns(experiment, board, [run.run_id for run in runs])
    assert adopted.orphans == 0
    adopted.adopt(decide(runs[0], NOTHING_THERE))
    assert (adopted.orphans, len(adopted)) == (1, 1)


def test_run_that_becomes_an_orphan_takes_up_a_slot(
    experiment: ExperimentDirectory, board: FakeBoard, decision: Decision
) -> None:
    adopted = AdoptedRuns(experiment, board, ())
    adopted.adopt(decision, is_orphan=True)
    assert adopted.orphans == 1


@pytest.mark.parametrize(
    ("saved", "hopeless"),
    [([0, 0], [False, True]), ([1, 2, 2], [False, False, True]), ([3, 2], [False, True])],
)
def test_orphan_that_saves_nothing_between_two_losses_is_hopeless(
    experiment: ExperimentDirectory,
    board: FakeBoard,
    decision: Decision,
    saved: list[int],
    hopeless: list[bool],
) -> None:
    adopted = AdoptedRuns(experiment, board, [decision.run.run_id])
    seen = [
        Observation(RUNNING, False, 1, Progress(count, 5, {}), checkpoint="a.pt") for count in saved
    ]
    assert [adopted.is_hopeless(decision, each) for each in seen] == hopeless


def test_run_that_is_no_orphan_is_never_hopeless(
    experiment: ExperimentDirectory, board: FakeBoard, decision: Decision
) -> None:
    adopted = AdoptedRuns(experiment, board, ())
    seen = Observation(RUNNING, progress=Progress(0, 5, {}), attempts=1)
    assert not any(adopted.is_hopeless(decision, seen) for _ in range(3))
