"""The lock of a run is held while any process of an attempt lives."""

import fcntl
import os
import struct
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


def take_range(descriptor: int, kind: int) -> None:
    """Lock all bytes of a file for its open file description."""
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))


def test_lock_of_a_host_that_shares_no_flock_is_respected(directory: RunDirectory) -> None:
    """On some cluster file systems hosts share only locks on bytes."""
    directory.write_status(status(Record.RUNNING))
    theirs = directory.lock.open()
    take_range(theirs, fcntl.F_WRLCK)
    ours = directory.lock.open()
    assert not directory.lock.take(ours)
    assert directory.observe().state is State.RUNNING
    os.close(theirs)
    assert directory.observe().state is State.STALE
    assert directory.lock.take(ours)
    os.close(ours)


def test_both_locks_are_held_and_released_with_the_last_descriptor(directory: RunDirectory) -> None:
    ours = directory.lock.open()
    assert directory.lock.take(ours)
    inherited = os.dup(ours)
    os.close(ours)
    theirs = directory.lock.open()
    with pytest.raises(BlockingIOError):
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(BlockingIOError):
        take_range(theirs, fcntl.F_WRLCK)
    os.close(theirs)
    os.close(inherited)
    assert not directory.lock.is_held()


def test_flock_is_enough_for_a_descriptor_that_can_only_be_read(directory: RunDirectory) -> None:
    """That of another user, whose files this one may not write."""
    descriptor = os.open(directory.lock.path, os.O_RDONLY)
    assert directory.lock.take(descriptor)
    assert directory.lock.is_held()
    os.close(descriptor)


def test_shared_lock_on_bytes_means_nothing(directory: RunDirectory) -> None:
    """A backup or an indexer may hold one."""
    theirs = directory.lock.open()
    take_range(theirs, fcntl.F_RDLCK)
    assert not directory.lock.is_held()
    ours = directory.lock.open()
    assert directory.lock.take(ours)
    os.close(ours)
    os.close(theirs)
