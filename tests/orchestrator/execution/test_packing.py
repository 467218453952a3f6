"""Packing learns what live runs use, and admits others by it; the driver is stood in for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from orchestrator.execution.cost_model import marks_of
from orchestrator.execution.packing import LiveRun, Packing
from orchestrator.execution.peak_memory import PeakMemory
from orchestrator.execution.slots import Gpu
from orchestrator.execution.visible_gpus import Use
from orchestrator.grid.identity import Run
from orchestrator.rundir.experiment import ExperimentDirectory
from orchestrator.rundir.state import Failure, Progress, Record, Status
from orchestrator.runner import process_tree

GIB = 1 << 30
GPU = Gpu(0, "GPU-0", "H200", 80 * GIB)
OTHER = Gpu(1, "GPU-1", "H200", 80 * GIB)


@dataclass
class FakeGpus:
    """The driver: the bytes of each process, as the test says; None hides the processes."""

    used: dict[int, int] | None = field(default_factory=dict)
    free: int = 80 * GIB
    asked: int = 0

    def found(self) -> tuple[Gpu, ...]:
        return (GPU, OTHER)

    def use(self, gpu: Gpu) -> Use:
        assert gpu in self.found()
        return Use(self.free, frozenset(self.used or ()))

    def memory_by_process(self, _uuid: str | None) -> Mapping[int, int] | None:
        self.asked += 1
        return self.used


@dataclass
class World:
    """Live runs on a GPU, of which each is a runner with one process."""

    gpus: FakeGpus
    experiment: ExperimentDirectory
    runs: list[Run]
    peaks: PeakMemory = field(default_factory=PeakMemory)
    clock: float = 100.0
    live: list[LiveRun] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing known."""
        self.packing = Packing(self.gpus, self.peaks, 16, lambda: False)

    def start(self, number: int, point: Mapping[str, int], used: int = 0, gpu: Gpu = GPU) -> None:
        """Start a run, whose process uses some memory; its runner has ten times the number as its PID."""
        directory = self.experiment.create(self.runs[number])
        pid = 10 * (number + 1)
        directory.write_status(Status(Record.RUNNING, 1, "then", "box", pid))
        if self.gpus.used is not None:
            self.gpus.used[pid + 1] = used
        self.live.append(LiveRun(directory, 1, point, gpu, self.clock, 0, None))

    def report(self, number: int, iteration: int, reserved: int | None = None) -> None:
        """Let a run report an iteration."""
        run = self.live[number]
        progress = Progress(iteration, 9, {}, gpu_memory_reserved=reserved)
        self.live[number] = LiveRun(run.directory, 1, run.point, run.gpu, run.since, 0, progress)

    def refuse(self, point: Mapping[str, int], gpu: Gpu = GPU) -> str:
        """Ask for one more run, a second later."""
        self.clock += 1
        return self.packing.refuse(gpu, point, self.live)


@pytest.fixture
def world(
    experiment: ExperimentDirectory, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> World:
    made = World(FakeGpus(), experiment, runs)
    monkeypatch.setattr(time, "monotonic", lambda: made.clock)
    monkeypatch.setattr(process_tree, "below", lambda pid: [pid + 1])
    return made


def test_empty_gpu_takes_any_run(world: World) -> None:
    assert world.refuse({"batch": 1}) == ""
    world.start(0, {"batch": 1}, gpu=OTHER)
    assert world.refuse({"batch": 1}) == ""


def test_first_of_a_kind_is_alone_until_it_has_completed_an_iteration(world: World) -> None:
    world.start(0, {"batch": 1}, 10 * GIB)
    assert "not known yet" in world.refuse({"batch": 1})
    world.report(0, 1)
    assert world.refuse({"batch": 1}) == ""
    assert world.refuse({"batch": 2}) == ""  # unknown, but most of the GPU is free
    world.start(1, {"batch": 2}, 5 * GIB)
    assert "not known yet" in world.refuse({"batch": 1})


def test_what_finished_runs_used_is_reserved_before_it_is_used(world: World) -> None:
    world.peaks.note(marks_of({"batch": 1}), 30 * GIB)
    world.start(0, {"batch": 1}, GIB)
    assert world.refuse({"batch": 1}) == ""
    world.start(1, {"batch": 1}, GIB)
    assert "the run needs 35.0 GiB" in world.refuse({"batch": 1})


def test_run_that_grows_is_expected_to_stay_as_large(world: World) -> None:
    world.start(0, {"batch": 1}, 10 * GIB)
    world.report(0, 1)
    assert world.refuse({"batch": 1}) == ""
    assert world.gpus.used is not None
    world.gpus.used[11] = 60 * GIB
    assert world.refuse({"batch": 1}) != ""


def test_peak_of_the_allocator_counts_where_the_driver_hides_processes(world: World) -> None:
    """In a container: with the CUDA context, which the allocator does not know."""
    world.gpus.used = None
    world.gpus.free = 80 * GIB
    world.start(0, {"batch": 1})
    world.start(1, {"batch": 1})
    world.report(0, 1, 20 * GIB)
    world.report(1, 1, 20 * GIB)
    world.refuse({"batch": 1})
    assert world.peaks.expect(marks_of({"batch": 1})) == 21 * GIB


def test_run_alone_uses_all_that_is_used_where_the_driver_hides_processes(world: World) -> None:
    world.gpus.used, world.gpus.free = None, 50 * GIB
    world.start(0, {"batch": 1})
    assert world.refuse({"batch": 1}) != ""
    world.report(0, 1)
    world.refuse({"batch": 1})
    assert world.peaks.expect(marks_of({"batch": 1})) == 30 * GIB


def test_out_of_memory_beside_others_makes_its_kind_unknown(world: World) -> None:
    """Until one has ended alone, which tells how much it is."""
    world.peaks.note(marks_of({"batch": 1}), GIB)
    world.start(0, {"batch": 1}, GIB)
    world.refuse({"batch": 1})
    failed = Status(Record.FAILED, 1, "then", "box", 10, failure=Failure("out-of-memory", ""))
    world.packing.note_end(world.live[0], failed, shared=True)
    assert world.peaks.expect(marks_of({"batch": 1})) is None
    done = Status(Record.DONE, 1, "then", "box", 10, gpu_memory=40 * GIB)
    world.packing.note_end(world.live[0], done, shared=False)
    assert world.peaks.expect(marks_of({"batch": 1})) == 40 * GIB


def test_no_run_joins_where_the_machine_is_short_of_memory(world: World) -> None:
    world.packing = Packing(world.gpus, world.peaks, 16, lambda: True)
    assert world.refuse({"batch": 1}) == ""  # an empty GPU is not left empty
    world.peaks.note(marks_of({"batch": 1}), GIB)
    world.start(0, {"batch": 1}, GIB)
    assert world.refuse({"batch": 1}) == "the machine is short of memory"


def test_expected_count_follows_from_what_is_known(world: World) -> None:
    assert world.packing.count_expected([GPU, OTHER]) == 2
    world.peaks.note(marks_of({"batch": 1}), 20 * GIB)
    assert world.packing.count_expected([GPU, OTHER]) == 6


def test_driver_is_asked_about_a_gpu_twice_per_second_at_most(world: World) -> None:
    world.start(0, {"batch": 1}, GIB)
    world.refuse({"batch": 1})
    asked = world.gpus.asked
    world.packing.refuse(GPU, {"batch": 1}, world.live)
    assert world.gpus.asked == asked
    world.refuse({"batch": 1})
    assert world.gpus.asked == asked + 1
