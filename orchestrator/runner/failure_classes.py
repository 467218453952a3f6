"""The class of a failure, from what a program left: its exit code, its last words, its numbers.

Classes are for policies: an error comes again, a lack of memory may pass. A program may name the
class itself, with a last line such as ``diverged: the loss is NaN after iteration 3``.
"""

from __future__ import annotations

import math
import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestrator.rundir.state import Failure
from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

ERROR: Final = "error"
DIVERGED: Final = "diverged"
OUT_OF_MEMORY: Final = "out-of-memory"
TIMEOUT: Final = "timeout"
NO_PROGRESS: Final = "no-progress"
KILLED: Final = "killed"
DISK_FULL: Final = "disk-full"
CLASSES: Final = (ERROR, DIVERGED, OUT_OF_MEMORY, TIMEOUT, NO_PROGRESS, KILLED, DISK_FULL)

_LONGEST_MESSAGE: Final = 500
_NAMED = re.compile(rf"({'|'.join(CLASSES)}): *(\S.*)")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b(?::|$)")
_TRACEBACK: Final = "Traceback (most recent call last):"
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = {
    OUT_OF_MEMORY: re.compile(
        r"OutOfMemoryError|\bMemoryError\b|out of memory|can't allocate memory"
        r"|Cannot allocate memory|std::bad_alloc|CUBLAS_STATUS_ALLOC_FAILED",
        re.IGNORECASE,
    ),
    DISK_FULL: re.compile(
        r"No space left on device|Disk quota exceeded|\bENOSPC\b|database or disk is full",
        re.IGNORECASE,
    ),
    DIVERGED: re.compile(
        r"FloatingPointError|\bloss (?:is|became|was) (?:nan|-?inf)", re.IGNORECASE
    ),
}
# A shell passes on the death of its child by a signal as 128 and the signal's number.
_SHELL: Final = 128
_DEADLY: Final = frozenset(
    (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What a program left: the end of its output, and the metrics that it reported last.

    ``memory_ran_out`` tells whether the kernel killed for memory while the program ran.
    """

    last_words: str = ""
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    memory_ran_out: bool = False


def classify(exit_code: int, traces: Traces) -> Failure:
    """Return why a program failed that ended by itself; the code is negative for a signal."""
    number = deadly_signal(exit_code)
    if number is not None:
        name = _name(number)
        if number == signal.SIGKILL and traces.memory_ran_out:
            return Failure(OUT_OF_MEMORY, f"killed by the kernel ({name}): the memory was used up")
        what = _message(traces.last_words) if _TRACEBACK in traces.last_words else ""
        return Failure(KILLED, f"by {name}" + (f", {what}" if what else ""))
    message = _message(traces.last_words)
    if named := _NAMED.fullmatch(message):
        return Failure(named[1], named[2])
    for kind, sign in _SIGNS.items():
        if sign.search(message):
            return Failure(kind, message)
    message = message or f"exit code {exit_code}, and no output"
    return Failure(DIVERGED if _has_diverged(traces.metrics) else ERROR, message)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have none
        return f"signal {number}"


def deadly_signal(exit_code: int) -> int | None:
    """Return the signal that an exit code tells of; none if it tells of none."""
    if exit_code < 0:
        return -exit_code
    return exit_code - _SHELL if exit_code - _SHELL in _DEADLY else None


def _message(words: str) -> str:
    """Return the line that says what went wrong: the last, or the end of the last traceback."""
    lines = [line.rstrip() for line in words.replace("\r", "\n").split("\n") if line.strip()]
    last = lines[-1].strip() if lines else ""
    if _TRACEBACK in words and not _EXCEPTION.match(last) and not _NAMED.fullmatch(last):
        start = max(at for at, line in enumerate(lines) if _TRACEBACK in line)
        after = (line for line in lines[start + 1 :] if not line[0].isspace())
        last = next((line for line in after if _EXCEPTION.match(line)), last)
    return printable(last)[:_LONGEST_MESSAGE]


def _has_diverged(metrics: Mapping[str, float | str]) -> bool:
    """Tell whether a loss is no number any more; JSON has only texts for that."""
    losses = (value for key, value in metrics.items() if "loss" in key.lower())
    return any(_is_no_number(loss) for loss in losses)


def _is_no_number(value: float | str) -> bool:
    try:
        return not math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False
