"""How the program of an attempt is started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.runner.attempt_program import (
    SIGNALS,
    Command,
    Orphan,
    hash_seed,
    signals_blocked,
)
from orchestrator.runner.output import Pipe


@pytest.fixture
def output() -> Iterator[Pipe]:
    with Pipe() as pipe:
        yield pipe


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(("given", "seed"), [(None, "0"), ("", "0"), ("random", "0"), ("7", "7")])
def test_hash_seed_is_the_users_or_zero(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seed: str
) -> None:
    """It decides the order of sets: without a fixed one, a run is not reproducible."""
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    if given is not None:
        monkeypatch.setenv("PYTHONHASHSEED", given)
    assert hash_seed() == seed


def test_command_gets_its_environment_output_and_lock(output: Pipe, lock: int) -> None:
    script = f"echo $WORD; echo error >&2; test -e /proc/self/fd/{lock} && echo locked; read x"
    started = Command(("sh", "-c", script)).prepare({"WORD": "hello"}, output, lock).start()
    assert os.getpgid(started.pid) == started.pid  # it can be signalled as a group
    assert started.wait() == 1  # there is nothing to read: stdin is empty
    assert output.read() == b"hello\nerror\nlocked\n"


def test_command_that_does_not_exist_raises(output: Pipe, lock: int) -> None:
    with pytest.raises(FileNotFoundError):
        Command(("/no/such/program",)).prepare({}, output, lock).start()


def test_orphan_is_waited_for_by_its_new_parent() -> None:
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "kill -TERM $$"], {})
    assert Orphan(child).wait() == -signal.SIGTERM


def test_signals_are_blocked_while_a_process_starts_and_as_before_afterwards() -> None:
    """The child inherits the mask, so that no request to stop is lost before its handlers are set."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with signals_blocked():
        script = "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert int(said.stdout) >= len(SIGNALS)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
