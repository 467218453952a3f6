"""Owns the thread that makes iterations durable while the next one is being trained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from trainer.errors import Stopped

if TYPE_CHECKING:
    from concurrent.futures import Future

    from trainer.checkpoints.store import Checkpoints, Taken
    from trainer.outputs import Outputs, Progress

    State = dict[str, Any]


class Recorder:
    """Write iterations to the disk in their order, each whole, on a thread of its own.

    At most one is on its way; a disk that is slower than the training holds it up at the next one.
    What the disk refuses is raised at the next call. The thread prints nothing: a loader worker
    that is forked meanwhile would inherit a locked stream.
    """

    def __init__(self, checkpoints: Checkpoints, outputs: Outputs) -> None:
        self._checkpoints = checkpoints
        self._outputs = outputs
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._on_its_way: Future[None] | None = None

    def __enter__(self) -> Self:
        """Begin; there is nothing to do yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Return when nothing is on its way; another error than a request to stop goes first.

        Raises:
            OSError: If the disk refused what was.
        """
        self._thread.shutdown()
        if kind is None or issubclass(kind, Stopped):
            self.wait()

    def record(self, progress: Progress, state: State, best: int | None) -> None:
        """Take over an iteration, and return before it is on the disk.

        Args:
            progress: The iteration, told to others only when its checkpoint is on the disk.
            state: What must survive; it may change as soon as this returns.
            best: The best iteration so far, this one included.

        Raises:
            CheckpointError: If the state holds something that could not be loaded safely.
            OSError: If the disk refused the iteration before.
        """
        self.wait()
        taken = self._checkpoints.take(progress.iteration, state, best)
        self._on_its_way = self._thread.submit(self._write, progress, taken)

    def wait(self) -> None:
        """Return when all that was taken over is on the disk.

        Raises:
            OSError: If the disk refused it.
        """
        if self._on_its_way is not None:
            on_its_way, self._on_its_way = self._on_its_way, None
            on_its_way.result()

    def _write(self, progress: Progress, taken: Taken) -> None:
        self._checkpoints.write(taken)
        self._outputs.publish(progress)
