"""The scheduler puts waiting runs into free slots, in order."""

from orchestrator.execution.scheduler import QueuedRun, assign
from orchestrator.execution.slots import Gpu, make_slots
from orchestrator.grid.identity import Run
from orchestrator.planning.plan import decide
from orchestrator.rundir.state import NOTHING_THERE, Observation, Record, Status

GPUS = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(2)]


def waiting(run: Run, *, alone: bool = False) -> QueuedRun:
    return QueuedRun(decide(run, NOTHING_THERE), alone)


def test_first_run_takes_the_first_free_slot(runs: list[Run]) -> None:
    """One after the other, in their order."""
    queue = [waiting(run) for run in runs]
    slots = make_slots(3)
    assignment = assign(queue, slots, {slots[0]: queue[2]})
    assert assignment is not None
    assert (assignment.waiting, assignment.slot) == (queue[0], slots[1])


def test_nothing_starts_where_nothing_is_free_or_waits(runs: list[Run]) -> None:
    """A full box stays as it is."""
    slots = make_slots(1)
    assert assign([waiting(runs[0])], slots, {slots[0]: waiting(runs[1])}) is None
    assert assign([], slots, {}) is None


def test_run_that_needs_a_gpu_alone_waits_for_one_and_keeps_it(runs: list[Run]) -> None:
    """Nothing overtakes it, and nothing joins it."""
    slots = make_slots(4, GPUS)
    alone = waiting(runs[0], alone=True)
    busy = {slots[0]: waiting(runs[1]), slots[1]: waiting(runs[2])}
    assert assign([alone, waiting(runs[1])], slots, busy) is None
    del busy[slots[1]]
    assignment = assign([alone], slots, busy)
    assert assignment is not None
    assert assignment.slot.gpu == GPUS[1]
    busy[assignment.slot] = alone
    following = assign([waiting(runs[2])], slots, busy)
    assert following is not None
    assert following.slot == slots[2]
    busy[slots[2]] = waiting(runs[2])
    assert assign([waiting(runs[1])], slots, busy) is None


def test_of_runs_that_were_lost_with_their_job_one_is_live_at_a_time(runs: list[Run]) -> None:
    """Others start beside it, so that nothing but a lost run ever waits for it."""
    status = Status(Record.RUNNING, 1, "", "box", 1, job="7")
    lost = [QueuedRun(decide(run, Observation(status, attempts=1))) for run in runs]
    slots = make_slots(2)
    assert assign([lost[0]], slots, {slots[0]: lost[1]}) is None
    assert assign([waiting(runs[0])], slots, {slots[0]: lost[1]}) is not None
    assert assign([lost[0]], slots, {slots[0]: waiting(runs[1])}) is not None
