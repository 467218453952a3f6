"""Failures of loader workers: the signals that they obey, and the error if one was killed."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from torch.utils.data import get_worker_info

from trainer.errors import WorkerKilled
from trainer.loading.seeded_batches import SeededBatches, ends_told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GRACE = 1.0  # seconds
# PyTorch's message for a killed worker, in any process and place.
KILLED = "is killed by signal: Killed"


@contextmanager
def asked_later() -> Iterator[None]:
    """Block requests to stop while workers are started.

    Workers inherit the mask: they never get a request before `HeedOnlyTheTrainer` handles it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class HeedOnlyTheTrainer:
    """A `worker_init_fn` that ignores requests to stop which are sent to the whole process group.

    So the workers finish the iteration; the trainer ends a worker, or it ends with the trainer.

    Args:
        then: The user's `worker_init_fn`.
    """

    def __init__(self, then: Callable[[int], None] | None) -> None:
        self.then = then

    def __call__(self, number: int) -> None:
        """Accept SIGTERM only from the trainer, and call the user's function."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_if_asked, args=(os.getppid(),), daemon=True).start()
        worker = get_worker_info()
        if worker is not None and isinstance(worker.dataset, SeededBatches):
            # The user's functions look there for the data set that they know.
            object.__setattr__(worker, "dataset", worker.dataset.samples)
        if self.then is not None:
            with ends_told():
                self.then(number)


def _end_if_asked(trainer: int) -> None:
    while True:
        asked = signal.sigwaitinfo({signal.SIGTERM})
        if asked.si_pid == trainer or os.getppid() != trainer:
            os._exit(0)


def killed_worker(iterator: object) -> WorkerKilled | None:
    """Return an error if a worker of a loader's iterator was killed."""
    workers: list[Any] = getattr(iterator, "_workers", [])
    # Its queues are closed a moment before its exit code is known.
    ended = wait([each.sentinel for each in workers], GRACE)
    for each in workers:
        if each.sentinel in ended:
            each.join(GRACE)
    killed = [each.pid for each in workers if each.exitcode == -signal.SIGKILL]
    return _killed(f" (process {killed[0]})") if killed else None


def as_killed_worker(error: BaseException) -> WorkerKilled | None:
    """Return the same error for PyTorch's message, which may be raised anywhere in the training."""
    is_told = isinstance(error, RuntimeError) and KILLED in str(error)
    return _killed("") if is_told else None


def _killed(which: str) -> WorkerKilled:
    return WorkerKilled(
        f"a loader worker{which} was killed by SIGKILL, probably because the machine ran out of memory."
        " Lower dataloader.num_workers, dataloader.prefetch_factor or batch_size."
    )
