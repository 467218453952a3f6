"""The pool of forked runners: each carries out one attempt after the other, and is told of each.

A run is a fork of its own, below its runner; the runner is our own code, and what it has loaded and
copied once serves all of its attempts. One that waits has forked the next program already.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import select
import signal
from collections import deque
from typing import TYPE_CHECKING, Final

from orchestrator.launchers.forkserver_handle import end_if_stopped
from orchestrator.runner import forked_runner
from orchestrator.runner.lock_keeper import pass_signal

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from orchestrator.launchers.forkserver_handle import ForkServer

_TRIES: Final = 6
_SLICE: Final = 0.2


class ForkedRunner:
    """A runner that was forked, seen from the process that gives it orders.

    ``is_reusable`` tells whether it can be given another order: nothing went wrong, and no signal is
    on its way.

    Raises:
        OSError: No process could be started, or the user asked to stop before it was.
    """

    def __init__(self, server: ForkServer) -> None:
        self._end = -1
        context = multiprocessing.get_context("forkserver")
        self._line, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(
            target=forked_runner.be_runner, args=(theirs,)
        )
        self.is_reusable = True
        with theirs:
            try:
                server.fork(self._process)
            except (EOFError, ConnectionError):  # it died; the next start makes another
                self.release()
                raise OSError(errno.EAGAIN, "the process that forks runners died") from None
            except BaseException:
                self.release()
                raise
        with contextlib.suppress(OSError):  # it is gone already
            self._end = os.pidfd_open(int(self._process.pid or 0))

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when it has something to say, or is gone."""
        return self._line.fileno()

    def order(self, order: forked_runner.AttemptRequest) -> None:
        """Tell it what to do.

        Raises:
            ConnectionError: It is not there any more.
        """
        self._line.send(order)

    def answer(self) -> str:
        """Return what it complains of after an attempt, an empty text also if it was killed."""
        try:
            complaint = str(self._line.recv())
        except (EOFError, ConnectionError):
            self.is_reusable, complaint = False, ""
        self.is_reusable &= not complaint
        return complaint

    def send(self, number: int) -> None:
        """Send it a signal, by way of its keeper."""
        self.is_reusable = False
        pass_signal(int(self._process.pid or 0), self._end, number)

    def kill(self) -> None:
        """Kill it and its keeper, which are a group of their own."""
        self.is_reusable = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(self._process.pid or 0), signal.SIGKILL)

    def release(self) -> None:
        """Have nothing to do with it any more; it ends when it has nothing to do."""
        self._line.close()

    def is_gone(self) -> bool:
        """Tell whether it has ended, and collect it."""
        if self._process.is_alive():
            return False
        self._close_end()
        return True

    def join(self) -> None:
        """Wait for its end, also where the process that forks cannot tell of it."""
        if self._end >= 0:
            select.select([self._end], [], [])
            self._close_end()
        while self._process.is_alive():
            end_if_stopped()
            self._process.join(_SLICE)

    def _close_end(self) -> None:
        if self._end >= 0:
            os.close(self._end)
            self._end = -1


class Pool:
    """The runners that wait for an order, those that wait longest first."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._idle: deque[ForkedRunner] = deque()
        self._leaving: list[ForkedRunner] = []

    def give(self, order: forked_runner.AttemptRequest) -> ForkedRunner:
        """Give an order to a runner, and return the runner.

        Raises:
            OSError: No process could be started.
        """
        for _ in range(_TRIES):
            runner = self._idle.popleft() if self._idle else ForkedRunner(self._server)
            try:
                runner.order(order)
            except ConnectionError:  # somebody has killed it
                self._let_go(runner)
            else:
                return runner
        raise OSError(errno.EAGAIN, "runners die as soon as they are forked")

    def take_back(self, runner: ForkedRunner) -> None:
        """Take a runner whose attempt is over."""
        if runner.is_reusable:
            self._idle.append(runner)
        else:
            self._let_go(runner)

    def keep_one_ready(self) -> None:
        """Have one runner wait, and no more than that.

        Raises:
            OSError: No process could be started.
        """
        while len(self._idle) > 1:
            self._let_go(self._idle.pop())
        if not self._idle:
            self._idle.append(ForkedRunner(self._server))

    def close(self) -> None:
        """Let go of all, and wait for their end."""
        while self._idle:
            self._let_go(self._idle.pop())
        for runner in self._leaving:
            runner.join()

    def _let_go(self, runner: ForkedRunner) -> None:
        runner.release()
        self._leaving = [each for each in self._leaving if not each.is_gone()]
        self._leaving.append(runner)
