"""What a function tells of its end arrives, and nothing of another process or another connection."""

import os
import socket

from orchestrator.runner.new_imports import NOTHING_NEW
from orchestrator.runner.told_end import EndTeller, hear_end


def test_error_is_told_before_the_imports() -> None:
    """An exit function may end the process between them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = EndTeller(theirs)
        end.tell_error("ValueError: t\0old")
        assert hear_end(ours) == ("ValueError: told", NOTHING_NEW)
        end.tell_imports()
        assert hear_end(ours)[0] != "ValueError: told"


def test_function_without_an_error_tells_none() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        EndTeller(theirs).tell_imports()
        assert hear_end(ours)[0] == ""


def test_end_of_an_error_is_told() -> None:
    """All of it may be as long as a program can print."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        end = EndTeller(theirs)
        end.tell_error("x" * 1_000_000 + "told")
        end.tell_imports()
        error, _ = hear_end(ours)
    assert error.endswith("told")
    assert len(error) < 100_000


def test_connection_that_the_function_has_replaced_is_left_alone() -> None:
    """It may have closed all descriptors, and opened its own in their place."""
    ours, theirs = socket.socketpair()
    other, another = socket.socketpair()
    with ours, other, another:
        end = EndTeller(theirs)
        number = theirs.fileno()
        os.dup2(another.fileno(), number)
        end.tell_error("ValueError: told")
        end.tell_imports()
        assert hear_end(other) == ("", NOTHING_NEW)
        assert theirs.fileno() == -1
    os.close(number)
