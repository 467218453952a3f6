"""Programs in other languages tell their error above its stack, or before they abort."""

from signal import Signals, strsignal

import pytest

from orchestrator.runner.other_languages import (
    _DESCRIPTIONS,
    message_above_stack,
    message_of_abort,
    message_of_manager,
    signal_described,
)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("panic: told\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:3\nexit status 2", "panic: told"),
        ("fatal error: all goroutines are asleep\ngoroutine 1 [chan receive]:\nmain.main()", "fatal error: all goroutines are asleep"),
        ("ERROR: told\nStacktrace:\n [1] error(s::String)\n   @ Base ./error.jl:35", "ERROR: told"),
        ("/x.js:3\nthrow new Error('told')\n      ^\nError: told\n    at f (/x.js:3:7)\n    at node:internal:1\nNode.js v20", "Error: told"),
        (
            'Exception in thread "main" java.lang.IllegalStateException: told\n\tat Main.main(Main.java:3)',
            'Exception in thread "main" java.lang.IllegalStateException: told',
        ),
        ("Error in f() : told\nCalls: main -> f\nExecution halted", "Error in f() : told"),
        # R, where the call is long
        ("Error in f(x) :\n  told\nCalls: main -> f\nExecution halted", "Error in f(x) : told"),
        ("Error in f(x) :\nExecution halted", "Error in f(x) :"),
        ("thread 'main' panicked at src/main.rs:4:5:\ntold\nstack backtrace:\n   0: f", "told"),
        ("told\nstack backtrace:\n   0: f", None),
        ("ERROR: retrying\nStacktrace:\n [1] f\nERROR: told\nStacktrace:\n [1] g", "ERROR: told"),
        ("ERROR: told", None),
        ("loss at epoch 3: 0.1", None),
        ("", None),
    ],
)  # fmt: skip
def test_message_stands_above_its_stack(output: str, message: str | None) -> None:
    """The last line would be a place in a library."""
    assert message_above_stack([line for line in output.splitlines() if line]) == message


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("terminate called after ...\n  what():  no such layer\n", "no such layer"),
        ("Fatal Python error: Cannot recover from stack overflow.\nPython runtime", "Cannot recover from stack overflow."),
        ("Fatal Python error: Aborted\n\nCurrent thread 0x7f (most recent call first):\n", ""),
        ("a.out: x.c:3: main: Assertion `x' failed.\n", "a.out: x.c:3: main: Assertion `x' failed."),
        ("epoch 3\ndouble free or corruption (out)\n", "double free or corruption (out)"),
        ("malloc(): corrupted top size\n", "malloc(): corrupted top size"),
        ("*** buffer overflow detected ***: terminated\n", "*** buffer overflow detected ***: terminated"),
        ("F1128 20:00:00.0 7 x.cc:3] Check failed: n > 0 \n", "Check failed: n > 0"),
        ("<--- JS stacktrace --->\nFATAL ERROR: Reached heap limit\n 1: 0xb0 node::Abort()\n", "Reached heap limit"),
        ("epoch 3\n", ""),
    ],
)  # fmt: skip
def test_what_is_told_before_an_abort_is_found(output: str, message: str) -> None:
    """An abort is a program's own doing: it says why."""
    assert message_of_abort(output) == message


def test_end_by_a_resource_manager_is_told() -> None:
    """Slurm and PBS say why they end a program."""
    told = "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-11-28 DUE TO TIME LIMIT ***"
    assert message_of_manager(f"epoch 3\n{told}\n") == told
    assert message_of_manager("epoch 3\n") == ""


@pytest.mark.parametrize("text", _DESCRIPTIONS)
def test_signal_is_known_by_its_description(text: str) -> None:
    """As the C library describes it, and as shells print that."""
    number = _DESCRIPTIONS[text]
    assert strsignal(number) == text
    shells = (
        text,
        f"{text} (core dumped)",
        f"run.sh: line 3: 4711 {text}      (core dumped) ./train",
    )
    assert {signal_described(line) for line in shells} == {number}
    assert signal_described(f"{text} by somebody") is None
    assert isinstance(number, Signals)
