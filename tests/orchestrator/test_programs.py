"""An entry point runs in a fork as if it had been started on its own."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.programs import EntryPoint

HERE = __name__


def succeed(arguments: Sequence[str]) -> int:
    print(*arguments, os.environ.get("GREETING"), os.environ.get("HOME"))
    sys.stderr.write("trouble\n")
    return 0


def fail(_arguments: Sequence[str]) -> int:
    raise ValueError("lr")


def leave(_arguments: Sequence[str]) -> int:
    sys.exit(5)


def crash(_arguments: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def stop_oneself(_arguments: Sequence[str]) -> int:
    os.kill(os.getpid(), signal.SIGTERM)
    return 0


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return the file that takes the output."""
    return tmp_path / "attempt-001.log"


def run(function: str, output: Path, *arguments: str) -> int:
    program = EntryPoint(f"{HERE}:{function}", arguments)
    return program.start({"GREETING": "hello"}, output, lock=-1).wait()


def test_output_arguments_and_environment_are_its_own(output: Path) -> None:
    """Both streams go to the file; of the environment only what is given is there."""
    assert run("succeed", output, "a", "b") == 0
    assert output.read_text() == "a b hello None\ntrouble\n"


def test_uncaught_exception_is_a_traceback_and_exit_code_1(output: Path) -> None:
    """It ends like any Python program."""
    assert run("fail", output) == 1
    assert output.read_text().endswith("ValueError: lr\n")


@pytest.mark.parametrize(
    ("function", "code"),
    [("leave", 5), ("crash", -signal.SIGKILL), ("stop_oneself", -signal.SIGTERM)],
)
def test_exit_codes_and_signals_come_back(output: Path, function: str, code: int) -> None:
    """The runner sees what the kernel saw."""
    assert run(function, output) == code


def test_it_leads_a_process_group_of_its_own(output: Path) -> None:
    """Its group can be signalled as soon as it is started."""
    program = EntryPoint(f"{HERE}:leave", ())
    started = program.start({}, output, lock=-1)
    assert os.getpgid(started.pid) == started.pid
    started.wait()
