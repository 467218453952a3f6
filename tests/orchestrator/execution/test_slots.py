"""Tests of orchestrator.execution.slots."""

from orchestrator.execution.slots import Gpu, make_slots, shares_gpu

GPUS = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(2)]


def test_slots_are_spread_over_the_gpus_by_their_uuid() -> None:
    """Several runs may share a GPU; each sees its own only."""
    slots = make_slots(3, GPUS, {"OMP_NUM_THREADS": "4"})
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [
        "GPU-0",
        "GPU-1",
        "GPU-0",
    ]
    assert {slot.environment["OMP_NUM_THREADS"] for slot in slots} == {"4"}
    assert shares_gpu(slots[0], slots)
    assert not shares_gpu(slots[1], slots)
    assert make_slots(2)[1].environment == {"ORCH_SLOT": "1"}


def test_slots_without_a_gpu_share_none() -> None:
    """Two slots on the CPU do not share a GPU."""
    slots = make_slots(2)
    assert [slot.number for slot in slots] == [0, 1]
    assert not shares_gpu(slots[0], slots)
    assert make_slots(0, GPUS) == ()
