"""The exit codes of ``orch``; a contract."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command, for scripts."""

    DONE = 0  # everything requested is done
    FAILED = 1  # a run failed
    WRONG = 2  # the command, the config or a filter is wrong
    LEFT = 3  # something is left that this command could not finish
    HALTED = 4  # a run is in a state that orch status was asked to halt on
    INTERRUPTED = 130  # stopped by the user
    UNREAD = 141  # the reader of the output went first: the code of a program that SIGPIPE ends
