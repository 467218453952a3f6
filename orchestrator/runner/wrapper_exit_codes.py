"""The reports of wrappers on the process that they started: its exit code, or the signal that ended it."""

from __future__ import annotations

import re
from signal import Signals
from typing import TYPE_CHECKING, Final

from orchestrator.runner.other_languages import signal_described

if TYPE_CHECKING:
    from collections.abc import Sequence

# The last line of Lightning, DeepSpeed, time and cargo.
_CODE = re.compile(
    r"Child process with PID \d+ terminated with code (-?\d+)|exits with return code = (-?\d+)$"
    r"|^Command exited with non-zero status (\d+)$"
    r"|^error: process didn't exit successfully: `.*` \(exit status: (\d+)\)$"
)
# The last line of xargs, time and cargo.
_SIGNAL = re.compile(
    r": terminated by signal (\d+)$|^Command terminated by signal (\d+)$"
    r"|^error: process didn't exit successfully: `.*` \(signal: (\d+)\b"
)
# It ends with the status that it waited for: a signal, or 128 more with a core dump.
_BY_SETSID = re.compile(r"setsid: child \d+ did not exit normally")
# make exits with 2; it says nothing of a signal in another language.
_BY_MAKE = re.compile(
    r"make(?:\[\d+\])?: \*\*\* \[.*\] (?:Error (\d+)|(.*?)(?: \(core dumped\))?)$"
)
_BY_CONDA = re.compile(r"ERROR conda\.cli")
_LEAST_NEGATIVE: Final = 256 - 65  # as which an exit code stands for a signal: sys.exit(-9) is 247
_BY_SRUN = re.compile(r"srun: error: \S+: tasks? [\d,-]+: (.*?)(?: \(core dumped\))?$")
_STATUS = re.compile(r"non-zero exit status (\d+)\.")
_DIED_WITH = re.compile(r"died with <Signals\.\w+: (\d+)>")
_SPAWNED = re.compile(r"process \d+ terminated with signal (\w+)")
_GOT = re.compile(r"Process \d+ got signal: (\d+)")
_WORKER = re.compile(r"is killed by signal: ([A-Z][\w ]*)")
_WORKERS = re.compile(r"^The exit codes of the workers are \{.*?\(-(\d+)\)", re.MULTILINE)
# The last line of just, cargo and DVC.
_EXIT_CODE = re.compile(
    r"\bexit(?:ed|ing)?\b.*?\b(?:code|status|with)\b:? *\d+|\breturned \d+\b", re.IGNORECASE
)
_BY_NAME = {"SIGTERMException": Signals.SIGTERM, "KeyboardInterrupt": Signals.SIGINT}


def code_of_child(line: str, exit_code: int) -> int | None:
    """Return the exit code in a wrapper's last line, negative for a signal; None if there is none.

    ``exit_code`` is the wrapper's own.
    """
    if _BY_SETSID.match(line):
        return -(exit_code % 128) or None
    if _BY_CONDA.match(line):
        return exit_code - 256 if exit_code > _LEAST_NEGATIVE else None
    if by_make := _BY_MAKE.match(line):
        return int(by_make[1]) if by_make[1] else _negative(signal_described(by_make[2]))
    if by_srun := _BY_SRUN.match(line):
        return _negative(signal_described(by_srun[1]))
    if found := _SIGNAL.search(line):
        return -int(next(filter(None, found.groups())))
    found = _CODE.search(line)
    return int(next(filter(None, found.groups()))) if found else None


def _negative(number: Signals | None) -> int | None:
    return None if number is None else -number


def tells_exit_code(line: str) -> bool:
    """Return whether a line is about the exit code of a process, which says why only if nothing else does."""
    return _EXIT_CODE.search(line) is not None


def code_of_subprocess(error: str) -> int | None:
    """Return the exit code in a ``CalledProcessError``, negative for a signal; None if it is another."""
    if found := _DIED_WITH.search(error):
        return -int(found[1])
    return int(found[1]) if (found := _STATUS.search(error)) else None


def signal_reported(error: str, after: Sequence[str]) -> int | None:
    """Return the signal that an exception reports, of the process itself or of a child.

    ``after`` are the lines that follow it.
    """
    if found := _GOT.search(error):
        return int(found[1])
    if (name := error.partition(":")[0].rpartition(".")[2]) in _BY_NAME:
        return _BY_NAME[name]
    if found := _WORKER.search(error):
        return signal_described(found[1].strip())
    if (found := _SPAWNED.search(error)) and found[1] in Signals.__members__:
        return Signals[found[1]]
    return int(found[1]) if (found := _WORKERS.search("\n".join(after))) else None
