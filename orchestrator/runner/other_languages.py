"""The errors of programs in other languages than Python: above their stack, or told before an abort."""

from __future__ import annotations

import re
from signal import Signals
from typing import TYPE_CHECKING, Final

from orchestrator.runner.continued_output import has_continued

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEAR: Final = 4  # lines between a message and its stack
_LONGEST: Final = 300  # characters of a line of a stack
_MESSAGE = re.compile(
    r"(?:panic: |fatal error: |ERROR: |Error in |Unhandled exception\. |(?:Exception in thread \"[^\"]*\" |Uncaught )?"
    r"[A-Za-z_][\w.]*(?:Error|Exception)\b.*?: |Error: |(?:PHP )?Fatal error: +|Fortran runtime error: "
    r"|\S+:\d+:in [`'].*': |Timeout \()\S"
)
# Go, Julia, Rust; Java, .NET and Node; R; Ruby; PHP; Fortran; a dump of Python's faulthandler
_STACK = re.compile(
    r"goroutine \d+ \[|Stacktrace:$|stack backtrace:$|\s+at \S.*[(:].*\d+\)?$|\s+at [\w.$<>/]+\(.*\)$|Calls: "
    r"|Execution halted$|\s+from \S+:\d+:in |Stack trace:$|Error termination\. Backtrace:"
    r"|(?:Current thread|Thread) 0x\w+ .*\(most recent call first\):"
)
# Lua, Haskell, OCaml, Elixir, Tcl, Octave, Perl: the message is the line above
_ONLY_STACK = re.compile(
    r"stack traceback:$|CallStack \(from HasCallStack\):$|(?:Raised|Called|Re-raised) (?:at|from|by) \S.*, characters \d"
    r"|\s+(?:\(\w+ [\d.]+\) )?\S+\.exs?:\d+: |\s+while executing$|error: called from$"
    r"|\s+\S+\(.*\) called at \S+ line \d+\.?$"
)
_PANIC = re.compile(r"thread '.*'(?: \(\d+\))? panicked at .*:$")  # Rust; the message follows
_OF_THREAD: Final = "called `Result::unwrap()` on an `Err` value: Any { .. }"  # which has panicked
_CARET = re.compile(r"[\s|]*\^[~^-]*(?: error here)?$")
_QUOTED = re.compile(r"\s|\d+ +\|")
_ABORTS = re.compile(
    r"^[ \t]*what\(\): +(.*)"  # C++, for an uncaught exception
    r"|^Fatal Python error: (?!Aborted)(.*)"
    r"|^(.*: Assertion .* failed\.)$"
    r"|^((?:free|malloc\w*|realloc|munmap_chunk|_int_\w+)\(\): .*|(?:double free|corrupted) .*)"
    r"|^(\*\*\* .* \*\*\*.*)$"
    r"|^(terminate called (?:without an active exception|after throwing an instance of '.*'))"
    r"|^LLVM ERROR: (.*)"
    r"|^FATAL ERROR: (.*)"  # Node
    r"|^Unhandled exception\. (.*)"  # .NET
    r"|^(memory allocation of \d+ bytes failed)"  # Rust
    r"|^.*\] (Check failed: .*)"
    r"|^(?:\[rank\d+\]:)?\[F\d{4} [^\]]*\] (?:\[[^\]]*\] )*(.*)",  # PyTorch
    re.MULTILINE,
)
_SANITIZER = re.compile(r"SUMMARY: (\w+Sanitizer: .*)")
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


def message_above_stack(said: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """Return the message that is printed above its stack, and the lines below it.

    It is the last one, if the program has not continued.
    """
    for at in reversed(range(len(said) - 1)):
        if message := _message_at(said, at):
            below = said[at + 1 :]
            return None if has_continued([], below) else (message, below)
    return None


def _message_at(said: Sequence[str], at: int) -> str | None:
    """Return the message in a line, if a stack is below it."""
    following = [line[:_LONGEST] for line in said[at + 1 : at + 1 + _NEAR]]
    if _ONLY_STACK.match(following[0]) and not _ONLY_STACK.match(said[at]):
        return said[at].strip()
    if not any(map(_STACK.match, following)):
        return None
    if _MESSAGE.match(said[at]):
        goes_on = said[at].endswith(":") and not _STACK.match(following[0])
        return f"{said[at].strip()} {following[0].strip()}" if goes_on else said[at].strip()
    is_of_panic = at and _PANIC.match(said[at - 1]) and said[at] != _OF_THREAD
    return said[at].strip() if is_of_panic else None


def message_above_caret(said: Sequence[str]) -> str | None:
    """Return the error of a compiler or parser that ends by pointing at a place in a text."""
    if not said or not _CARET.match(said[-1]):
        return None
    return next((it.strip() for it in reversed(said[:-2]) if not _QUOTED.match(it)), None)


def message_of_sanitizer(said: Sequence[str]) -> str | None:
    """Return the summary of a sanitizer of C and C++, behind which it prints the memory."""
    for at in reversed(range(len(said))):
        if found := _SANITIZER.match(said[at]):
            return None if has_continued([], said[at:]) else found[1]
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
