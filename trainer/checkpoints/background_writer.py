"""The background writer: a thread that saves iterations while the next ones are trained."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self

from trainer.errors import Stopped
from trainer.interval import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from trainer.checkpoints.store import Checkpoints, Taken
    from trainer.interval import Interval
    from trainer.run_files import Outputs, Progress

    State = dict[str, Any]

# How many iterations without a checkpoint may wait for the disk.
MOST_TOLD: Final = 8
# Two copies of a state of at least this size are never in memory together.
LARGE: Final = 1 << 26  # bytes


class Recorder:
    """Writes iterations to the disk in order, on a background thread.

    At most one checkpoint is pending while the next iteration is trained, so that a kill loses at
    most one iteration besides that in progress; a disk that is slower than the training delays it.
    Write errors are raised at the next iteration. The thread prints nothing: a loader worker that is
    forked meanwhile would inherit a locked stream.

    An iteration that is not due is published without a checkpoint: after a kill it is trained again,
    and its points are already written. The modules of the best iteration are kept in memory until the
    next checkpoint.
    """

    def __init__(self, checkpoints: Checkpoints, outputs: Outputs, every: Interval) -> None:
        self._checkpoints = checkpoints
        self._outputs = outputs
        self._schedule = Schedule(every)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recorder")
        self._queue: deque[tuple[Progress | None, Taken | None]] = deque()
        self._on_its_way: deque[tuple[Future[None], Taken | None]] = deque()
        self._is_refused = False
        self._best: Taken | None = None
        self._unsaved: tuple[Progress, int | None] | None = None
        self._extra: Future[None] | None = None

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        """Wait until everything is written, unless an error other than a request to stop is raised.

        Raises:
            OSError: If an iteration could not be written.
        """
        self._thread.shutdown()
        if kind is None or issubclass(kind, Stopped):
            self.wait()

    def record(
        self,
        progress: Progress,
        state: Callable[[], State],
        best: int | None,
        *,
        is_over: bool = False,
    ) -> None:
        """Queue an iteration to be written, and return before it is on the disk.

        Args:
            progress: The iteration; if it is saved, it is published only once the checkpoint is.
            state: Returns the state, which may change as soon as this method returns.
            best: The best iteration so far, including this one.
            is_over: Whether the process ends after it, so that it is saved in any case.

        Raises:
            CheckpointError: If the state has a value that cannot be loaded safely.
            OSError: If an earlier iteration could not be written.
        """
        if self._schedule.is_due(progress.iteration) or progress.is_last or is_over:
            self._save(progress, state(), best)
            return
        if best == progress.iteration:
            self._forget_best()
            self._wait_for_states()
            self._best = self._checkpoints.take_best(best, state())
        self._unsaved = progress, best
        self._hand_over(progress, None)

    def complete(self, state: Callable[[], State]) -> None:
        """Save the last iteration if it was only published; `state` still has to be its state."""
        if self._unsaved is not None:
            progress, best = self._unsaved
            self._save(progress, state(), best)

    def wait(self) -> None:
        """Wait until everything that was queued is on the disk.

        Raises:
            OSError: If it could not be written.
        """
        self.wait_for_extra()
        while self._on_its_way:
            self._wait_for_oldest()

    def record_extra(self, write: Callable[[], None]) -> None:
        """Queue something else to be written, after what is queued already."""
        self._extra = self._thread.submit(write)

    def wait_for_extra(self) -> None:
        """Wait until that is on the disk.

        Raises:
            OSError: If it could not be written.
        """
        extra, self._extra = self._extra, None
        if extra is not None:
            extra.result()

    def _wait_for_oldest(self) -> None:
        future, _ = self._on_its_way.popleft()
        future.result()

    def _wait_for_states(self) -> None:
        """Wait until no copy of a state is pending; points may be."""
        while any(taken for _, taken in self._on_its_way):
            self._wait_for_oldest()

    def _save(self, progress: Progress, state: State, best: int | None) -> None:
        self._wait_for_states()
        if self._best is not None and self._best.iteration == best != progress.iteration:
            is_large = self._best.snapshot.size >= LARGE
            self._hand_over(None, self._best)
            self._best = None
            if is_large:
                self._wait_for_states()
        self._forget_best()
        taken = self._checkpoints.take(progress.iteration, state, best)
        self._unsaved = None
        self._hand_over(progress, taken)

    def _forget_best(self) -> None:
        if self._best is not None:
            self._checkpoints.give_back(self._best)
            self._best = None

    def _hand_over(self, progress: Progress | None, taken: Taken | None) -> None:
        while self._on_its_way and (
            self._on_its_way[0][0].done() or len(self._on_its_way) >= MOST_TOLD
        ):
            self._wait_for_oldest()
        self._queue.append((progress, taken))
        self._on_its_way.append((self._thread.submit(self._write), taken))

    def _write(self) -> None:
        """Write everything that is queued; nothing after an error."""
        if self._is_refused or not self._queue:
            return
        waiting = [self._queue.popleft() for _ in range(len(self._queue))]
        self._is_refused = True
        all_taken = [taken for _, taken in waiting if taken]
        # A checkpoint has only the points of its own iteration: earlier ones have to be written first.
        saved = [number for number, (progress, taken) in enumerate(waiting) if progress and taken]
        last = saved[-1] if saved else 0
        before = [progress for progress, _ in waiting[:last] if progress]
        after = [progress for progress, _ in waiting[last:] if progress]
        if before:
            self._outputs.publish(*before)
        if all_taken:
            self._checkpoints.write(*all_taken)
        if after:
            self._outputs.publish(*after)
        self._is_refused = False
