"""The lock of a run is held while any process of an attempt lives."""

import fcntl
import os
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError
from orchestrator.rundir.directory import RunDirectory
from orchestrator.rundir.state import Record, State, Status


def status(record: Record, attempt: int = 1) -> Status:
    return Status(record=record, attempt=attempt, started_at="then", host="box", pid=1)


def test_held_lock_means_running_until_the_last_holder_is_gone(directory: RunDirectory) -> None:
    """A child that inherited the descriptor keeps the run alive after its parent's end."""
    directory.write_status(status(Record.RUNNING))
    descriptor = directory.lock.open()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(descriptor)
    assert directory.observe().state is State.RUNNING
    os.close(writer)
    os.waitpid(child, 0)
    os.close(reader)
    assert directory.observe().state is State.STALE


def test_link_in_place_of_the_lock_is_refused_and_its_target_untouched(
    directory: RunDirectory, tmp_path: Path
) -> None:
    """A lock that is not a regular file of its own is an error that names it."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock = directory.path / "run.lock"
    for make in (lock.symlink_to, lock.hardlink_to):
        lock.unlink()
        make(victim)
        with pytest.raises(RunDirectoryError, match=r"run\.lock"):
            directory.lock.open()
    assert victim.read_text() == "precious"


def test_lock_with_a_second_name_is_the_same_lock(directory: RunDirectory, tmp_path: Path) -> None:
    """A backup by hard links shares it, and stops no run."""
    (tmp_path / "backup").hardlink_to(directory.lock.path)
    assert directory.observe().state is State.PENDING
    descriptor = directory.lock.open()
    assert directory.lock.take(descriptor)
    assert directory.observe().state is State.RUNNING
    os.close(descriptor)
