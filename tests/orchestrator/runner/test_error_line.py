"""The error that ended a program is found in the end of its output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner.error_line import find_cause

TRACEBACK = "Traceback (most recent call last):\n  File 'train.py', line 3\n    f()\n"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", ""),
        ("epoch 1\nusage: train.py\n", "usage: train.py"),
        (TRACEBACK + "ValueError: lr\n", "ValueError: lr"),
        # Of a chain, the last exception ended the program.
        (
            TRACEBACK + "KeyError: 'x'\n\nDuring handling of the above exception, another exception"
            " occurred:\n\n" + TRACEBACK + "ValueError: lr\n",
            "ValueError: lr",
        ),
        # What is printed after it did not end the program.
        (
            TRACEBACK
            + "ValueError: lr\nException ignored in: <function f>\n"
            + TRACEBACK
            + "OSError: closed\n",
            "ValueError: lr",
        ),
        (TRACEBACK + "ValueError: lr\nwandb: run history\n", "ValueError: lr"),
        # A caught exception ended nothing: the program continued.
        (
            TRACEBACK + "ValueError: caught\n" + "epoch 3\n" * 30 + "error: bad data\n",
            "error: bad data",
        ),
        # The crash handler of PyTorch's loaders prints a NUL first.
        (
            f"ERROR: Unexpected segmentation fault.\n\0{TRACEBACK}KeyError: 'x'\nlast",
            "KeyError: 'x'",
        ),
        (f"\x07\x08{TRACEBACK}KeyError: 'x'\n", "KeyError: 'x'"),
        ("epoch 1\n" + TRACEBACK, "f()"),  # its end was never printed
        # tqdm has not ended its line, and draws its bar again when Python ends.
        (f"epoch 1\n\r  3%|# | 3/9 [00:00<00:03, 3it/s]{TRACEBACK}ValueError: lr\n\r  3%|# | 3/9 [00:00<00:03]\n", "ValueError: lr"),
        # The rest of a message is indented, or heads what is.
        (f"{TRACEBACK}RuntimeError: in a state_dict\n" + "\tsize mismatch\n" * 30, "RuntimeError: in a state_dict"),
        (f"{TRACEBACK}ValidationError: 15 errors\n" + "lr\n  Field required\n" * 15, "ValidationError: 15 errors"),
        (f"{TRACEBACK}ValueError: caught\n" + "\tmore\n" * 30 + "epoch 3\n" * 30, "epoch 3"),
        *((f"{TRACEBACK}RuntimeError: told\n" + line * 40, "RuntimeError: told") for line in (
            "frame #3: c10::Error::Error(c10::SourceLocation) + 0x77 (0x7f in libc10.so)\n",
            "my.cpp:3:5: error: use of undeclared identifier in call\n  3 | foo(x);\n",
            "<p>line</p>\n",
            "w3\n",
        )),
        (f"{TRACEBACK}ValueError: caught\n" + "  step 3 loss 0.1\n" * 30 + "no GPU left\n", "no GPU left"),
        ("shard 1 is done\n" + f"{TRACEBACK}ValueError: caught\n" + "shard 2 is done\n" * 30 + "no GPU left\n", "no GPU left"),
        # What other ranks print does not say that this one went on.
        ("[rank1]: a\n" * 30 + "".join(f"[rank0]: {it}\n" for it in f"{TRACEBACK}E: lr".split("\n")) + "[rank1]: b\n", "E: lr"),
        # Colours and progress bars do not belong to it.
        ("\x1b[31m 50%|##  |\r100%|####|\nKeyError: 'x'\x1b[0m\n", "KeyError: 'x'"),
    ],
)  # fmt: skip
def test_line_that_ended_the_program_is_found(output: str, message: str) -> None:
    assert find_cause(output, 1).message == message


JOB = "Could not find the cache\nError executing job with overrides: ['x=1']\n"
PLACE = "    full_key: lr\n    object_type=C\n"
GRAMMAR = "See https://hydra.cc/docs/1.2/advanced/override_grammar/basic for details\n"
TARGET = "Error in call to target 'm.f':"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (f"{JOB}{TARGET}\nMemoryError()\nfull_key: n.a\n", f"{TARGET} MemoryError()"),
        (f"{JOB}{JOB}{TARGET}\n{TARGET}\nMemoryError()\n" * 2, f"{TARGET} MemoryError()"),
        (f"{JOB}{TARGET}\nOSError(28, 'No space')\n", f"{TARGET} OSError(28, 'No space')"),
        (
            f"{JOB}Expected a callable target, got '7'\nfull_key: n\n",
            "Expected a callable target, got '7'",
        ),
        (f"{JOB}Error locating target ''.\nfull_key: n\n", "Error locating target ''."),
        (
            f"Error merging override lr=x\nValue 'x' of type 'str' could not be converted\n{PLACE}",
            "Error merging override lr=x: Value 'x' of type 'str' could not be converted",
        ),
        (
            f"Error parsing override 'lr'\nmissing EQUAL at '<EOF>'\n{GRAMMAR}",
            "Error parsing override 'lr': missing EQUAL at '<EOF>'",
        ),
        (
            f"LexerNoViableAltException: a b=1\n      ^\n{GRAMMAR}",
            "LexerNoViableAltException: a b=1",
        ),
        (f"Could not override 'y'.\nTo append use +y=1\n{PLACE}", "Could not override 'y'."),
        (f"{JOB}", "Error executing job with overrides: ['x=1']"),
        ("", ""),
    ],
)
def test_error_that_hydra_tells_without_a_traceback_is_found(said: str, message: str) -> None:
    """With why, where its first line only says which override or target."""
    end = "\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n"
    assert find_cause(f"{said}{end}", 1).message == message


def test_causes_of_an_exception_are_kept() -> None:
    """An out-of-memory error is often wrapped."""
    direct = "\nThe above exception was the direct cause of the following exception:\n\n"
    output = f"{TRACEBACK}MemoryError\n{direct}{TRACEBACK}RuntimeError: step 3\n"
    cause = find_cause(output, 1)
    assert (cause.message, cause.reasons) == ("RuntimeError: step 3", ("MemoryError",))
    assert cause.is_exception


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ("subprocess.CalledProcessError: Command 'x' died with <Signals.SIGKILL: 9>.", -9),
        ("train.sh: line 3: 4711 Killed                  python train.py", -9),
    ],
)
def test_exit_code_of_the_process_that_failed_counts(last: str, code: int) -> None:
    """A wrapper has an exit code of its own."""
    output = f"{TRACEBACK}{last}\n" if last.startswith("subprocess") else f"{last}\n"
    assert find_cause(output, 1).exit_code == code


def test_error_of_a_child_process_counts_before_that_of_its_wrapper() -> None:
    wrapper = "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 3."
    cause = find_cause(f"{TRACEBACK}ValueError: lr\n{TRACEBACK}{wrapper}\n", 1)
    assert (cause.message, cause.exit_code) == ("ValueError: lr", 3)


PIECES = st.sampled_from(
    [TRACEBACK, "ValueError: lr\n", "epoch\n", "\n", "Killed\n", "  x\n", "│\n"]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.integers(-15, 143))
def test_any_output_yields_one_line(output: str, code: int) -> None:
    assert "\n" not in find_cause(output, code).message


def test_signal_that_make_tells_counts_also_from_within() -> None:
    """It exits with 2, whatever has ended its command."""
    inner = "make[1]: *** [Makefile:2: train] Killed\nmake[1]: Leaving directory '/p'\n"
    for said in ("", inner):
        cause = find_cause(
            f"epoch 3\n{said}make: *** [Makefile:4: all] {'Error 2' if said else 'Killed'}\n", 2
        )
        assert (cause.exit_code, cause.message) == (-9, "epoch 3")


def test_message_of_several_lines_is_told_behind_make() -> None:
    """Make exits with 2, which no uncaught exception does: the code in its line counts."""
    said = f"{TRACEBACK}RuntimeError: sizes differ\nexpected 3, got 4\n"
    found = find_cause(f"{said}make: *** [Makefile:2: all] Error 1\n", 2)
    assert (found.message, found.exit_code) == ("RuntimeError: sizes differ", 1)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("lost shard 4\nreal 0.01\nuser 0.00\nsys 0.00\n", "lost shard 4"),
        ("error: Failed to spawn: `x`\n  Caused by: No such file\n", "error: Failed to spawn: `x`: No such file"),
        ("Error: lost\nerror Command failed with exit code 1.\n", "Error: lost"),
        ("error Command failed with exit code 1.\n", "error Command failed with exit code 1."),
        ('epoch 3\n{"exception": "Traceback (most recent call last):\\n  f()\\nE: told"}\n', "E: told"),
        ('npm error Missing script: "x"\nnpm error\nnpm error To see\n', 'Missing script: "x"'),
        ("[2,300]: loss 0.1\n", "[2,300]: loss 0.1"),
    ],
)  # fmt: skip
def test_error_of_a_tool_is_not_its_last_line(output: str, message: str) -> None:
    assert find_cause(output, 1).message == message


def test_causes_of_a_program_in_java_are_kept() -> None:
    said = 'Exception in thread "main" a.SparkException: failed\n\tat M.m(M.java)\nCaused by: java.lang.OutOfMemoryError: heap\n\tat A.b(A.java:3)\n'
    assert find_cause(said, 1).reasons == ("java.lang.OutOfMemoryError: heap",)
