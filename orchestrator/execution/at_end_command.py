"""``orch.at_end``: the command that is told at the end of ``orch run`` how it went."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING, Final

from orchestrator.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LONGEST: Final = 60.0  # seconds
_PAUSE: Final = 0.05
_SHOWN: Final = 300
_TAIL: Final = 4096
_MOST_OUTPUT: Final = 1 << 24  # bytes


def tell(
    command: Sequence[str],
    summary: bytes,
    give_up: Callable[[], bool],
    *,
    longest: float = _LONGEST,
    most_output: int = _MOST_OUTPUT,
) -> str:
    """Execute the command with the summary on its standard input; return why it failed, or nothing.

    It is killed with all its processes after ``longest`` seconds, or when ``give_up`` returns True.
    Its output is not a pipe, to which a program that it leaves behind could not write later; the file
    is emptied whenever it has more than ``most_output`` bytes, so it does not fill the disk.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as output:
        told.write(summary)
        told.seek(0)
        _append(output)
        try:
            process = subprocess.Popen(
                command,
                stdin=told,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for orch
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            return f"cannot start {command[0]!r}: {reason}"

        def gives_up() -> bool:
            if os.fstat(output.fileno()).st_size > most_output:
                os.ftruncate(output.fileno(), 0)
            return give_up()

        why = _wait(process, gives_up, time.monotonic() + longest)
        if why:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return why.format(seconds=f"{longest:g} s")
        if process.returncode == 0:
            return ""
        last = _last_line(output)
        return _describe(process.returncode) + (f": {last}" if last else "")


def _append(output: IO[bytes]) -> None:
    """Have a file written at its end, wherever that is after it was emptied."""
    flags = fcntl.fcntl(output, fcntl.F_GETFL)
    fcntl.fcntl(output, fcntl.F_SETFL, flags | os.O_APPEND)


def _wait(process: subprocess.Popen[bytes], give_up: Callable[[], bool], until: float) -> str:
    """Wait for a process; return why it has to be killed, or nothing once it has ended."""
    while process.poll() is None:
        if give_up():
            return "it was interrupted"
        if time.monotonic() > until:
            return "it took longer than {seconds}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PAUSE)
    return ""


def _describe(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"killed by signal {-exit_code}"


def _last_line(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _TAIL))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return printable(lines[-1])[:_SHOWN] if lines else ""
