"""Tests of orchestrator.execution.slots."""

import pytest

from orchestrator.execution.slots import Gpu, count_slots, group_gpus, make_slots, shares_gpu

GPUS = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(2)]
FIVE = [Gpu(number, f"GPU-{number}", "H200", 1 << 37) for number in range(5)]


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


def test_run_may_take_several_gpus_that_are_neighbours() -> None:
    """What makes no whole group is left out; more slots than groups share them."""
    slots = make_slots(3, FIVE, per_run=2)
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == [
        "GPU-0,GPU-1",
        "GPU-2,GPU-3",
        "GPU-0,GPU-1",
    ]
    assert shares_gpu(slots[0], slots)
    assert not shares_gpu(slots[1], slots)
    assert slots[1].gpu == FIVE[2]
    assert slots[1].gpus == (FIVE[2], FIVE[3])


@pytest.mark.parametrize(
    ("near", "per_run", "groups"),
    [
        ([], 2, [(0, 1), (2, 3)]),
        ([(0, 2), (1, 3)], 2, [(0, 2), (1, 3)]),  # as NVLink bridges on a board often are
        ([(1, 4)], 2, [(0, 2), (1, 4)]),
        ([(0, 3), (0, 4), (3, 4)], 3, [(0, 3, 4)]),
        ([(1, 2)], 1, [(0,), (1,), (2,), (3,), (4,)]),
        ([], 5, [(0, 1, 2, 3, 4)]),
        ([], 6, []),
    ],
)
def test_gpus_of_a_run_are_near_each_other(
    near: list[tuple[int, int]], per_run: int, groups: list[tuple[int, ...]]
) -> None:
    """The first ones of those that are equally near; each is in one group at most."""

    def distance(one: Gpu, other: Gpu) -> int:
        return 0 if tuple(sorted((one.number, other.number))) in near else 51

    found = group_gpus(FIVE, per_run, distance)
    assert [tuple(gpu.number for gpu in group) for group in found] == groups


def test_slots_are_as_many_as_there_are_groups() -> None:
    """Of GPUs, or of CPUs where there is none; at least one."""
    assert count_slots(None, 5, 16, 2) == 2
    assert count_slots(None, 0, 16, 2) == 8
    assert count_slots(None, 0, 1, 2) == 1
    assert count_slots(3, 5, 16, 2) == 3
    assert count_slots(None, 4, 16) == 4
