"""Runs wait in order; delayed ones come first once they are due."""

import pytest

from orchestrator.execution.run_queue import RunQueue
from orchestrator.execution.scheduler import QueuedRun
from orchestrator.grid.identity import Run
from orchestrator.planning.plan import decide
from orchestrator.rundir.state import NOTHING_THERE


@pytest.fixture
def waiting(runs: list[Run]) -> list[QueuedRun]:
    """Return three runs that are to start."""
    return [QueuedRun(decide(run, NOTHING_THERE)) for run in runs]


def test_delayed_run_counts_but_does_not_start(waiting: list[QueuedRun]) -> None:
    queue = RunQueue()
    queue.ready.append(waiting[0])
    queue.put_off(waiting[1], until=5.0)
    queue.make_due(4.9)
    assert len(queue) == 2
    assert list(queue.following(9)) == waiting[:1]
    assert list(queue) == waiting[:2]


def test_due_run_starts_before_those_that_never_started(waiting: list[QueuedRun]) -> None:
    queue = RunQueue()
    queue.ready.append(waiting[2])
    queue.put_off(waiting[0], until=1.0)
    queue.put_off(waiting[1], until=2.0)
    queue.make_due(2.0)
    assert list(queue.ready) == waiting
    queue.make_due(3.0)
    assert len(queue) == 3


def test_queue_is_refilled_for_free_slots_until_the_supply_ends(waiting: list[QueuedRun]) -> None:
    """It counts as not empty until the supply has said that there are no more."""
    supplied = iter([each.decision for each in waiting])
    queue = RunQueue(lambda: next(supplied, None))
    assert queue
    assert len(queue) == 0
    queue.refill(2)
    assert list(queue.ready) == waiting[:2]
    queue.refill(2)
    assert len(queue) == 2
    queue.refill(9)
    assert list(queue.ready) == waiting
    queue.ready.clear()
    assert not queue
