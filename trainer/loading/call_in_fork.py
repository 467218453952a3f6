"""Calls a function in a fork without a trace: the state of this process is unchanged."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import stat
import warnings
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import torch

from trainer.loading.orphans import end_with
from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Callable

    Found = dict[str, Any]

PATIENCE: Final = 30.0  # seconds
OPEN_FILES: Final = "/proc/self/fd"
END: Final = b"\n"


def found_without_trace(
    look: Callable[[], Found], patience: float = PATIENCE, what: str = "samples"
) -> Found:
    """Call a function in a fork of this process, and return its findings, if any.

    Its changes of memory and file positions are lost. It may crash, or wait for a thread that a fork
    does not have: then the findings are empty.

    Args:
        look: Returns findings that JSON can represent.
        patience: The timeout in seconds, after which a note is printed.
        what: What is looked at, for the note.
    """
    reading, writing = os.pipe()
    trainer = os.getpid()
    try:
        pid = _fork()
    except OSError:  # out of memory
        os.close(reading)
        os.close(writing)
        return {}
    if pid == 0:
        end_with(trainer)
        _look_and_end(look, writing)
    os.close(writing)
    try:
        content = _read(reading, patience)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            _kill_children(pid)
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if content is None:
        say(
            f"note: the {what} were not checked: making them in a forked process took longer than"
            f" {patience:g} s"
        )
    found: Found = json.loads(content or b"{}")
    return found


def _fork() -> int:
    with warnings.catch_warnings():
        # About forking beside threads, as loaders do.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _look_and_end(look: Callable[[], Found], writing: int) -> None:
    """Write the findings to a pipe, and end this process and its children."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        _reopen_files()
        torch.set_num_threads(1)  # a pool of threads does not survive a fork
        content = json.dumps(look()).encode() + END
        # Before the parent has the findings, and kills this process.
        _kill_children("self")
        os.write(writing, content)
    finally:
        _kill_children("self")
        os._exit(0)


def _kill_children(process: int | str) -> None:
    """Kill the children of a process, for example a pool that makes samples."""
    with suppress(OSError):
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            for pid in path.read_text().split():
                os.kill(int(pid), signal.SIGKILL)


def _read(descriptor: int, patience: float) -> bytes | None:
    """Return the content up to the end marker; empty if the writer ended, `None` after the timeout.

    The end of the pipe does not count, because children of the writer may have it open.
    """
    content, until = b"", monotonic() + patience
    while not content.endswith(END):
        if not select.select([descriptor], [], [], max(0, until - monotonic()))[0]:
            return None
        if not (more := os.read(descriptor, 2**16)):
            return b""
        content += more
    return content


def _reopen_files() -> None:
    """Reopen each open file at its position: a fork shares the positions with its parent."""
    with suppress(OSError):
        for name in os.listdir(OPEN_FILES):  # noqa: PTH208 - only names
            with suppress(OSError):
                _open_again(int(name))


def _open_again(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return
    mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_APPEND)
    own = os.open(f"{OPEN_FILES}/{descriptor}", mode)
    os.lseek(own, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
    os.dup2(own, descriptor, inheritable=os.get_inheritable(descriptor))
    os.close(own)
