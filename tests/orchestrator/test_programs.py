"""An entry point runs in a fork as if it had been started on its own."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence

import pytest

from orchestrator.capture import Pipe
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
def output() -> Iterator[Pipe]:
    """Return the pipe that takes the output."""
    pipe = Pipe()
    yield pipe
    pipe.close_reading()


def run(function: str, output: Pipe, *arguments: str) -> int:
    program = EntryPoint(f"{HERE}:{function}", arguments)
    started = program.start({"GREETING": "hello"}, output, lock=-1)
    output.close_writing()
    return started.wait()


def read(output: Pipe) -> str:
    return (output.read() or b"").decode()


def test_output_arguments_and_environment_are_its_own(output: Pipe) -> None:
    """Both streams go to the file; of the environment only what is given is there."""
    assert run("succeed", output, "a", "b") == 0
    assert read(output) == "a b hello None\ntrouble\n"


def test_uncaught_exception_is_a_traceback_and_exit_code_1(output: Pipe) -> None:
    """It ends like any Python program."""
    assert run("fail", output) == 1
    assert read(output).endswith("ValueError: lr\n")


@pytest.mark.parametrize(
    ("function", "code"),
    [("leave", 5), ("crash", -signal.SIGKILL), ("stop_oneself", -signal.SIGTERM)],
)
def test_exit_codes_and_signals_come_back(output: Pipe, function: str, code: int) -> None:
    """The runner sees what the kernel saw."""
    assert run(function, output) == code


def test_it_leads_a_process_group_of_its_own(output: Pipe) -> None:
    """Its group can be signalled as soon as it is started."""
    program = EntryPoint(f"{HERE}:leave", ())
    started = program.start({}, output, lock=-1)
    output.close_writing()
    assert os.getpgid(started.pid) == started.pid
    started.wait()
