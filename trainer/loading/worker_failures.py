"""Failures of loader workers: the signals that they obey, and the error if one was killed."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from pickle import PicklingError
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from torch.utils.data import get_worker_info

from trainer.errors import ConfigError, WorkerKilled
from trainer.loading.orphans import end_with
from trainer.loading.seeded_batches import SeededBatches, ends_told
from trainer.target_errors import first_line, is_in_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

    from torch.utils.data import DataLoader

GRACE = 1.0  # seconds
# PyTorch's message for a killed worker, in any process and place.
KILLED = "is killed by signal: Killed"
ENDED = "exited unexpectedly with exit code"
# The workers of all loaders. Other children are the user's: a pool whose workers are terminated never ends.
_started: WeakSet[BaseProcess] = WeakSet()


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


def with_workers(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the workers of a loader, and return the iterator over their batches.

    Raises:
        ConfigError: If what they need cannot be sent to them, because they are not forked.
    """
    try:
        with asked_later(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Got pickle error")  # it is told below
            iterator = iter(loader)
    except (TypeError, AttributeError, PicklingError) as error:
        if "pickle" not in repr(error) or not is_in_libraries(error):
            raise
        raise ConfigError(
            "dataloader.multiprocessing_context: workers that are not forked get the data set by"
            f" pickling, and that fails: {first_line(error)}. Remove the key, or create the object when"
            " the first sample is made."
        ) from error
    _started.update(_workers_of(iterator))
    return iterator


class HeedOnlyTheTrainer:
    """A `worker_init_fn` that ignores requests to stop which are sent to the whole process group.

    So the workers finish the iteration; the trainer ends a worker, or it ends with the trainer.

    Args:
        then: The user's `worker_init_fn`.
        is_forked: Whether the trainer itself, which creates this object, starts the workers; a fork
            server may do so instead.
    """

    def __init__(self, then: Callable[[int], None] | None, *, is_forked: bool = True) -> None:
        self.then = then
        self.is_forked = is_forked
        self.trainer = os.getpid()

    @classmethod
    def of(cls, loader: DataLoader[Any]) -> Self:
        """Return the one that a loader needs, around the function that it has."""
        context: Any = loader.multiprocessing_context
        is_forked = context is None or context.get_start_method() != "forkserver"
        return cls(loader.worker_init_fn, is_forked=is_forked)

    def __call__(self, number: int) -> None:
        """Accept SIGTERM only from the trainer, and call the user's function."""
        end_with(self.trainer if self.is_forked else os.getppid())
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_if_asked, args=(self.trainer,), daemon=True).start()
        worker = get_worker_info()
        if worker is not None and isinstance(worker.dataset, SeededBatches):
            # The user's functions look there for the data set that they know.
            object.__setattr__(worker, "dataset", worker.dataset.samples)
        if self.then is not None:
            with ends_told():
                self.then(number)


def _end_if_asked(trainer: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != trainer:
        pass
    os._exit(0)


def ended_worker(iterator: object) -> WorkerKilled | ConfigError | None:
    """Return an error if a worker of a loader's iterator was killed, or has ended by itself."""
    workers = _workers_of(iterator)
    # Its queues are closed a moment before its exit code is known.
    ended = wait([each.sentinel for each in workers], GRACE)
    for each in workers:
        if each.sentinel in ended:
            each.join(GRACE)
    killed = [each.pid for each in workers if each.exitcode == -signal.SIGKILL]
    if killed:
        return _killed(f" (process {killed[0]})")
    for each in workers:
        if each.exitcode is not None and each.exitcode >= 0:
            return _ended(f" (process {each.pid})", each.exitcode)
    return None


@contextmanager
def killed_workers_told() -> Iterator[None]:
    """Translate PyTorch's error for a killed worker, which a signal handler raises at any place.

    Errors that it caused count as well: what is called at that place may take it for one about its
    arguments.

    Raises:
        WorkerKilled: If a worker was killed.
        ConfigError: If one has ended by itself.
    """
    try:
        yield
    except WorkerKilled:
        raise
    except Exception as error:
        if is_by_killed_worker(error):
            raise _killed("") from error
        if (said := _caused_by(error, ENDED)) is not None:
            raise _ended("", said.partition(ENDED)[2].split()[0].rstrip(".")) from error
        raise


@contextmanager
def last_words_after_workers() -> Iterator[None]:
    """End the workers before an error is told: losing the trainer, they may write below its last line."""
    try:
        yield
    except Exception:
        workers = list(_started)
        for each in workers:
            with suppress(RuntimeError):  # PyTorch's, at any place, if one dies of that
                each.terminate()
        latest = time.monotonic() + GRACE
        for each in workers:
            with suppress(RuntimeError):
                each.join(max(latest - time.monotonic(), 0))
        raise


def _workers_of(iterator: object) -> list[BaseProcess]:
    return getattr(iterator, "_workers", [])


def is_by_killed_worker(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, is PyTorch's for a killed worker."""
    return _caused_by(error, KILLED) is not None


def _caused_by(error: BaseException | None, words: str) -> str | None:
    """Return what an error of PyTorch's with these words says, if it is one, or was caused by one."""
    while error is not None:
        if isinstance(error, RuntimeError) and words in str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return None


def _killed(which: str) -> WorkerKilled:
    return WorkerKilled(
        f"a loader worker{which} was killed by SIGKILL, probably because the machine ran out of memory."
        " Lower dataloader.num_workers, dataloader.prefetch_factor or batch_size."
    )


def _ended(which: str, code: object) -> ConfigError:
    return ConfigError(
        f"data: a loader worker{which} has ended with exit code {code} before its batches were made. Let"
        " the code that makes samples raise an error instead of ending the process, as by os._exit; if"
        " something was printed above, correct that."
    )
