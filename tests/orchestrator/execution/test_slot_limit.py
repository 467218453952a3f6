"""How many runs may be executed at once, and where, after each request."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from orchestrator.execution.events import ControlFailed, Controlled, Event
from orchestrator.execution.protocols import Resources
from orchestrator.execution.slot_limit import Allotment, describe
from orchestrator.execution.slots import Gpu, make_slots
from orchestrator.rundir.control_file import ControlRequest as Ask

GPUS = [Gpu(number, f"GPU-{number}", "H200", 1) for number in range(2)]


@dataclass
class FakeBoard:
    """Remembers what it was shown."""

    events: list[Event] = field(default_factory=list)

    def show(self, event: Event) -> None:
        self.events.append(event)

    def refresh(self, snapshot: object) -> None:
        raise AssertionError(snapshot)


def allotment_after(board: FakeBoard, *requests: Ask, damage: str = "") -> Allotment:
    news: list[tuple[Sequence[Ask], str]] = [(requests, damage)]
    resources = Resources(
        make_slots(3, GPUS),
        requests=lambda: news.pop() if news else ((), ""),
        grow=lambda count: make_slots(count, GPUS, {"OMP_NUM_THREADS": str(count)}),
    )
    allotment = Allotment(resources, board)
    allotment.look()
    return allotment


@pytest.mark.parametrize(
    ("requests", "numbers", "most", "state"),
    [
        ([Ask(workers=5)], [0, 1, 2, 3, 4], 5, Controlled(5, is_paused=False)),
        ([Ask(workers=1)], [0], 1, Controlled(1, is_paused=False)),
        ([Ask(paused=True)], [0, 1, 2], 0, Controlled(3, is_paused=True)),
        ([Ask(paused=True), Ask(paused=False)], [0, 1, 2], 3, Controlled(3, is_paused=False)),
        ([Ask(without_gpus=(0,))], [1], 1, Controlled(3, is_paused=False, without_gpus=(0,))),
        (
            [Ask(without_gpus=(0, 1)), Ask(with_gpus=(0,)), Ask(workers=4)],
            [0, 2],
            2,
            Controlled(4, is_paused=False, without_gpus=(1,)),
        ),
        ([Ask(without_gpus=(9,))], [0, 1, 2], 3, Controlled(3, is_paused=False, without_gpus=(9,))),
    ],
)
def test_requests_change_it_one_after_the_other(
    requests: list[Ask], numbers: list[int], most: int, state: Controlled
) -> None:
    """What holds then is shown once."""
    board = FakeBoard()
    allotment = allotment_after(board, *requests)
    assert [slot.number for slot in allotment.slots] == numbers
    assert len(allotment) == most
    assert board.events == [state]
    allotment.look()
    assert len(board.events) == 1
    assert allotment.note == describe(state)


def test_slots_that_stay_are_the_same_whatever_their_share() -> None:
    """A run that occupies one still does."""
    before = make_slots(3, GPUS)
    assert allotment_after(FakeBoard(), Ask(workers=5)).slots[:3] == list(before)


def test_damaged_file_is_shown_and_changes_nothing() -> None:
    board = FakeBoard()
    allotment = allotment_after(board, damage="it is torn")
    assert board.events == [ControlFailed("it is torn")]
    assert (len(allotment), allotment.note) == (3, "")


def test_state_is_told_on_one_line() -> None:
    assert describe(Controlled(1, is_paused=False)) == "1 worker"
    told = describe(Controlled(2, is_paused=True, without_gpus=(0, 3)))
    assert told == "paused, 2 workers, without GPU 0, 3"
