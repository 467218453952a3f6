"""A slot is open if it is free, orphans leave room for it, and its GPU is not filled by others."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from orchestrator.execution.events import Blocked
from orchestrator.execution.open_slots import OpenSlots
from orchestrator.execution.protocols import Resources
from orchestrator.execution.slots import Gpu, make_slots

# A run that is to start.
WAITING: Any = SimpleNamespace(
    alone=False, decision=SimpleNamespace(run=SimpleNamespace(overrides={}))
)
GPUS = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(2)]


@dataclass
class FakeGate:
    """Reports the obstacles that the test sets, by the numbers of GPUs."""

    obstacles: dict[int, str] = field(default_factory=dict)

    def obstacle(self, gpu: Gpu, *, is_taken: bool) -> str:
        return "" if is_taken else self.obstacles.get(gpu.number, "")


@dataclass
class FakeBoard:
    """Keeps the events it was shown."""

    events: list[Any] = field(default_factory=list)

    def show(self, event: object) -> None:
        self.events.append(event)


class FakeAttempts(dict[Any, Any]):
    """The occupied slots."""

    may_begin = None

    live = ()

    @property
    def busy(self) -> Any:
        return self


def open_slots(gate: FakeGate | None, attempts: FakeAttempts, board: FakeBoard) -> OpenSlots:
    resources = Resources(make_slots(4, GPUS), gate=gate)
    return OpenSlots(resources, attempts, board)  # type: ignore[arg-type] # all that it uses


def test_all_slots_are_open_without_a_gate() -> None:
    found = open_slots(None, FakeAttempts(), FakeBoard()).find(0, WAITING)
    assert [slot.number for slot in found] == [0, 1, 2, 3]


def test_orphans_take_up_slots() -> None:
    slots = make_slots(4, GPUS)
    attempts = FakeAttempts({slots[0]: None, slots[1]: None})
    assert open_slots(None, attempts, FakeBoard()).find(2, WAITING) == []
    assert open_slots(None, attempts, FakeBoard()).find(1, WAITING)


def test_gpu_that_others_fill_is_closed_and_reported_once() -> None:
    gate, board = FakeGate({1: "used by others"}), FakeBoard()
    slots = open_slots(gate, FakeAttempts(), board)
    for _ in range(2):
        assert [slot.number for slot in slots.find(0, WAITING)] == [0, 2]
    assert [type(event) for event in board.events] == [Blocked, Blocked]
    gate.obstacles.clear()
    assert len(slots.find(0, WAITING)) == 4
    gate.obstacles[1] = "again"
    slots.find(0, WAITING)
    assert len(board.events) == 4


def test_gpu_with_a_run_of_ours_is_open() -> None:
    """What fills it then is that run."""
    slots = make_slots(4, GPUS)
    gate = FakeGate({0: "used", 1: "used"})
    found = open_slots(gate, FakeAttempts({slots[1]: None}), FakeBoard()).find(0, WAITING)
    assert [slot.number for slot in found] == [1, 3]


def test_slot_of_several_gpus_is_closed_if_others_fill_any_of_them() -> None:
    """Its run would not start on the others alone."""
    gpus = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(4)]
    resources = Resources(make_slots(2, gpus, per_run=2), gate=FakeGate({3: "used by others"}))
    board = FakeBoard()
    slots = OpenSlots(resources, FakeAttempts(), board)  # type: ignore[arg-type] # as above
    assert [slot.number for slot in slots.find(0, WAITING)] == [0]
    assert [event.reason for event in board.events] == ["used by others"]


class FakePacking:
    """Refuses the GPUs that the test names."""

    def __init__(self, *refused: int) -> None:
        self.refused = refused

    def refuse(self, gpu: Gpu, _point: object, _live: object) -> str:
        return "it is full" if gpu.number in self.refused else ""


def packed(packing: FakePacking, board: FakeBoard, gate: FakeGate | None = None) -> OpenSlots:
    resources = Resources(make_slots(4, GPUS), gate=gate, packing=packing)  # type: ignore[arg-type] # all that it uses
    return OpenSlots(resources, FakeAttempts(), board)  # type: ignore[arg-type] # as above


def test_gpu_without_room_for_the_run_is_closed_without_a_word() -> None:
    """Its own runs will end; only what others fill needs the user."""
    board = FakeBoard()
    slots = packed(FakePacking(0), board)
    assert [slot.number for slot in slots.find(0, WAITING)] == [1, 3]
    assert board.events == []


def test_run_that_has_to_be_alone_is_not_refused() -> None:
    """It waits for an empty GPU, which takes any run."""
    alone: Any = SimpleNamespace(**{**vars(WAITING), "alone": True})
    assert len(packed(FakePacking(0, 1), FakeBoard()).find(0, alone)) == 4


def test_number_that_the_user_asks_for_ends_packing() -> None:
    slots = packed(FakePacking(0, 1), FakeBoard())
    slots.allotment.is_packed = False
    assert len(slots.find(0, WAITING)) == 4


def test_gpu_that_others_fill_is_reported_once_for_all_that_would_share_it() -> None:
    board = FakeBoard()
    slots = packed(FakePacking(), board, FakeGate({1: "used by others"}))
    assert [slot.number for slot in slots.find(0, WAITING)] == [0, 2]
    assert len(board.events) == 1
