"""The errors of programs in other languages than Python: above their stack, or told before an abort."""

from __future__ import annotations

import re
from signal import Signals
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEAR: Final = 4  # lines between a message and its stack
_MESSAGE = re.compile(
    r"(?:panic: |fatal error: |ERROR: |Error in |(?:Exception in thread \"[^\"]*\" |Uncaught )?"
    r"[A-Za-z_][\w.]*(?:Error|Exception)\b.*?: |Error: )\S"
)
# Go, Julia, Rust; Java and Node; R
_STACK = re.compile(
    r"goroutine \d+ \[|Stacktrace:$|stack backtrace:$|\s+at \S.*[(:].*\d+\)?$|Calls: |Execution halted$"
)
_PANIC = re.compile(r"thread '.*' panicked at .*:$")  # Rust; the message follows
_ABORTS = re.compile(
    r"^\s*what\(\): +(.*)"  # C++, for an uncaught exception
    r"|^Fatal Python error: (?!Aborted)(.*)"
    r"|^(.*: Assertion .* failed\.)$"
    r"|^((?:free|malloc\w*|realloc|munmap_chunk|_int_\w+)\(\): .*|(?:double free|corrupted) .*)"
    r"|^(\*\*\* .* \*\*\*.*)$"
    r"|^(terminate called without an active exception)"
    r"|^LLVM ERROR: (.*)"
    r"|^FATAL ERROR: (.*)"  # Node
    r"|.*\] (Check failed: .*)",
    re.MULTILINE,
)
_BY_MANAGER = re.compile(r"^(?:slurmstepd: error: |=>> PBS: ).*", re.MULTILINE)
_BY_SHELL = re.compile(
    r"(?:.*: (?:line )?\d+:\s+(?:\d+ )?)?([A-Z]\w+(?:[ /]\w+){0,3})(?: \(core dumped\))?(?:\s{2,}\S.*)?"
)
# As the C library describes them.
_DESCRIPTIONS: Final[Mapping[str, Signals]] = {
    "Killed": Signals.SIGKILL,
    "Segmentation fault": Signals.SIGSEGV,
    "Aborted": Signals.SIGABRT,
    "Bus error": Signals.SIGBUS,
    "Terminated": Signals.SIGTERM,
    "Floating point exception": Signals.SIGFPE,
    "Illegal instruction": Signals.SIGILL,
    "Hangup": Signals.SIGHUP,
    "Quit": Signals.SIGQUIT,
    "Alarm clock": Signals.SIGALRM,
    "Broken pipe": Signals.SIGPIPE,
    "Bad system call": Signals.SIGSYS,
    "Trace/breakpoint trap": Signals.SIGTRAP,
    "CPU time limit exceeded": Signals.SIGXCPU,
    "File size limit exceeded": Signals.SIGXFSZ,
}


def message_above_stack(said: Sequence[str]) -> str | None:
    """Return the last message that is printed above its stack, as in Go, Julia, Java, Node and R."""
    for at in reversed(range(len(said) - 1)):
        following = said[at + 1 : at + 1 + _NEAR]
        if not any(map(_STACK.match, following)):
            continue
        if _MESSAGE.match(said[at]):
            goes_on = said[at].endswith(":") and not _STACK.match(following[0])
            return f"{said[at].strip()} {following[0].strip()}" if goes_on else said[at].strip()
        if at and _PANIC.match(said[at - 1]):
            return said[at].strip()
    return None


def message_of_abort(output: str) -> str:
    """Return what a program printed last before it aborted itself; an empty string if nothing."""
    found = [next(filter(None, groups), "") for groups in _ABORTS.findall(output)]
    return found[-1].strip() if found else ""


def message_of_manager(output: str) -> str:
    """Return what Slurm or PBS printed last about the end of a program; an empty string if nothing."""
    found = _BY_MANAGER.findall(output)
    return str(found[-1]) if found else ""


def signal_described(text: str) -> Signals | None:
    """Return the signal whose description by the C library is the text, or a shell's line."""
    told = _BY_SHELL.fullmatch(text)
    return _DESCRIPTIONS.get(told[1]) if told else None
