"""Iterations become durable while the next one is trained, in their order, and no error is lost."""

from __future__ import annotations

import errno
from threading import Event
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from run_files import checkpoints_of, places_of, points_of
from user_modules import Interrupted, run_program, sabotage

from trainer.checkpoints.background_writer import Recorder
from trainer.errors import Stopped
from trainer.outputs import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from run_files import MakeRun, Start

    from trainer.checkpoints.store import Checkpoints
    from trainer.outputs import Outputs

PATIENCE = 20


class SlowDisk:
    """Play checkpoints and outputs: note what is written, each checkpoint only when allowed."""

    def __init__(self, *, error: OSError | None = None) -> None:
        self.error = error
        self.allowed = Event()
        self.written: list[Any] = []

    def take(self, iteration: int, state: dict[str, Any], best: int | None) -> tuple[Any, ...]:
        return ("checkpoint", iteration, state["weights"].tolist(), best)

    def write(self, taken: tuple[Any, ...]) -> None:
        assert self.allowed.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        self.written.append(taken)

    def publish(self, progress: Progress) -> None:
        self.written.append(("progress", progress.iteration))


def recorder_on(disk: SlowDisk) -> Recorder:
    return Recorder(cast("Checkpoints", disk), cast("Outputs", disk))


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_training_goes_on_while_the_disk_is_busy() -> None:
    """What is written is the state at the iteration's end, not what the next one makes of it."""
    disk = SlowDisk()
    weights = torch.zeros(2)
    with recorder_on(disk) as recorder:
        recorder.record(Progress(1, 2, []), {"weights": weights}, 1)
        weights += 1
        assert disk.written == []
        disk.allowed.set()
        recorder.record(Progress(2, 2, []), {"weights": weights}, 2)
        weights += 1
    assert disk.written == [
        ("checkpoint", 1, [0, 0], 1),
        ("progress", 1),
        ("checkpoint", 2, [1, 1], 2),
        ("progress", 2),
    ]


def test_refusal_of_the_disk_is_raised_at_the_next_iteration() -> None:
    """Nobody hears of an iteration that is not on the disk, and none follows it."""
    disk = SlowDisk(error=full())
    disk.allowed.set()
    with pytest.raises(OSError, match="No space left"), recorder_on(disk) as recorder:  # noqa: PT012
        recorder.record(Progress(1, 2, []), {"weights": torch.zeros(1)}, 1)
        recorder.record(Progress(2, 2, []), {"weights": torch.zeros(1)}, 1)
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
        recorder.record(Progress(1, 1, []), {"weights": torch.zeros(1)}, 1)
        disk.allowed.set()
        if end is not None:
            raise end


def test_refusing_disk_ends_the_run_in_one_line_and_leaves_what_was_there(
    make_run: MakeRun, start: Start, tmp_path: Path
) -> None:
    """The last iteration that is told is the last one on the disk; later the run goes on."""
    saboteur = sabotage(tmp_path, "iteration_begin", 4, "limit_file_size")
    run_dir = make_run(iterations=40, curriculum=saboteur)
    assert start(run_program, str(run_dir)) == 1
    assert (run_dir / "err.log").read_text() == "orch: OSError: [Errno 27] File too large\n"
    last = int(checkpoints_of(run_dir)[-1].name[:6])
    assert last in (2, 3)
    assert points_of(run_dir)[-1]["step"] == last
    assert not [*run_dir.rglob("*.tmp")]
    assert start(run_program, str(run_dir)) == 0
    assert places_of(run_dir)[-1] == ("test/accuracy", 40)
