"""How many runs will share a GPU is told before they do, with the reason."""

from __future__ import annotations

import pytest

from orchestrator.config.resource_settings import Share
from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.peak_memory import PeakMemory
from orchestrator.execution.planned_sharing import most_per_gpu, plan_sharing
from orchestrator.execution.slots import Gpu

GIB = 1 << 30
GPUS = [Gpu(number, f"GPU-{number}", "H200", 140 * GIB) for number in range(2)]
POINTS = [{"batch": batch, "seed": seed} for batch in (32, 64) for seed in range(3)]


def told(share: Share, *peaks: tuple[int, float]) -> str:
    known = PeakMemory()
    for batch, gib in peaks:
        known.note(marks_of({"batch": batch}), int(gib * GIB))
    return str(plan_sharing(share, GPUS, 32, POINTS, known))


@pytest.mark.parametrize(
    ("share", "processors", "most"),
    [
        (Share(), 32, 16),
        (Share(), 8, 8),
        (Share(), 1, 4),
        (Share(pack=1), 32, 1),
        (Share(pack=6), 32, 6),
        (Share(workers=8), 32, 1),
        (Share(gpus_per_run=2), 32, 1),
    ],
)
def test_most_runs_per_gpu_follow_from_the_settings(
    share: Share, processors: int, most: int
) -> None:
    assert most_per_gpu(share, GPUS, processors) == most


def test_gpu_whose_memory_is_not_known_is_not_shared() -> None:
    assert most_per_gpu(Share(), [*GPUS, Gpu(2, "GPU-2", "Orin", 0)], 32) == 1


def test_reason_is_the_memory_that_is_known() -> None:
    assert told(Share()) == (
        "sharing: up to 16 runs per GPU, as their memory allows: the first run of each kind is"
        " measured, and until then none joins it"
    )
    assert told(Share(), (32, 1), (64, 2)) == (
        "sharing: up to 16 runs per GPU, because a run needs at most 2.8 of 140.0 GiB"
    )
    assert told(Share(), (32, 30), (64, 60)) == (
        "sharing: up to 2 runs per GPU, because a run needs at most 69.5 of 140.0 GiB"
    )
    assert told(Share(), (32, 100)) == (
        "sharing: one run per GPU, because a run needs at most 115.5 of 140.0 GiB; of 3 of 6 runs that"
        " is unknown: the first run of each kind is measured, and until then none joins it"
    )


def test_setting_is_the_reason_where_it_decides() -> None:
    assert told(Share(pack=1)) == "sharing: 1 run per GPU, as orch.pack says"
    assert told(Share(pack=4)) == "sharing: 4 runs per GPU, as orch.pack says"
    assert told(Share(workers=4)) == "None"
    assert plan_sharing(Share(), (), 8, POINTS, PeakMemory()) is None
