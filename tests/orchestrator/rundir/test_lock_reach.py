"""The test of locks between hosts, with processes that take themselves for hosts."""

import errno
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from orchestrator.errors import RunDirectoryError, UsageError
from orchestrator.rundir import lock_reach, sharing_hosts
from orchestrator.rundir.lock import RunLock
from orchestrator.rundir.lock_reach import LockTest
from orchestrator.rundir.sharing_hosts import Host, KnownHosts

CONTEXT = multiprocessing.get_context("fork")


def be(host: Host, kind: str = "nfs4") -> None:
    """Take this process for one on a host with a shared file system."""
    for module in (sharing_hosts, lock_reach):
        module.this_host = lambda: host  # type: ignore[attr-defined]
        module.shared_file_system = lambda _folder: kind  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on the second host."""
    for module in (sharing_hosts, lock_reach):
        monkeypatch.setattr(module, "this_host", lambda: Host("second", "boot-2"))
        monkeypatch.setattr(module, "shared_file_system", lambda _folder: "nfs4")
    monkeypatch.setattr(lock_reach, "_PATIENCE", 20.0)
    monkeypatch.setattr(lock_reach, "_PAUSE", 0.01)


def take_part(folder: Path, host: Host, channel: Connection) -> None:
    be(host)
    with LockTest(folder, str):
        channel.send("ready")
        with suppress(EOFError):
            channel.recv()


@contextmanager
def other_process(folder: Path, host: Host) -> Iterator[int]:
    """Have a process of a host take part, and yield its process ID.

    It waits on a pipe: an event that a killed process waits for can never be set.
    """
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=take_part, args=(folder, host, theirs))
    process.start()
    try:
        assert ours.recv() == "ready"
        assert process.pid
        yield process.pid
    finally:
        with suppress(BrokenPipeError):
            ours.send("over")
        process.join()


def test_locks_that_reach_are_recorded_and_the_files_removed(tmp_path: Path) -> None:
    first = Host("first", "boot-1")
    with other_process(tmp_path, first), LockTest(tmp_path, str):
        assert KnownHosts(tmp_path).locks_reach(first)
    assert [path.name.partition("-")[0] for path in (tmp_path / "hosts").iterdir()] == ["reach"]


def test_file_system_without_hard_links_is_tested_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many network and FUSE file systems have none."""

    def refuse(*_paths: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first = Host("first", "boot-1")
    with other_process(tmp_path, first), LockTest(tmp_path, str):
        assert KnownHosts(tmp_path).locks_reach(first)
    assert [path.name.partition("-")[0] for path in (tmp_path / "hosts").iterdir()] == ["reach"]


def test_locks_that_do_not_reach_are_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system is simulated: the lock of a live process looks free."""
    first = Host("first", "boot-1", "n1")
    with other_process(tmp_path, first):
        monkeypatch.setattr(RunLock, "is_held", lambda _lock: False)
        with pytest.raises(UsageError, match=r"host n1 .* \(nfs4\) do not reach"):
            LockTest(tmp_path, str).__enter__()
        assert not KnownHosts(tmp_path).locks_reach(first)


def test_process_of_this_host_is_not_asked(tmp_path: Path) -> None:
    with other_process(tmp_path, Host("second", "boot-2")), LockTest(tmp_path, pytest.fail):
        assert not [path for path in (tmp_path / "hosts").iterdir() if "ask" in path.name]


def see_through(monkeypatch: pytest.MonkeyPatch, mount: str) -> None:
    """See the folder through a mount from now on, in this process and those that it starts."""
    monkeypatch.setattr(lock_reach, "_device_of", lambda _folder: mount)


@pytest.mark.parametrize("is_held", [True, False])
def test_locks_are_tested_between_two_mounts_on_one_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_held: bool
) -> None:
    """Two FUSE mounts of a folder have locks of their own; that is told before anything starts."""
    see_through(monkeypatch, "40")
    with other_process(tmp_path, Host("second", "boot-2")):
        see_through(monkeypatch, "41")
        monkeypatch.setattr(RunLock, "is_held", lambda _lock: is_held)
        test = LockTest(tmp_path, str)
        if is_held:
            with test:
                pass
        else:
            with pytest.raises(UsageError, match="through another mount of the folder"):
                test.__enter__()
    assert list((tmp_path / "hosts").iterdir()) == []


def test_killed_process_of_another_mount_is_not_an_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not answer; what it has left is removed by one that sees its lock."""
    monkeypatch.setattr(lock_reach, "_PATIENCE", 0.2)
    see_through(monkeypatch, "40")
    with other_process(tmp_path, Host("second", "boot-2")) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        for mount, left in (("41", True), ("40", False)):
            see_through(monkeypatch, mount)
            with LockTest(tmp_path, str):
                pass
            assert any((tmp_path / "hosts").iterdir()) is left


def test_process_that_does_not_answer_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its host may be off; what it was executing is not taken for dead."""
    monkeypatch.setattr(lock_reach, "_PATIENCE", 0.2)
    first, told = Host("first", "boot-1"), list[str]()
    with other_process(tmp_path, first) as pid:
        os.kill(pid, signal.SIGSTOP)
        with LockTest(tmp_path, told.append):
            assert told == ["host first has not answered yet"]
            assert not KnownHosts(tmp_path).locks_reach(first)
        os.kill(pid, signal.SIGCONT)


def test_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """By a later process of its host, which sees that the lock is free."""
    with other_process(tmp_path, Host("second", "boot-2")) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with LockTest(tmp_path, str):
            pass
        assert not list((tmp_path / "hosts").iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"schema": 1}', b"\xff"])
def test_damaged_file_of_a_process_is_removed(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "hosts"
    folder.mkdir()
    (folder / f"{'0' * 16}.json").write_bytes(content)
    (folder / "notes.json").write_bytes(content)  # of nobody here
    with LockTest(tmp_path, str):
        pass
    assert [path.name for path in folder.iterdir()] == ["notes.json"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path, kind: str) -> None:
    """A link could lead to a folder of somebody else."""
    other = tmp_path / "other"
    other.mkdir()
    if kind == "file":
        (tmp_path / "hosts").write_text("")
    else:
        (tmp_path / "hosts").symlink_to(other)
    with pytest.raises(RunDirectoryError, match="cannot write here"):
        LockTest(tmp_path, str).__enter__()
    assert list(other.iterdir()) == []


def test_nothing_is_written_on_a_file_system_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_reach, "shared_file_system", lambda _folder: "")
    with LockTest(tmp_path, pytest.fail):
        assert not list(tmp_path.iterdir())
