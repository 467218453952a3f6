"""What a live run uses is asked of the processes that it has, and its pace tells the rest."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.execution.live_usage import look_at, seconds_left
from orchestrator.execution.slots import Gpu
from orchestrator.execution.visible_gpus import Nvml
from orchestrator.rundir.state import Observation, Progress, Record, Status

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEGAN + timedelta(seconds=120)
GPU = "GPU-1"


def status(**fields: object) -> Status:
    told: dict[str, object] = {"started_at": BEGAN.isoformat(), "host": "box", "pid": 1}
    return Status(Record.RUNNING, 1, **(told | fields))  # type: ignore[arg-type] # as given


def progress(iteration: int, *, after: float = 100, iterations: int = 20) -> Progress:
    return Progress(
        iteration, iterations, {}, updated_at=(BEGAN + timedelta(seconds=after)).isoformat()
    )


@pytest.mark.parametrize(
    ("resumed_at", "reported", "left"),
    [
        (0, progress(10), 80.0),  # 10 s each, ten to go, since 20 s one is being done
        (5, progress(10), 180.0),  # only five of them in this attempt
        (15, progress(10), 80.0),  # it did not resume
        (0, progress(20), 0.0),
        (0, progress(1, iterations=1_000_000), 99_999_880.0),
        (None, progress(10, after=9999), 120.0),  # its clock is wrong: by ours
        (0, progress(0), None),
        (10, progress(10), 80.0),
        (0, progress(30), None),  # a program may write any numbers
        (0, None, None),
    ],
)
def test_time_left_follows_from_the_iterations_of_this_attempt(
    resumed_at: int | None, reported: Progress | None, left: float | None
) -> None:
    assert seconds_left(status(resumed_at=resumed_at), reported, NOW) == left


@pytest.mark.parametrize("jump", [timedelta(days=3650), timedelta(days=-3650), timedelta(hours=1)])
@pytest.mark.parametrize("is_reported_before", [True, False])
def test_clock_that_was_set_tells_no_time_left(
    jump: timedelta, *, is_reported_before: bool
) -> None:
    """The age of its processes bounds what the attempt has taken."""
    reported = progress(10)
    if not is_reported_before:
        moment = datetime.fromisoformat(reported.updated_at) + jump
        reported = replace(reported, updated_at=moment.isoformat())
    left = seconds_left(status(), reported, NOW + jump, 120.0)
    assert left == (120.0 if is_reported_before else 80.0)


def test_progress_of_the_attempt_before_tells_nothing() -> None:
    resumed = replace(status(resumed_at=10), attempt=2)
    assert seconds_left(resumed, progress(10, after=-1), NOW) is None
    assert seconds_left(resumed, progress(11), NOW) == 880.0


def test_damaged_time_tells_nothing() -> None:
    assert seconds_left(status(started_at="yesterday"), progress(10), NOW) is None


class FakeNvml(Nvml):
    """A machine with two GPUs, the second of which is in use."""

    def __init__(self, used: dict[int, int] | None) -> None:
        self.used = used

    def found(self) -> tuple[Gpu, ...]:
        return tuple(Gpu(number, f"GPU-{number}", "H200", 1) for number in range(2))

    def memory_by_process(self, uuid: str | None) -> dict[int, int] | None:
        assert uuid == GPU
        return self.used


def test_memory_is_that_of_the_processes_below_the_runner() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout
        assert child.stdin
        child.stdout.readline()
        told = status(host=socket.gethostname(), pid=os.getpid(), slot=2, gpu=GPU)
        seen = Observation(told, locked=True, progress=progress(10))
        used = look_at(seen, FakeNvml({child.pid: 7, 1: 100}))
        assert (used.slot, used.gpu, used.gpu_memory) == (2, 1, 7)
        assert used.memory
        assert used.memory > 1 << 20
        assert look_at(seen, FakeNvml(None)).gpu_memory is None
        child.stdin.close()


def test_process_of_another_machine_is_not_looked_for() -> None:
    seen = Observation(status(host="elsewhere", pid=os.getppid(), slot=1), locked=True)
    used = look_at(seen, FakeNvml(None))
    assert (used.slot, used.memory) == (1, None)
    assert look_at(Observation(None, locked=True), FakeNvml(None)).slot is None


def test_memory_on_several_gpus_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is that of the first one."""
    used = {"GPU-0": {os.getpid(): 3}, "GPU-1": {os.getpid(): 4, 1: 100}}
    nvml = FakeNvml(None)
    monkeypatch.setattr(nvml, "memory_by_process", lambda uuid: used[uuid])
    monkeypatch.setattr("orchestrator.runner.process_tree.below", lambda _pid: [os.getpid()])
    told = status(host=socket.gethostname(), pid=os.getpid(), slot=0, gpu="GPU-0,GPU-1")
    found = look_at(Observation(told, locked=True), nvml)
    assert (found.gpu, found.gpu_memory) == (0, 7)
