"""What is found out in a fork leaves everything as it was, and never holds the training up for long."""

import fcntl
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from trainer.loading.call_in_fork import found_without_trace


def test_what_is_found_is_returned_and_memory_is_left_as_it_was() -> None:
    """Whatever the function changed."""
    kept: list[int] = []

    def look() -> dict[str, Any]:
        kept.append(1)
        return {"a": ["x", len(kept)], "b": None, "long": "y" * 200_000}

    assert found_without_trace(look) == {"a": ["x", 1], "b": None, "long": "y" * 200_000}
    assert kept == []


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_open_file_is_read_on_where_it_was(tmp_path: Path, mode: str) -> None:
    """A data set that had read a header reads its samples from the right place."""
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)) * 400)
    with path.open(mode) as file:
        file.read(10)

        def look() -> dict[str, Any]:
            file.seek(60_000)
            return {"read": len(file.read(30_000))}

        assert found_without_trace(look) == {"read": 30_000}
        file.seek(100)
        assert file.read(20_000) == path.read_bytes()[100:20_100]


def test_lock_is_not_let_go(tmp_path: Path) -> None:
    """Neither of the kinds that a fork shares, nor of those that it does not."""
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    try:
        for lock in (fcntl.flock, fcntl.lockf):
            lock(descriptor, fcntl.LOCK_EX)
        assert found_without_trace(lambda: {"a": 1}) == {"a": 1}
        assert found_without_trace(lambda: _tried(tmp_path / "lock")) == {"flock": 0, "lockf": 0}
    finally:
        os.close(descriptor)


def _tried(path: Path) -> dict[str, Any]:
    taken = {}
    for name in ("flock", "lockf"):
        descriptor = os.open(path, os.O_RDWR)
        try:
            getattr(fcntl, name)(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken[name] = 1
        except OSError:
            taken[name] = 0
    return taken


@pytest.mark.parametrize("is_stuck", [False, True])
def test_processes_that_it_starts_are_ended_and_others_are_not(
    tmp_path: Path, *, is_stuck: bool
) -> None:
    """A pool that makes samples is not left behind; a process of ours lives on."""
    context = multiprocessing.get_context("fork")
    ours = context.Process(target=threading.Event().wait, daemon=True)
    ours.start()

    def look() -> dict[str, Any]:
        theirs = context.Process(target=threading.Event().wait, daemon=True)
        theirs.start()
        (tmp_path / "pid").write_text(str(theirs.pid))
        if is_stuck:
            threading.Event().wait()
        return {}

    for patience in (0.5, 4, 30):  # until it had the time to start it
        found_without_trace(look, patience=patience if is_stuck else 60)
        if (tmp_path / "pid").exists():
            break
    assert ours.is_alive()
    ours.kill()
    ours.join()
    stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_one_that_waits_for_ever_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """As for a thread that only the training has; the log says so."""

    def look() -> dict[str, Any]:
        threading.Event().wait()
        return {}

    assert found_without_trace(look, patience=0.05) == {}
    assert "making them in a forked process took longer than 0.05 s\n" in capsys.readouterr().out


def test_nothing_is_found_where_it_ends_without_a_word_or_no_process_can_be_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The training meets the same error itself."""
    assert found_without_trace(lambda: os._exit(0)) == {}
    assert found_without_trace(lambda: {"a": 1 / 0}) == {}

    def refuse() -> int:
        raise OSError("no memory")

    monkeypatch.setattr(os, "fork", refuse)
    assert found_without_trace(lambda: {"a": 1}) == {}
    assert capsys.readouterr().out == ""
