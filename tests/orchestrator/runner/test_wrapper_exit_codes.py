"""Wrappers report how the process ended that they started."""

import pytest

from orchestrator.runner.wrapper_exit_codes import (
    code_of_child,
    code_of_subprocess,
    signal_reported,
)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[rank: 0] Child process with PID 7 terminated with code -9. Forcefully", -9),
        ("[launch.py:321] ['python', 'train.py'] exits with return code = 1", 1),
        ("[launch.py:321] ['python', 'train.py'] exits with return code = -11", -11),
        ("xargs: sh: terminated by signal 15", -15),
        ("setsid: child 7 did not exit normally: Success", -9),
        ("make: *** [Makefile:2: train] Killed", -9),
        ("make[1]: *** [train] Segmentation fault (core dumped)", -11),
        ("make: *** [Makefile:2: train] Error 137", 137),
        ("make: *** [Makefile:2: train] Fehler 1", None),
        ("Command exited with non-zero status 3", 3),
        ("Command terminated by signal 9", -9),
        ("error: process didn't exit successfully: `target/x` (exit status: 3)", 3),
        ("error: process didn't exit successfully: `x` (signal: 9, SIGKILL: kill)", -9),
        ("srun: error: node01: tasks 0-3: Segmentation fault (core dumped)", -11),
        ("srun: error: node01: task 0: Out Of Memory", None),
        ("terminated by signal", None),
        ("", None),
    ],
)
def test_last_line_of_a_wrapper_has_the_exit_code(line: str, code: int | None) -> None:
    """It counts instead of the wrapper's own."""
    assert code_of_child(line, 9) == code


def test_core_dump_is_no_part_of_the_signal_that_setsid_tells() -> None:
    """It exits with the status that it waited for."""
    assert code_of_child("setsid: child 7 did not exit normally: Success", 128 + 11) == -11


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("subprocess.CalledProcessError: Command 'x' returned non-zero exit status 3.", 3),
        ("subprocess.CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.", -9),
        ("ValueError: told", None),
    ],
)
def test_exit_code_of_a_subprocess_is_read(error: str, code: int | None) -> None:
    """Negative for a signal, as in Python."""
    assert code_of_subprocess(error) == code


@pytest.mark.parametrize(
    ("error", "after", "number"),
    [
        ("torch.SignalException: Process 7 got signal: 15", [], 15),
        ("lightning.fabric.utilities.exceptions.SIGTERMException", [], 15),
        ("KeyboardInterrupt", [], 2),
        ("KeyboardInterrupt: told", [], 2),
        ("MyKeyboardInterrupt: told", [], None),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It", [], 7),
        ("RuntimeError: DataLoader worker (pid 7) is killed by signal: Nonsense.", [], None),
        ("ProcessExitedException: process 0 terminated with signal SIGSEGV", [], 11),
        ("ProcessExitedException: process 0 terminated with signal UNKNOWN", [], None),
        ("TerminatedWorkerError: A", ["The exit codes of the workers are {EXIT(1), SIGKILL(-9)}"], 9),
        ("ValueError: told", ["epoch 3"], None),
    ],
)  # fmt: skip
def test_signal_in_an_exception_is_read(error: str, after: list[str], number: int | None) -> None:
    """The exit code of the program itself says nothing about it."""
    assert signal_reported(error, after) == number


def test_conda_ends_with_a_signal_as_python_counts_it() -> None:
    line = "ERROR conda.cli.main_run:execute(49): `conda run python` failed. (See above for error)"
    assert (code_of_child(line, 247), code_of_child(line, 3)) == (-9, None)
