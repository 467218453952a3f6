"""``orch.at_end``: the command that is told at the end of ``orch run`` how it went."""

from __future__ import annotations

import contextlib
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


def tell(
    command: Sequence[str],
    summary: bytes,
    give_up: Callable[[], bool],
    *,
    longest: float = _LONGEST,
) -> str:
    """Execute the command with the summary on its standard input; return why it failed, or nothing.

    It is killed with all its processes after ``longest`` seconds, or when ``give_up`` returns True.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as output:
        told.write(summary)
        told.seek(0)
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
        why = _wait(process, give_up, time.monotonic() + longest)
        if why:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return why.format(seconds=f"{longest:g} s")
        if process.returncode == 0:
            return ""
        last = _last_line(output)
        return f"exit code {process.returncode}" + (f": {last}" if last else "")


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


def _last_line(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _TAIL))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return printable(lines[-1])[:_SHOWN] if lines else ""
