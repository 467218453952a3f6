"""The keeper: the process above a runner that outlives it, and ends what it has begun.

A runner may be killed at any moment. What it has begun goes on, and its parent is then the keeper,
which holds the lock as well: it watches over the program to its end and records that, so a program
that finished is not repeated because its runner was killed. While the runner lives, its keeper waits,
and passes signals on. A fork, made once for each runner, is all that it costs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from orchestrator.runner import process_tree
from orchestrator.runner.attempt_program import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from orchestrator.rundir.state import Status
    from orchestrator.runner.attempt_program import Program
    from orchestrator.runner.supervisor import Ending
    from orchestrator.runner.time_limits import Limits

_LONGEST: Final = 1 << 17  # bytes of a message
_OVER: Final = b"over"
_HEARD: Final = b"."
_DESCRIPTORS: Final = 2


@dataclass(frozen=True, slots=True)
class Begun:
    """What a runner is about to begin.

    ``status`` says that it runs; ``kills`` counts what the kernel had killed for memory before.
    """

    run_dir: Path
    program: Program
    limits: Limits
    status: Status
    kills: int


@dataclass(slots=True)
class Kept:
    """An attempt, as its keeper knows it, with descriptors of its lock and of its output.

    ``pid`` is the program's as soon as it is known, ``ending`` how it ended; ``requests`` are the
    signals that came for the runner.
    """

    begun: Begun
    lock: int
    output: int
    pid: int | None = None
    ending: Ending | None = None
    requests: tuple[int, ...] = ()

    def close(self) -> None:
        """Let go of the lock and the output."""
        os.close(self.lock)
        os.close(self.output)


class Keeper:
    """A runner's line to its keeper; without one, or where that was killed, nothing is said."""

    def __init__(self, line: socket.socket | None = None) -> None:
        self._line = line

    def begin(self, begun: Begun, lock: int, output: int) -> None:
        """Hand over what is needed to end an attempt: before its program can be started."""
        self._send(pickle.dumps(begun), lock, output)

    def started(self, pid: int) -> None:
        """Tell which process is the program."""
        self._send(pickle.dumps(pid))

    def ended(self, ending: Ending) -> None:
        """Tell how the program ended: before its parent collects it, or nobody could tell any more."""
        self._send(pickle.dumps(ending))

    def release(self) -> None:
        """Tell that the attempt is over; return when the keeper does not hold the lock any more."""
        self._send(_OVER)
        if self._line:
            with contextlib.suppress(OSError):
                self._line.recv(len(_HEARD))

    def close(self) -> None:
        """Leave the line to the runner, in what it forks."""
        if self._line:
            self._line.close()

    def _send(self, message: bytes, *descriptors: int) -> None:
        if self._line:
            with contextlib.suppress(OSError):  # it was killed: then nobody keeps us
                socket.send_fds(self._line, [message], descriptors)


def watch_over(be_runner: Callable[[Keeper], int], take_over: Callable[[Kept], int]) -> int:
    """Fork a runner and return its exit code, or what it left behind comes to.

    Where there is no room for two processes, this one is the runner. Signals have to be held back;
    those that come here are the runner's.

    Args:
        be_runner: What the runner does; returns its exit code.
        take_over: Ends an attempt whose runner died.
    """
    process_tree.adopt_orphans()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        runner = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        return be_runner(Keeper())
    if runner == 0:
        ours.close()
        _leave(be_runner, Keeper(theirs))
    theirs.close()
    with ours:
        code, kept = _keep(runner, ours)
    return code if kept is None else take_over(kept)


def pass_signal(keeper: int, end: int, number: int) -> None:
    """Send a runner a signal by way of its keeper, or where that was killed, to what is left of both.

    Args:
        keeper: The keeper's process ID, and that of the group of both.
        end: A descriptor that is readable when the keeper has ended; negative, if it is not known.
        number: The signal.
    """
    is_gone = end >= 0 and bool(select.select([end], [], [], 0)[0])
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        (os.killpg if is_gone else os.kill)(keeper, number)


def _leave(be_runner: Callable[[Keeper], int], keeper: Keeper) -> NoReturn:
    """Be the runner, and end; what this process was before it was forked is not returned to."""
    code = 70  # <sysexits.h>, an internal error
    try:
        code = be_runner(keeper)
    except BaseException:  # noqa: BLE001 # the end of a process: what is wrong is told as usual
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _keep(runner: int, line: socket.socket) -> tuple[int, Kept | None]:
    """Wait for the runner's end; return its exit code, and the attempt that it left, if it did."""
    requests: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        requests.append(number)  # it may be dead already, and nobody know
        with contextlib.suppress(ProcessLookupError):
            os.kill(runner, number)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    kept: Kept | None = None
    end = os.pidfd_open(runner)
    poll = select.poll()
    for each in (line.fileno(), end):
        poll.register(each, select.POLLIN)
    is_over = False
    while not is_over:
        # What it had still said is heard before its end is: the line is looked at last.
        is_over = end in dict(poll.poll())
        while dict(poll.poll(0)).get(line.fileno(), 0) & select.POLLIN:
            message, descriptors, _, _ = socket.recv_fds(line, _LONGEST, _DESCRIPTORS)
            if not message:
                poll.unregister(line)
                break
            kept = _hear(message, descriptors, kept, line)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.close(end)
    _, status = os.waitpid(runner, 0)
    if kept:
        kept.requests = tuple(requests)
    return os.waitstatus_to_exitcode(status), kept


def _hear(
    message: bytes, descriptors: list[int], kept: Kept | None, line: socket.socket
) -> Kept | None:
    if message == _OVER:
        if kept:
            kept.close()
        with contextlib.suppress(OSError):
            line.send(_HEARD)
        return None
    said = pickle.loads(message)  # noqa: S301 # from our own child
    if isinstance(said, Begun):
        lock, output = descriptors
        return Kept(said, lock, output)
    if kept and isinstance(said, int):
        kept.pid = said
    elif kept:
        kept.ending = said
    return kept
