"""Programs in other languages tell their error above its stack, or before they abort."""

from signal import Signals, strsignal

import pytest

from orchestrator.runner.other_languages import (
    _DESCRIPTIONS,
    message_above_caret,
    message_above_stack,
    message_of_abort,
    message_of_manager,
    message_of_sanitizer,
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
        ("Unhandled exception. System.E: told\n   at Train.Run() in /t.cs:line 5", "Unhandled exception. System.E: told"),
        ("PHP Fatal error:  Uncaught E: told in /t.php:3\nStack trace:\n#0 {main}\n  thrown in /t.php", "PHP Fatal error:  Uncaught E: told in /t.php:3"),
        ("t.rb:3:in `load': told (E)\n\tfrom t.rb:9:in `block'\n\tfrom t.rb:15:in `<main>'", "t.rb:3:in `load': told (E)"),
        ("Fortran runtime error: told\nError termination. Backtrace:\n#0  0x7f1 in ???", "Fortran runtime error: told"),
        ("lua: t.lua:3: told\nstack traceback:\n\tt.lua:3: in main chunk\n\t[C]: in ?", "lua: t.lua:3: told"),
        ("t: told\nCallStack (from HasCallStack):\n  error, called at t.hs:3:8", "t: told"),
        ('Fatal error: exception Failure("told")\nRaised at f in file "s.ml", line 2, characters 1-3\nCalled from t in file "t.ml", line 3, characters 9-20', 'Fatal error: exception Failure("told")'),
        ("** (RuntimeError) told\n    t.exs:3: (file)\n    (elixir 1.14.0) lib/code.ex:12: f/2", "** (RuntimeError) told"),
        ('told\n    while executing\n"error told"\n    (procedure "f" line 1)\n    invoked from within\n"f"', "told"),
        ("error: told\nerror: called from\n    fit at line 3 column 1", "error: told"),
        ("told at t.pl line 3.\n\tmain::f(1) called at t.pl line 9", "told at t.pl line 3."),
        ('Timeout (0:00:01)!\nThread 0x7f (most recent call first):\n  File "t.py", line 3 in f', "Timeout (0:00:01)!"),
        # Rust tells its threads; one that waits for another says nothing of its own
        (
            ("thread '<unnamed>' (7) panicked at t.rs:1:34:\ntold\nstack backtrace:\nthread 'main' (6) panicked at"
            " t.rs:1:63:\ncalled `Result::unwrap()` on an `Err` value: Any { .. }\nstack backtrace:\n   0: f"),
            "told",
        ),
        # The program has continued.
        ("Error: caught\n    at f (/x.js:3:7)\n" + "epoch 3\n" * 9 + "no license", None),
        ("ERROR: told", None),
        ("loss at epoch 3: 0.1", None),
        ("", None),
    ],
)  # fmt: skip
def test_message_stands_above_its_stack(output: str, message: str | None) -> None:
    """The last line would be a place in a library."""
    found = message_above_stack([line for line in output.splitlines() if line])
    assert (found[0] if found else None) == message


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
        ("terminate called after throwing an instance of 'int'\n", "terminate called after throwing an instance of 'int'"),
        ("Unhandled exception. System.E: told\n   at Main()\n", "System.E: told"),
        ("memory allocation of 8589934592 bytes failed\n", "memory allocation of 8589934592 bytes failed"),
        ("[rank3]:[F1130 12:08:00.0 ProcessGroupNCCL.cpp:1557] [PG ID 0 Rank 3] [PG ID 0 Rank 3] told\n", "told"),
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


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "t.java:1: error: told\nclass t { int x = ; }\n                  ^",
            "t.java:1: error: told",
        ),
        ("error: told\n --> Cargo.toml:2:8\n  |\n2 | name = 3\n  |        ^", "error: told"),
        ("Error: told\n  select x from t;\n         ^--- error here", "Error: told"),
        ("t.c:1:2: error: told\n    1 | foo;\n      | ^~~", "t.c:1:2: error: told"),
        ("^", None),
        ("told", None),
        ("", None),
    ],
)
def test_error_is_told_above_the_place_that_it_points_at(output: str, message: str | None) -> None:
    assert message_above_caret(output.splitlines()) == message


def test_summary_of_a_sanitizer_is_found_before_the_memory_that_it_prints() -> None:
    said = ["SUMMARY: AddressSanitizer: heap-buffer-overflow t.c:2 in main", "Shadow bytes", "  fa"]
    assert message_of_sanitizer(said) == "AddressSanitizer: heap-buffer-overflow t.c:2 in main"
    assert message_of_sanitizer([*said, *(f"epoch {at}" for at in range(9))]) is None
    assert message_of_sanitizer(["epoch 3"]) is None
