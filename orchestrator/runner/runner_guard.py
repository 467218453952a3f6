"""The guard of a runner, called keeper: the parent process of a runner, which finishes its attempt if it is killed.

A runner may be killed at any moment. Its program continues, and the keeper becomes its parent, which
holds the lock as well: it supervises the program to its end and records how it ended, so a program
that finished is not repeated because its runner was killed. While the runner lives, its keeper waits
and passes signals on. It costs one fork per runner.

Between two attempts, a runner is idle, and a stray signal must not end the next one: only what orch
itself sends is passed on then, as it may belong to an attempt that has just been requested.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import socket
import sys
import time
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn, cast

from orchestrator.runner import process_tree
from orchestrator.runner.incoming_signals import IncomingSignals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestrator.rundir.state import Status
    from orchestrator.runner.attempt_program import Ending, Program
    from orchestrator.runner.time_limits import Limits

_LONGEST: Final = 1 << 18  # bytes of a message, more than a socket takes
_BEGUN, _STARTED, _ENDED = b"b", b"s", b"e"  # how a message begins that says more than that
_OVER: Final = b"over"
_HEARD: Final = b"."
_DESCRIPTORS: Final = 2


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that a runner is about to start.

    ``status`` is that of a running attempt; ``kills`` counts the OOM kills before it; ``signs``
    change when the program reports its progress or its results. ``stop_after`` is the iteration after
    which it is to pause, ``last_pause`` where the attempt before did, and ``metrics`` what ``stat_of``
    says of ``metrics.jsonl``. ``began`` is when, on the monotonic clock, which all processes share.
    """

    run_dir: Path
    program: Program
    limits: Limits
    status: Status
    kills: int
    signs: tuple[object, ...]
    stop_after: int | None = None
    last_pause: tuple[int, int, int] | None = None
    metrics: tuple[int, ...] = ()
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long ago that was."""
        return round(time.monotonic() - self.began, 3)


@dataclass(slots=True)
class Kept:
    """An attempt as its keeper knows it, with descriptors of its lock and output.

    What was begun and how the program ended stay pickled: few keepers need to know, and reading it
    imports what a runner imports. ``pid`` is the program's once it is known; ``requests`` are the
    signals that were passed on to the runner for it.
    """

    said_begun: bytes
    lock: int
    output: int
    pid: int | None = None
    said_ending: bytes = b""
    requests: tuple[int, ...] = ()

    def begun(self) -> Begun:
        """Return what the runner was about to begin."""
        return cast("Begun", pickle.loads(self.said_begun))  # noqa: S301 # from our own child

    def ending(self) -> Ending | None:
        """Return how the program ended, as far as the runner had said that."""
        if not self.said_ending:
            return None
        return cast("Ending", pickle.loads(self.said_ending))  # noqa: S301 # as above

    def close(self) -> None:
        """Close the descriptors of the lock and the output."""
        os.close(self.lock)
        os.close(self.output)


class Keeper:
    """A runner's connection to its keeper; without one, or if that was killed, messages are dropped."""

    def __init__(self, line: socket.socket | None = None) -> None:
        self._line = line

    def begin(self, begun: Begun, lock: int, output: int) -> None:
        """Send what the keeper needs to finish an attempt, before its program is started."""
        self._send(_BEGUN + pickle.dumps(begun), lock, output)

    def started(self, pid: int) -> None:
        """Send the process ID of the program."""
        self._send(_STARTED + str(pid).encode())

    def ended(self, ending: Ending) -> None:
        """Send how the program ended, before it is reaped and its exit code lost."""
        self._send(_ENDED + pickle.dumps(ending))

    def release(self) -> None:
        """Report that the attempt is over; return once the keeper no longer holds the lock."""
        self._send(_OVER)
        if self._line:
            with contextlib.suppress(OSError):
                self._line.recv(len(_HEARD))

    def close(self) -> None:
        """Close the connection, in a fork of the runner."""
        if self._line:
            self._line.close()

    def _send(self, message: bytes, *descriptors: int) -> None:
        if self._line:
            with contextlib.suppress(OSError):  # the keeper was killed
                socket.send_fds(self._line, [message], descriptors)


def watch_over(
    be_runner: Callable[[Keeper], int], take_over: Callable[[Kept], int], orch: int | None = None
) -> int:
    """Fork a runner and return its exit code, or that of the attempt that it left.

    If no process can be forked, this one becomes the runner. Signals have to be blocked by the
    caller; those that arrive are passed on to the runner.

    Args:
        be_runner: Runs in the runner; returns its exit code.
        take_over: Finishes an attempt whose runner was killed; returns its exit code.
        orch: The process whose signals are passed on while the runner is idle; None if it never is.
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
        code, kept = _keep(runner, ours, orch)
    return code if kept is None else take_over(kept)


def pass_signal(keeper: int, end: int, number: int) -> None:
    """Send a runner a signal through its keeper, or to their process group if that was killed.

    Args:
        keeper: The keeper's process ID, and that of their process group.
        end: A descriptor that is readable once the keeper has ended; negative if unknown.
        number: The signal.
    """
    is_gone = end >= 0 and bool(select.select([end], [], [], 0)[0])
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        (os.killpg if is_gone else os.kill)(keeper, number)


def _leave(be_runner: Callable[[Keeper], int], keeper: Keeper) -> NoReturn:
    """Run the runner in this fork, and exit without returning to the code of the parent."""
    code = 70  # <sysexits.h>, an internal error
    try:
        code = be_runner(keeper)
    except BaseException:  # noqa: BLE001 # a process boundary: the traceback is printed as usual
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _keep(runner: int, line: socket.socket, orch: int | None) -> tuple[int, Kept | None]:
    """Wait for the runner's end; return its exit code, and the attempt that it left, if any."""
    requests: list[int] = []
    kept: Kept | None = None
    signals = IncomingSignals()
    end = os.pidfd_open(runner)
    poll = select.poll()
    for each in (line.fileno(), end, signals.fileno()):
        poll.register(each, select.POLLIN)
    buffer, is_over = bytearray(_LONGEST), False
    while True:
        ready = dict(poll.poll(0 if is_over else None))
        # Before a message: one that begins an attempt makes no stray signal a request for it. Once the
        # runner is gone, they are for the one that takes its attempt over.
        if signals.fileno() in ready and end not in ready:
            requests += _pass_on(signals, runner, None if kept else orch)
        if ready.get(line.fileno(), 0) & select.POLLIN:
            message, descriptors = _receive(line, buffer)
            if message:
                before, kept = kept, _hear(message, descriptors, kept, line)
                if before and not kept:  # they were for the attempt that is over
                    requests.clear()
            else:
                poll.unregister(line)
        elif is_over:
            break
        # Not yet the last round: what was sent before the end may have arrived after the look at it.
        is_over |= end in ready
    signals.close()
    os.close(end)
    _, status = os.waitpid(runner, 0)
    if kept:
        kept.requests = tuple(requests)
    return os.waitstatus_to_exitcode(status), kept


def _pass_on(signals: IncomingSignals, runner: int, orch: int | None) -> list[int]:
    """Pass on to the runner what has arrived; if ``orch`` is not None, only what that process sent.

    A process of the attempt has no business here: how the program ends is for the runner to judge.
    """
    passed = []
    for number, sender in signals.take():
        if orch in (None, sender) and sender not in process_tree.below(os.getpid()):
            passed.append(number)
            with contextlib.suppress(ProcessLookupError):
                os.kill(runner, number)
    return passed


def _receive(line: socket.socket, buffer: bytearray) -> tuple[bytes, list[int]]:
    """Return the next message and its descriptors; no bytes if the connection is closed.

    ``socket.recv_fds`` would have the kernel map and unmap the memory for each message.
    """
    descriptors = array("i")
    room = socket.CMSG_LEN(_DESCRIPTORS * descriptors.itemsize)
    length, sent, _, _ = line.recvmsg_into([buffer], room)
    for _, _, content in sent:
        descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return bytes(memoryview(buffer)[:length]), [*descriptors]


def _hear(
    message: bytes, descriptors: list[int], kept: Kept | None, line: socket.socket
) -> Kept | None:
    if message == _OVER:
        if kept:
            kept.close()
        with contextlib.suppress(OSError):
            line.send(_HEARD)
        return None
    kind, said = message[:1], message[1:]
    if kind == _BEGUN:
        lock, output = descriptors
        return Kept(said, lock, output)
    if kept and kind == _STARTED:
        kept.pid = int(said)
    elif kept:
        kept.said_ending = said
    return kept
