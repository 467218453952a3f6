"""Owns the ends of a loader's workers: which signals they heed, and what is said of one that died."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from trainer.errors import WorkerKilled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE = 1.0  # seconds
# What PyTorch says, in any process and at any place, of a worker that was killed.
KILLED = "is killed by signal: Killed"


@contextmanager
def asked_later() -> Iterator[None]:
    """Keep requests to stop waiting while workers are started.

    Workers inherit that: they are never asked before `HeedOnlyTheTrainer` is ready for it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class HeedOnlyTheTrainer:
    """Let a worker live on when its whole process group is asked to stop, to finish the iteration.

    A worker is ended by the trainer, or ends with it. It is what a loader calls in each of its
    workers before anything else, with its number.

    Args:
        then: What the user has a worker call when it starts.
    """

    def __init__(self, then: Callable[[int], None] | None) -> None:
        self.then = then

    def __call__(self, number: int) -> None:
        """Take SIGTERM from the trainer alone, and do what the user wants done."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_if_asked, args=(os.getppid(),), daemon=True).start()
        if self.then is not None:
            self.then(number)


def _end_if_asked(trainer: int) -> None:
    while True:
        asked = signal.sigwaitinfo({signal.SIGTERM})
        if asked.si_pid == trainer or os.getppid() != trainer:
            os._exit(0)


def killed_worker(iterator: object) -> WorkerKilled | None:
    """Return the error that says that a worker of a loader's iterator was killed, if one was."""
    workers: list[Any] = getattr(iterator, "_workers", [])
    # What it held is gone a moment before it can be told how it ended.
    ended = wait([each.sentinel for each in workers], GRACE)
    for each in workers:
        if each.sentinel in ended:
            each.join(GRACE)
    killed = [each.pid for each in workers if each.exitcode == -signal.SIGKILL]
    return _killed(f" (process {killed[0]})") if killed else None


def as_killed_worker(error: BaseException) -> WorkerKilled | None:
    """Return the same of what PyTorch says of it wherever the training is at that moment."""
    is_told = isinstance(error, RuntimeError) and KILLED in str(error)
    return _killed("") if is_told else None


def _killed(which: str) -> WorkerKilled:
    return WorkerKilled(
        f"a loader's worker{which} was killed by SIGKILL, as the kernel does when memory is used up."
        " Lower dataloader.num_workers, dataloader.prefetch_factor or batch_size."
    )
