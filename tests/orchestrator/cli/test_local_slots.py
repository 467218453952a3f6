"""The slots of ``orch run`` follow from the settings, and from ``orch control``."""

from pathlib import Path

import pytest

from orchestrator.cli.local_slots import find_resources, take_turns
from orchestrator.config.orch_settings import Settings
from orchestrator.config.resource_settings import Share
from orchestrator.errors import UsageError
from orchestrator.execution.peak_memory import PeakMemory
from orchestrator.execution.slots import Gpu
from orchestrator.execution.visible_gpus import Nvml
from orchestrator.execution.wall_time_limit import Worker
from orchestrator.grid.identity import Run, RunId
from orchestrator.planning.plan import decide
from orchestrator.rundir.control_file import ControlFile
from orchestrator.rundir.state import NOTHING_THERE, Observation, Record, Status

GPUS = (Gpu(0, "GPU-0", "H200", 1), Gpu(1, "GPU-1", "H200", 1))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(
    ("share", "gpus", "runs", "slots", "threads"),
    [
        (Share(), (), 100, 8, "1"),
        (Share(), (), 3, 3, "1"),  # the threads do not depend on the number of runs
        (Share(), GPUS, 100, 16, "1"),  # as many as may share the GPUs
        (Share(), GPUS, 3, 3, "1"),
        (Share(pack=1), GPUS, 100, 2, "4"),
        (Share(pack=2), GPUS, 100, 4, "2"),
        (Share(workers=4), GPUS, 100, 4, "2"),
        (Share(gpus_per_run=2), GPUS, 100, 1, "8"),
        (Share(gpus_per_run=2), (), 100, 4, "2"),
        (Share(workers=4, threads=3), (), 100, 4, "3"),
    ],
)
def test_slots_follow_from_the_settings_and_change_on_request(
    share: Share, gpus: tuple[Gpu, ...], runs: int, slots: int, threads: str, tmp_path: Path
) -> None:
    settings, control = Settings(share=share), ControlFile(tmp_path / "control.json", tmp_path)
    found = find_resources(settings, Nvml(), gpus, runs, control, {}, learn=PeakMemory)
    assert len(found.slots) == slots
    assert found.slots[0].environment["OMP_NUM_THREADS"] == threads
    assert (found.gate is not None) == bool(gpus)
    assert (found.packing is not None) == (share == Share() and bool(gpus))
    assert found.grow
    (first, *others) = found.grow(4)
    assert (first, len(others)) == (found.slots[0], 3)
    assert first.environment["OMP_NUM_THREADS"] == (str(share.threads) if share.threads else "2")


@pytest.mark.parametrize(("named", "groups"), [(None, "02"), ("all", "02"), ("3,2,1,0", "32")])
def test_run_gets_gpus_that_are_near_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None, groups: str
) -> None:
    """Or in the order in which the user has named them."""
    monkeypatch.setattr(Nvml, "distance", lambda _, one, other: (one.number + other.number) % 2)
    gpus = [Gpu(number, str(number), "H200", 1) for number in range(4)]
    settings = Settings(share=Share(gpus=named, gpus_per_run=2))
    control = ControlFile(tmp_path / "control.json", tmp_path)
    found = find_resources(settings, Nvml(), gpus, 9, control, {}, learn=PeakMemory)
    assert "".join(gpu.uuid for gpu in found.slots[0].gpus) == groups


def test_run_cannot_take_more_gpus_than_there_are(tmp_path: Path) -> None:
    """One line says how many it may use."""
    control = ControlFile(tmp_path / "control.json", tmp_path)
    settings = Settings(share=Share(gpus="1", gpus_per_run=2))
    with pytest.raises(UsageError, match=r"orch.gpus_per_run is 2, but runs may use 1 here"):
        find_resources(settings, Nvml(), GPUS, 9, control, {}, learn=PeakMemory)


@pytest.mark.parametrize(
    ("place", "order"), [(0, [0, 2, 3, 1]), (1, [2, 3, 0, 1]), (5, [2, 3, 0, 1])]
)
def test_workers_begin_with_different_runs_and_end_with_what_was_lost(
    place: int, order: list[int]
) -> None:
    status = Status(Record.RUNNING, 1, "", "box", 1, job="7")
    seen = [NOTHING_THERE, Observation(status, attempts=1), NOTHING_THERE, NOTHING_THERE]
    starts = [
        decide(Run(RunId(str(at)), str(at), {}, {}, {}, ()), seen[at]) for at in range(len(seen))
    ]
    ordered = take_turns(starts, Worker(place=place))
    assert [int(each.run.run_id) for each in ordered] == order


def test_orch_run_keeps_the_order_of_the_plan() -> None:
    assert take_turns((), None) == ()
