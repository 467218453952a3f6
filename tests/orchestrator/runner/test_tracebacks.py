"""Tracebacks are found in the output, with their exceptions and what these were raised from."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runner.tracebacks import Weight, read_tracebacks, sort_by_rank

TRACEBACK = 'Traceback (most recent call last):\n  File "t.py", line 3, in f\n    g()\n'
DIRECT = "\nThe above exception was the direct cause of the following exception:\n\n"
FAILS = (
    "def f():\n"
    "    try:\n"
    "        try: 1 / 0\n"
    "        except ZeroDivisionError as error: raise {outer} {how}\n"
    "    except BaseException as error: return error\n"
    "raise ExceptionGroup('many', [f(), ValueError('b')])\n"
)


def last_of(script: str) -> tuple[str, tuple[str, ...]]:
    """Execute a program that fails; return its last exception, and what it was raised from."""
    command = [sys.executable, "-I", "-S", "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    found = read_tracebacks(said.splitlines())[-1]
    return found.error, found.reasons


@pytest.mark.parametrize(
    ("how", "reasons"),
    [
        ("from error", ("ZeroDivisionError: division by zero",)),
        ("", ()),  # during its handling: nobody says that it is the cause
        ("from None", ()),
    ],
)
def test_leaf_of_a_group_is_the_end_of_its_chain(how: str, reasons: tuple[str, ...]) -> None:
    """The first exception of a chain in a group was taken for the one that was raised last."""
    error, before = last_of(FAILS.format(outer="OSError('told')", how=how))
    assert error == "OSError: told (and 1 more)"
    assert before == reasons


def test_group_that_except_makes_is_read() -> None:
    """It has no traceback of its own, and no message."""
    script = (
        "try: raise ExceptionGroup('m', [ValueError('a'), KeyError('b')])\n"
        "except* ValueError: raise TypeError('told')"
    )
    assert last_of(script) == ("TypeError: told (and 1 more)", ())


def test_group_in_a_group_that_were_both_raised_is_read() -> None:
    """As of a task group in another one."""
    script = (
        "def f():\n    try: raise ExceptionGroup('in', [ValueError('told'), KeyError('b')])\n"
        "    except ExceptionGroup as error: return error\n"
        "raise ExceptionGroup('out', [f(), OSError('c')])"
    )
    assert last_of(script) == ("ValueError: told (and 2 more)", ())


def test_group_whose_messages_have_several_lines_is_read_whole() -> None:
    """Python draws no branch before the further lines."""
    script = (
        "raise ExceptionGroup('two\\nlines', [ExceptionGroup('a\\nb', [ValueError('told\\nmore'),"
        " KeyError('b')]), OSError('c')])"
    )
    assert last_of(script) == ("ValueError: told (and 2 more)", ())


def test_groups_of_two_ranks_are_two() -> None:
    """The spaces before the first lines of both may stand together."""
    group = "+ Exception Group Traceback (most recent call last):\n  | ExceptionGroup: m (1 sub-exception)\n"
    group += "  +-+---------------- 1 ----------------\n    | ValueError: told\n    +----------\n"
    found = read_tracebacks(f"    {group}{group}".splitlines())
    assert [each.error for each in found] == ["ValueError: told"] * 2


def test_group_of_a_rank_is_read_without_the_prefix_of_its_lines() -> None:
    script = "raise ExceptionGroup('m', [ValueError('told'), KeyError('b')])"
    command = [sys.executable, "-I", "-S", "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    ranks = [f"[rank{rank}]: {line}" for rank in (0, 1) for line in said.splitlines()]
    found = read_tracebacks(ranks)
    assert [(it.rank, it.error) for it in found] == [
        (r, "ValueError: told (and 1 more)") for r in "01"
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # as torchrun --tee copies them
        (["[default0]:a", "[default1]:b", "[default1]:d", "[default0]:c"], ["[default1]:b", "[default1]:d", "[default0]:a", "[default0]:c"]),
        # two have written before either has ended its line
        (["[rank0]: a[rank1]: b", "", "[rank0]: c[rank1]: d"], ["[rank0]: a", "[rank0]: c", "[rank1]: b", "", "[rank1]: d"]),
        # pairs of numbers that a program prints itself
        (["[2,300]: loss 0.1", "[1,4]: a"], ["[2,300]: loss 0.1", "[1,4]: a"]),
        # mpirun --tag-output
        (["[1,0]<stderr>:a", "[1,1]<stderr>:b", "[1,0]<stderr>:c"], ["[1,1]<stderr>:b", "[1,0]<stderr>:a", "[1,0]<stderr>:c"]),
        (["[rank1]: a", "x", "[rank0]: b", "", "y"], ["[rank1]: a", "x", "[rank0]: b", "", "y"]),
        (["", "x [rank0]: y"], ["", "x [rank0]: y"]),
        ([], []),
    ],
)  # fmt: skip
def test_lines_of_ranks_that_print_at_once_are_taken_apart(
    lines: list[str], expected: list[str]
) -> None:
    """Each reads its own traceback; the one that printed last stays last."""
    assert sort_by_rank(lines) == expected


def test_group_without_leaves_is_told_in_one_line() -> None:
    output = f"  | E: told (1 sub-exception)\n{TRACEBACK}  +-+---- 1 ----\n"
    assert read_tracebacks(output.split("\n"))[0].error == "E: told (1 sub-exception)"


def test_group_keeps_what_it_was_raised_from() -> None:
    script = (
        "try: raise KeyError('in')\n"
        "except KeyError as error: raise ExceptionGroup('out', [ValueError('told')]) from error"
    )
    assert last_of(script) == ("ValueError: told", ("KeyError: 'in'",))


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (f"{TRACEBACK}ValueError: told\n", "ValueError: told"),
        # The frame in which loguru caught it is marked, and blank lines are between frames.
        (f'{TRACEBACK}\n> File "t.py", line 9, in <module>\n\nKeyError: 1\n', "KeyError: 1"),
        # The frames of another process follow the exception that tells of it.
        (f'{TRACEBACK}RayTaskError(KeyError): ray::f()\n  File "f.py", line 1\nKeyError: 1\n', "KeyError: 1"),
        (f'{TRACEBACK}RayTaskError(KeyError): ray::f()\n  File "f.py", line 1\n', ""),
        (TRACEBACK, ""),
    ],
)  # fmt: skip
def test_exception_stands_behind_its_frames(output: str, error: str) -> None:
    assert read_tracebacks(output.split("\n"))[-1].error == error


IN_MODULE = 'Traceback (most recent call last):\n  File "t.py", line {}, in <module>\n    f()\n{}\n'
IN_WORKER = 'Traceback (most recent call last):\n  File "t.py", line 3, in work\n    f()\n{}\n'


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (IN_MODULE.format(9, "E: told") + IN_WORKER.format("E: noted"), "E: told"),
        (IN_MODULE.format(9, "E: told") + IN_MODULE.format(3, "E: noted"), "E: told"),
        (f"Error executing job with overrides: []\n{IN_WORKER.format('E: told')}{IN_WORKER.format('E: noted').replace('3', '2')}", "E: told"),
        # Caught and printed first, there or in a function; or the message tells of another process.
        (IN_MODULE.format(3, "E: caught") + IN_MODULE.format(9, "E: told"), "E: told"),
        (IN_WORKER.format("E: caught") + IN_MODULE.format(9, "E: told"), "E: told"),
        (IN_WORKER.format("E: caught") + IN_WORKER.format("E: told"), "E: told"),
        (IN_MODULE.format(9, "E: remote:") + IN_WORKER.format("E: told"), "E: told"),
        (IN_MODULE.format(9, "E: remote") + "Original " + IN_WORKER.format("E: told"), "E: told"),
        (IN_MODULE.format(9, "E: caught") + "worker 3\n" + IN_WORKER.format("E: told"), "E: told"),
    ],
)  # fmt: skip
def test_traceback_in_a_note_is_no_error_of_its_own(output: str, error: str) -> None:
    """Python prints notes behind the message; what they quote has happened earlier."""
    assert read_tracebacks(output.split("\n"))[-1].error == error


def test_traceback_of_ipython_ends_where_it_names_its_exception_again() -> None:
    """Its frames are not indented."""
    output = f"{'-' * 75}\nE                 Traceback (most recent call last)\nCell In[3], line 1\n----> 1 f()\n\nE: told\n"
    (found,) = read_tracebacks(output.split("\n"))
    assert (found.error, found.weight) == ("E: told", Weight.ENDS)
    assert read_tracebacks(output.split("\n")[:3]) == []


def test_chain_knows_where_it_begins() -> None:
    output = (
        f"epoch 1\n{TRACEBACK}KeyError: 1\n{DIRECT}{TRACEBACK}OSError: 2\n{DIRECT}{TRACEBACK}E: 3"
    )
    last = read_tracebacks(output.split("\n"))[-1]
    assert (last.error, last.reasons, last.chain_start) == (
        "E: 3",
        ("KeyError: 1", "OSError: 2"),
        1,
    )


@pytest.mark.parametrize(
    ("before", "weight"),
    [
        ("epoch 1", Weight.ENDS),
        ("Exception in thread Thread-1 (f):", Weight.MAY_END),
        ("Exception ignored in: <function L.__del__ at 0x7f>", Weight.NOTHING),
        ("--- Logging error ---", Weight.NOTHING),
    ],
)
def test_line_above_tells_what_a_traceback_means(before: str, weight: Weight) -> None:
    (found,) = read_tracebacks(f"{before}\n{TRACEBACK}ValueError: told\n".split("\n"))
    assert found.weight is weight


PIECES = st.sampled_from(
    [TRACEBACK, DIRECT, "ValueError: x\n", "  + Exception Group Traceback (most recent call last):\n",
     "  | E: y (1 sub-exception)\n", "  +-+---- 1 ----\n", "    | V: z\n", '  File "x"\n', "\n", f"    | {DIRECT}"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_output_is_read(output: str) -> None:
    """Whatever stands there, tracebacks follow each other and have one line."""
    found = read_tracebacks(output.split("\n"))
    assert all("\n" not in each.error for each in found)
    assert [each.end for each in found] == sorted(each.end for each in found)
