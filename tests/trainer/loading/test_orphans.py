"""A process that the trainer starts ends when the trainer was killed, at whichever moment that was."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest
from run_files import Launch

from trainer.loading.call_in_fork import found_without_trace
from trainer.loading.orphans import end_with
from trainer.loading.worker_failures import HeedOnlyTheTrainer


def kill_the_trainer_before(act: Callable[[int], object]) -> None:
    """Fork a process that acts, with the PID of the trainer, when that was killed."""
    trainer = os.getpid()
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)
        act(trainer)
        signal.pause()
    os.kill(trainer, signal.SIGKILL)


def kill_before_a_worker_looks(_held: Connection) -> None:
    """Be killed after a worker was forked, and before it runs any code of its own."""
    heed = HeedOnlyTheTrainer(None)
    kill_the_trainer_before(lambda _: heed(0))


def kill_before_a_child_is_bound(_held: Connection) -> None:
    """Be killed after a fork."""
    kill_the_trainer_before(end_with)


def kill_while_samples_are_looked_at(_held: Connection) -> None:
    """Be killed by the process that looks at the samples, which would take for ever."""
    trainer = os.getpid()
    found_without_trace(lambda: [os.kill(trainer, signal.SIGKILL), signal.pause()])  # type: ignore[arg-type,return-value]  # never returns


@pytest.mark.parametrize(
    "trainer",
    [
        kill_before_a_worker_looks,
        kill_before_a_child_is_bound,
        kill_while_samples_are_looked_at,
    ],
)
def test_no_process_outlives_a_killed_trainer(
    launch: Launch, trainer: Callable[[Connection], None]
) -> None:
    """Each of its processes holds the end of a pipe, which the kernel closes with the last of them."""
    ends, held = multiprocessing.Pipe(duplex=False)
    process = launch(trainer, held)
    held.close()
    process.join(50)
    assert process.exitcode == -signal.SIGKILL
    assert ends.poll(20)
    with pytest.raises(EOFError):
        ends.recv()
