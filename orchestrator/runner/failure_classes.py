"""Failure classes: classifies a failure by the program's exit code, output tail and metrics.

The class decides on retries: an error occurs again, running out of memory may not. A program may name
the class itself, with a last line such as ``diverged: the loss is NaN after iteration 3``.
"""

from __future__ import annotations

import math
import re
import signal
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import Failure, State
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(StrEnum):
    """The failure classes, as they are written to ``status.json``."""

    ERROR = "error"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out-of-memory"
    TIMEOUT = "timeout"
    NO_PROGRESS = "no-progress"
    KILLED = "killed"
    DISK_FULL = "disk-full"
    CONFIG_MISMATCH = "config-mismatch"


# Transient causes. An error comes again, and so does a loss that diverges.
PASSING: Final = frozenset((FailureKind.KILLED, FailureKind.OUT_OF_MEMORY, FailureKind.DISK_FULL))
_LONGEST_MESSAGE: Final = 500
# Signals that a program brings upon itself, as their names stand in a message.
_CRASHING: Final = frozenset(
    (
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGTRAP,
        signal.SIGSYS,
    )
)
_CRASHES: Final = tuple(f"by {each.name}" for each in _CRASHING)
_NAMED = re.compile(rf"({'|'.join(FailureKind)}): *(\S.*)")
# The error of an attempt that had started; before that, the directory is just not found.
LOST: Final = (
    "it was removed, moved or replaced while the run was live, so the run was killed."
    " Start it again with orch run."
)
UNLOCKED: Final = (
    "the file system has lost its lock, so another host may execute the run; it was killed here."
    " Start it again with orch run."
)
_USER_ERROR: Final = 2
_OUT_OF_TIME: Final = 124  # the exit code of timeout(1); its greater ones follow errors of its own
# A shell reports a child that a signal killed as 128 plus the signal's number.
_SHELL: Final = 128
_ASKING: Final = frozenset((signal.SIGHUP, signal.SIGINT, signal.SIGTERM))
_DEADLY: Final = frozenset(
    (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What a program left: the tail of its output, and the last metrics that it reported.

    ``memory_ran_out`` tells whether the OOM killer was active while the program ran; ``is_trainer``,
    whether the program is the one whose exit code 2 only says that its last line is an error message.
    ``machine_memory`` is the memory of the machine in bytes; 0 if it is not known.
    """

    output_tail: str = ""
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    memory_ran_out: bool = False
    is_trainer: bool = False
    machine_memory: float = 0


def classify(exit_code: int, traces: Traces) -> Failure:
    """Classify the failure of a program that ended by itself; the code is negative for a signal."""
    failure = _classify(exit_code, traces)
    if failure.kind != FailureKind.OUT_OF_MEMORY:
        return failure
    # As for the patterns, they are loaded at the first failure.
    from orchestrator.runner.impossible_allocations import describe_excess  # noqa: PLC0415

    if excess := describe_excess(failure.message, traces.machine_memory):
        return Failure(FailureKind.ERROR, f"{excess}: {failure.message}"[:_LONGEST_MESSAGE])
    return failure


def _classify(exit_code: int, traces: Traces) -> Failure:
    """Classify it, without a look at how much memory it asked for."""
    words = traces.output_tail
    last = words.rstrip().rpartition("\n")[2].strip()
    # As for the patterns, they are loaded at the first failure.
    from orchestrator.runner.error_line import find_cause  # noqa: PLC0415
    from orchestrator.runner.output_asides import is_aside  # noqa: PLC0415
    from orchestrator.runner.wrapper_exit_codes import tells_exit_code  # noqa: PLC0415

    named = _NAMED.fullmatch(printable(last)) if exit_code > 0 else None
    is_of_command = named and named[1] == FailureKind.TIMEOUT and exit_code >= _OUT_OF_TIME
    if named and not (is_of_command or tells_exit_code(last) or is_aside(last)):
        return Failure(named[1], named[2][:_LONGEST_MESSAGE])

    cause = find_cause(words, exit_code)
    message = printable(cause.message)[:_LONGEST_MESSAGE]
    number = deadly_signal(exit_code if cause.exit_code is None else cause.exit_code)
    if number is not None:
        # An exception ended it, and it crashed on its way out, as CUDA does without memory.
        ended = cause.is_exception and cause.exit_code is None and number in _CRASHING
        if ended and (kind := _kind_of(message)):
            return Failure(kind, f"{message} (by {_name(number)})")
        return _killed(number, message if cause.is_exception else "", traces)
    for text in (message, *cause.reasons):
        if kind := _kind_of(text):
            told = message if text == message else f"{message}, from {printable(text)}"
            return Failure(kind, told[:_LONGEST_MESSAGE])
    if not cause.is_exception and not (traces.is_trainer and exit_code == _USER_ERROR and message):
        message = _with_code(exit_code, message)
    return Failure(
        FailureKind.DIVERGED if _has_diverged(traces.metrics) else FailureKind.ERROR, message
    )


def has_failed_by_itself(state: State, failure: Failure | None) -> bool:
    """Return whether a run has failed, and not because somebody killed it or filled the disk."""
    if state is not State.FAILED or failure is None:
        return state is State.FAILED
    if failure.kind == FailureKind.KILLED:
        return failure.message.startswith(_CRASHES)
    return failure.kind != FailureKind.DISK_FULL


def classify_unbegun(complaint: str) -> Failure:
    """Classify the failure of a runner that started no attempt: its error, or that it was killed."""
    if complaint:
        return classify(1, Traces(complaint))
    return Failure(FailureKind.KILLED, "it was killed before the attempt began")


@cache
def _signs() -> Mapping[FailureKind, re.Pattern[str]]:
    """Return what the message of an error of a kind contains.

    Most runs do not fail: the patterns, which take milliseconds, are compiled at the first failure.
    """
    from orchestrator.runner.divergence_messages import DIVERGED  # noqa: PLC0415 # it compiles them, too

    return {
        FailureKind.OUT_OF_MEMORY: re.compile(
            r"MemoryError\b|OutOfMemoryException\b|\[Errno 12\]|out[ -]of[ -]memory|can't allocate memory"
            r"|Cannot allocate (?:memory|vector of size)|std::bad_alloc|CU\w+_STATUS_ALLOC_FAILED"
            r"|memory allocation of \d+ bytes failed|OOM when allocating"
            r"|RESOURCE_EXHAUSTED|\boom[_-]kill",
            re.IGNORECASE,
        ),
        FailureKind.DISK_FULL: re.compile(
            r"No space left on device|\[Errno (?:28|122)\]|Disk quota exceeded|\bENOSPC\b|database or disk is full"
            r"|PytorchStreamWriter failed writing|inline_container\.cc:\d+\] \. unexpected pos \d+ vs",
            re.IGNORECASE,
        ),
        FailureKind.DIVERGED: DIVERGED,
    }


def _kind_of(text: str) -> FailureKind | None:
    """Return the class that an error's message names, or None."""
    return next((kind for kind, sign in _signs().items() if sign.search(text)), None)


def _killed(number: int, message: str, traces: Traces) -> Failure:
    """Classify a signal that ended a program, or the process that failed first in it."""
    name = _name(number)
    if number == signal.SIGKILL and traces.memory_ran_out:
        text = f"killed by the kernel ({name}): the machine ran out of memory"
        return Failure(FailureKind.OUT_OF_MEMORY, text)
    # As for the patterns, they are loaded at the first failure.
    from orchestrator.runner import other_languages  # noqa: PLC0415
    from orchestrator.runner.output_lines import lines_of  # noqa: PLC0415

    said = "\n".join(lines_of(traces.output_tail))
    if number == signal.SIGABRT and (told := other_languages.message_of_abort(said)):
        message = printable(told)[:_LONGEST_MESSAGE]
        if kind := _kind_of(message):
            return Failure(kind, f"{message} (by {name})")
    if not message:
        message = printable(other_languages.message_of_manager(said))
        message = message[:_LONGEST_MESSAGE]
        if number == signal.SIGKILL and (kind := _kind_of(message)):
            return Failure(kind, f"{message} (by {name})")
    return Failure(FailureKind.KILLED, f"by {name}" + (f", {message}" if message else ""))


def _with_code(exit_code: int, line: str) -> str:
    """Return a message from an exit code and an output line; exit code 1 adds no information."""
    code = f"exit code {exit_code}"
    if exit_code - _SHELL in _ASKING:
        code += f" (a shell's code for {_name(exit_code - _SHELL)})"
    if exit_code == _OUT_OF_TIME:
        code += " (that of the command timeout at its limit)"
    if not line:
        return f"{code}, and no output"
    return line if exit_code == 1 else f"{code}: {line}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def deadly_signal(exit_code: int) -> int | None:
    """Return the signal that an exit code stands for, or None."""
    if exit_code < 0:
        return -exit_code
    return exit_code - _SHELL if exit_code - _SHELL in _DEADLY else None


def _has_diverged(metrics: Mapping[str, float | str]) -> bool:
    """Return whether a loss is NaN or infinite, which are strings in JSON."""
    losses = (value for key, value in metrics.items() if "loss" in key.lower())
    return any(_is_not_finite(loss) for loss in losses)


def _is_not_finite(value: float | str) -> bool:
    try:
        return not math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False
