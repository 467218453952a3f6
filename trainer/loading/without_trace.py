"""Owns finding something out in a fork of this process, which is left as it was."""

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

from trainer.run_files import say

if TYPE_CHECKING:
    from collections.abc import Callable

    Found = dict[str, Any]

PATIENCE: Final = 30.0  # seconds
OPEN_FILES: Final = "/proc/self/fd"
END: Final = b"\n"


def found_without_trace(look: Callable[[], Found], patience: float = PATIENCE) -> Found:
    """Call a function in a fork of this process, and return what it found, if it found anything.

    What it changes in memory is gone, and open files are where they were. It may end without a word,
    or wait for a thread that a fork does not have: then nothing is found.

    Args:
        look: Returns what JSON can hold.
        patience: Seconds after which it is given up, and said so.
    """
    reading, writing = os.pipe()
    try:
        pid = _fork()
    except OSError:  # there is not enough memory for another process like this one
        os.close(reading)
        os.close(writing)
        return {}
    if pid == 0:
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
            f"note: making samples to see whether they can be made again took longer than {patience:g} s"
            " in a forked process: not checked"
        )
    found: Found = json.loads(content or b"{}")
    return found


def _fork() -> int:
    with warnings.catch_warnings():
        # Of forking beside threads, as loaders do.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _look_and_end(look: Callable[[], Found], writing: int) -> None:
    """Write what is found into a pipe, and end this process and those that it started."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        _have_own_places()
        torch.set_num_threads(1)  # a pool of threads does not survive a fork
        content = json.dumps(look()).encode() + END
        # Before the other side has what it waits for, and ends this process.
        _kill_children("self")
        os.write(writing, content)
    finally:
        _kill_children("self")
        os._exit(0)


def _kill_children(process: int | str) -> None:
    """Kill what a process has started, as a pool of processes that makes samples."""
    with suppress(OSError):
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            for pid in path.read_text().split():
                os.kill(int(pid), signal.SIGKILL)


def _read(descriptor: int, patience: float) -> bytes | None:
    """Return what is written, up to its end or that of the writer; `None` if neither comes.

    The end of the pipe is not waited for: what the writer started may have it open.
    """
    content, until = b"", monotonic() + patience
    while not content.endswith(END):
        if not select.select([descriptor], [], [], max(0, until - monotonic()))[0]:
            return None
        if not (more := os.read(descriptor, 2**16)):
            return b""
        content += more
    return content


def _have_own_places() -> None:
    """Open anew, at the same place, each file that is open: a fork shares the place with its parent."""
    with suppress(OSError):
        for name in os.listdir(OPEN_FILES):  # noqa: PTH208 - names are all there is to it
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
