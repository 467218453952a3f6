"""The scheduler puts waiting runs into free slots, in order."""

from orchestrator.identity import Run
from orchestrator.plan import decide
from orchestrator.scheduler import assign, make_slots
from orchestrator.state import NOTHING_THERE


def test_runs_take_the_free_slots_in_their_order(runs: list[Run]) -> None:
    """As many start as there are free slots, the first ones first."""
    waiting = [decide(run, NOTHING_THERE) for run in runs]
    slots = make_slots(3)
    assigned = assign(waiting, slots, busy={slots[1]})
    assert [each.decision for each in assigned] == waiting[:2]
    assert [each.slot.number for each in assigned] == [0, 2]


def test_nothing_starts_where_nothing_is_free_or_waits(runs: list[Run]) -> None:
    """A full box stays as it is."""
    slots = make_slots(1)
    assert assign([decide(runs[0], NOTHING_THERE)], slots, busy=slots) == ()
    assert assign([], slots, busy=()) == ()
