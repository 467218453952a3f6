"""The witness sees what it is there for: of two processes that execute one run, one sees the other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import witness

HOLD = "import sys; sys.path.insert(0, sys.argv[1]); import witness; witness.begin(); print(flush=True); input()"


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCH_RUN_DIR", "training/0123abcd")


def hold() -> subprocess.Popen[str]:
    """Start a process that executes the run, and return once it has said so."""
    words = [sys.executable, "-c", HOLD, str(Path(witness.__file__).parent)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout
    process.stdout.readline()
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_two_live_processes_of_one_run_overlap() -> None:
    other = hold()
    witness.begin()
    end(other)
    assert witness.OVERLAPS.read_text().startswith(f"0123abcd {other.pid}-")


def test_process_that_was_killed_or_has_ended_overlaps_with_none() -> None:
    end(hold())
    witness.begin()
    witness.end()
    assert not witness.OVERLAPS.exists()
    end(hold())
    assert not witness.OVERLAPS.exists()


def test_zombie_executes_nothing() -> None:
    other = hold()
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    witness.begin()
    assert not witness.OVERLAPS.exists()
    other.communicate()


def test_processes_of_different_runs_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    other = hold()
    monkeypatch.setenv("ORCH_RUN_DIR", "training/89abcdef")
    witness.begin()
    end(other)
    assert not witness.OVERLAPS.exists()
