"""Iterations become durable while the next one is trained, in their order, and no error is lost."""

from __future__ import annotations

import errno
from threading import Event, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from run_files import checkpoints_of, places_of, points_of
from user_modules import Interrupted, run_program, sabotage

from trainer.checkpoints.background_writer import LARGE, MOST_TOLD, Recorder
from trainer.errors import Stopped
from trainer.interval import Interval
from trainer.run_files import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from run_files import MakeRun, Start
    from torch import Tensor

    from trainer.checkpoints.store import Checkpoints
    from trainer.run_files import Outputs

PATIENCE = 20


class SlowDisk:
    """Play checkpoints and outputs: note what is written, each checkpoint only when allowed."""

    def __init__(
        self, *, error: OSError | None = None, size: int = 0, is_slow_with_points: bool = False
    ) -> None:
        self.error = error
        self.size = size
        self.is_slow_with_points = is_slow_with_points
        self.allowed = Event()
        self.begun = Event()
        self.written: list[Any] = []
        self.taken: list[list[Any]] = []  # what was written before each copy

    def take(self, iteration: int, state: dict[str, Any], best: int | None) -> Any:
        self.taken.append([*self.written])
        what = ("checkpoint", iteration, state["weights"].tolist(), best)
        return SimpleNamespace(iteration=iteration, what=what, snapshot=self)

    def take_best(self, iteration: int, state: Any) -> Any:
        what = ("best", iteration, state["modules"]["model"])
        return SimpleNamespace(iteration=iteration, what=what, snapshot=self)

    def give_back(self, taken: Any) -> None:
        self.written.append(("given back", taken.iteration))

    def write(self, *all_taken: Any) -> None:
        self.begun.set()
        assert self.allowed.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        self.written += [taken.what for taken in all_taken]

    def publish(self, *all_progress: Progress) -> None:
        if self.is_slow_with_points:
            self.begun.set()
            assert self.allowed.wait(PATIENCE)
        self.written += [("progress", progress.iteration) for progress in all_progress]


def recorder_on(disk: SlowDisk, every: int = 1) -> Recorder:
    return Recorder(cast("Checkpoints", disk), cast("Outputs", disk), Interval(every))


def state_with(weights: Tensor) -> Callable[[], dict[str, Any]]:
    return lambda: {"weights": weights, "modules": {"model": weights.tolist()}}


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_training_goes_on_while_the_disk_is_busy() -> None:
    """What is written is the state at the iteration's end, not what the next one makes of it."""
    disk = SlowDisk()
    weights = torch.zeros(2)
    with recorder_on(disk) as recorder:
        recorder.record(Progress(1, 2, []), state_with(weights), 1)
        weights += 1
        assert disk.begun.wait(PATIENCE)
        assert disk.written == []
        disk.allowed.set()
        recorder.record(Progress(2, 2, []), state_with(weights), 2)
        weights += 1
    assert disk.written == [
        ("checkpoint", 1, [0, 0], 1),
        ("progress", 1),
        ("checkpoint", 2, [1, 1], 2),
        ("progress", 2),
    ]


def test_points_of_iterations_that_wait_are_written_before_the_checkpoint_after_them() -> None:
    """A checkpoint holds its own points only: those before must not be lost by a kill after it."""
    disk = SlowDisk()
    with recorder_on(disk, every=3) as recorder:
        for iteration in range(1, 6):
            if iteration == 5:
                disk.allowed.set()
            recorder.record(Progress(iteration, 5, []), state_with(torch.zeros(1)), None)
    numbers = [each[:2] for each in disk.written]
    assert numbers == [
        *(("progress", 1), ("progress", 2), ("checkpoint", 3), ("progress", 3)),
        *(("progress", 4), ("checkpoint", 5), ("progress", 5)),
    ]


def test_first_iteration_is_waited_for() -> None:
    """A disk that refuses is noticed before much has been trained for nothing."""
    disk = SlowDisk(error=full())
    recorder = recorder_on(disk)
    recorder.record(Progress(1, 9, []), state_with(torch.zeros(1)), 1)
    disk.allowed.set()
    with pytest.raises(OSError, match="No space left"):
        recorder.record(Progress(2, 9, []), state_with(torch.zeros(1)), 1)


@pytest.mark.parametrize(("every", "most"), [(1, 1), (2, 3), (99, MOST_TOLD)])
def test_kill_loses_at_most_one_checkpoint_that_the_disk_has_not_taken(
    every: int, most: int
) -> None:
    """A slower disk holds the training up, before the next state and before too many points."""
    disk = SlowDisk(is_slow_with_points=every == 99)
    recorder = recorder_on(disk, every)
    taken: list[int] = []

    def train() -> None:
        with recorder:
            for iteration in range(1, MOST_TOLD + 5):
                recorder.record(Progress(iteration, 99, []), state_with(torch.zeros(1)), None)
                taken.append(iteration)

    thread = Thread(target=train)
    thread.start()
    assert disk.begun.wait(PATIENCE)
    thread.join(0.2)
    assert len(taken) == most
    disk.allowed.set()
    thread.join(PATIENCE)
    assert len(taken) == MOST_TOLD + 4
    assert [each[1] for each in disk.written if each[0] == "progress"] == taken


@pytest.mark.parametrize(("size", "order"), [(LARGE, "best first"), (LARGE - 1, "together")])
def test_large_state_is_copied_only_when_the_best_one_is_written(size: int, order: str) -> None:
    """Of two large copies the memory would be too much."""
    disk = SlowDisk(size=size)
    disk.allowed.set()
    with recorder_on(disk, every=2) as recorder:
        for iteration in (1, 2):
            recorder.record(Progress(iteration, 9, []), state_with(torch.zeros(1)), 1)
            if iteration == 1:
                recorder.wait()
                if order == "together":
                    disk.allowed.clear()
        disk.allowed.set()
    taken_at = disk.taken[-1]
    assert (("best", 1, [0.0]) in taken_at) == (order == "best first")


@pytest.mark.parametrize("count", [2, 5])
def test_refusal_of_the_disk_is_raised_at_the_next_iteration(count: int) -> None:
    """Nobody hears of an iteration that is not on the disk, and none follows it."""
    disk = SlowDisk(error=full())
    disk.allowed.set()
    with pytest.raises(OSError, match="No space left"), recorder_on(disk) as recorder:  # noqa: PT012
        for iteration in range(1, count + 1):
            recorder.record(Progress(iteration, count, []), state_with(torch.zeros(1)), 1)
    assert disk.written == []


@pytest.mark.parametrize(
    ("end", "raised"), [(None, OSError), (Stopped("as asked"), OSError), (Interrupted, Interrupted)]
)
def test_refusal_at_the_end_is_raised_unless_something_worse_happened(
    end: BaseException | None, raised: type[BaseException]
) -> None:
    """A run is neither done nor stopped as asked before its last iteration is on the disk."""
    disk = SlowDisk(error=full())
    with pytest.raises(raised), recorder_on(disk) as recorder:  # noqa: PT012
        recorder.record(Progress(1, 1, []), state_with(torch.zeros(1)), 1)
        disk.allowed.set()
        if end is not None:
            raise end


def test_best_weights_wait_for_the_next_checkpoint() -> None:
    """What is not saved is told; of the best iteration the weights are kept, and no others."""
    disk = SlowDisk()
    disk.allowed.set()
    weights = torch.zeros(1)
    with recorder_on(disk, every=4) as recorder:
        for iteration, best in enumerate([1, 2, 2, 2, 5, 5, 5, 8, 9], start=1):
            weights += 1
            recorder.record(Progress(iteration, 9, []), state_with(weights), best)
            recorder.wait()
    assert [each for each in disk.written if each[0] != "progress"] == [
        ("given back", 1),
        ("best", 2, [2.0]),
        ("checkpoint", 4, [4.0], 2),
        ("given back", 5),
        ("checkpoint", 8, [8.0], 8),
        ("checkpoint", 9, [9.0], 9),
    ]


def test_last_iteration_is_saved_when_the_training_is_asked_to_stop() -> None:
    """Though it was not due; once."""
    disk = SlowDisk()
    disk.allowed.set()
    weights = torch.ones(1)
    with recorder_on(disk, every=4) as recorder:
        recorder.complete(state_with(weights))
        recorder.record(Progress(1, 9, []), state_with(weights), None)
        recorder.complete(state_with(weights))
        recorder.complete(state_with(weights))
    assert [each for each in disk.written if each[0] != "progress"] == [
        ("checkpoint", 1, [1], None)
    ]


def test_refusing_disk_ends_the_run_in_one_line_and_leaves_what_was_there(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """Nobody hears of an iteration that is not saved; later the run goes on."""
    saboteur = sabotage(tmp_path, "iteration_begin", 4, "limit_file_size")
    run_dir = make_run(iterations=40, curriculum=saboteur)
    assert start(run_program, str(run_dir)) == 1
    file = run_dir / "checkpoints" / "new.pt.tmp"
    assert (
        run_dir / "err.log"
    ).read_text() == f"orch: OSError: [Errno 27] File too large: '{file}'\n"
    last = int(checkpoints_of(run_dir)[-1].name[:6])
    assert last in (2, 3)
    assert points_of(run_dir)[-1]["step"] == last
    assert not [*run_dir.rglob("*.tmp")]
    assert start(run_program, str(run_dir)) == 0
    assert places_of(run_dir)[-1] == ("test/accuracy", 40)


def test_killed_run_has_lost_at_most_one_iteration_besides_that_in_progress(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """However short the iterations are beside what the disk takes."""
    for at in (3, 20, 41):
        saboteur = sabotage(tmp_path, "iteration_begin", at, "kill")
        run_dir = make_run(f"killed-{at}", iterations=60, eval_every=1, curriculum=saboteur)
        assert start(run_program, str(run_dir)) == -9
        assert int(checkpoints_of(run_dir)[-1].name[:6]) >= at - 2
