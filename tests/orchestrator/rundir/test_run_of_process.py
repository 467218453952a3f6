"""The run of a process is in its environment, also while it executes another program."""

import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.rundir import run_of_process
from orchestrator.rundir.run_of_process import run_dir_of

PID = 12


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a process that has neither arguments nor an environment."""
    monkeypatch.setattr(run_of_process, "_PROCESSES", tmp_path)
    folder = tmp_path / str(PID)
    folder.mkdir()
    for name in ("environ", "cmdline"):
        (folder / name).write_bytes(b"")
    return folder


def test_environment_of_a_process_that_has_just_begun(
    process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux shows it some microseconds after the one that started it knows that it runs."""
    (process / "exe").symlink_to("/usr/bin/cat")
    seconds: list[float] = []

    def wait(passed: float) -> None:
        seconds.append(passed)
        if len(seconds) > 1:
            (process / "environ").write_bytes(b"HOME=/root\0ORCH_RUN_DIR=/results/a=b\0")

    monkeypatch.setattr(time, "sleep", wait)
    assert run_dir_of(PID) == "/results/a=b"
    assert len(seconds) > 1


@pytest.mark.parametrize("other", ["arguments", "no program", "a program for good"])
def test_process_without_an_environment(
    process: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that shows its arguments has none; a thread of the kernel has nothing; no wait is endless."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    if other != "no program":
        (process / "exe").symlink_to("/usr/bin/cat")
    if other == "arguments":
        (process / "cmdline").write_bytes(b"cat\0")
    assert run_dir_of(PID) == ""
    assert sum(seconds) == pytest.approx(1 if other == "a program for good" else 0)


def test_process_that_has_ended(process: Path) -> None:
    """There is nothing to read."""
    (process / "environ").unlink()
    with pytest.raises(FileNotFoundError):
        run_dir_of(PID)


def test_started_processes() -> None:
    """It is the one that a process of this machine was started with, also where that is empty."""
    for environment, expected in (({"ORCH_RUN_DIR": "/some/run"}, "/some/run"), ({}, "")):
        with subprocess.Popen(
            ["/bin/cat"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert run_dir_of(process.pid) == expected
