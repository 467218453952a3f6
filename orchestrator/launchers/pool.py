"""The pool of forked runners: each carries out one attempt after the other.

Each run is a fork below its runner. A runner executes only code of this package, so its modules and
copied pages serve all of its attempts. An idle runner has forked the next program already.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import select
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from orchestrator.launchers.forkserver_handle import end_if_stopped
from orchestrator.launchers.learned_imports import LearnedImports
from orchestrator.runner import forked_runner
from orchestrator.runner.new_imports import NOTHING_NEW
from orchestrator.runner.runner_guard import pass_signal

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from orchestrator.launchers.forkserver_handle import ForkServer

_TRIES: Final = 6
_PAUSE: Final = 0.05  # seconds; a server that was just killed may still be about to end
_SLICE: Final = 0.2


class ForkServerDiedError(OSError):
    """The fork server died before it forked; the next fork restarts it."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "the fork server died")


class ForkedRunner:
    """A handle on a forked runner, in the process that sends it requests.

    ``is_reusable`` tells whether it can take another request: no error occurred, and no signal is
    pending. ``found`` is what the last program imported, and ``loads`` how often the server had loaded
    what programs import.

    Raises:
        ForkServerDiedError: The fork server died before it forked.
        OSError: No process could be started, or the user asked to stop before it was.
    """

    def __init__(self, server: ForkServer) -> None:
        self._end = -1
        context = multiprocessing.get_context("forkserver")
        self._line, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(
            target=forked_runner.be_runner, args=(theirs, os.getpid())
        )
        self.is_reusable = True
        self.found = NOTHING_NEW
        self.loads = server.loads
        try:
            server.fork(self._process, theirs)
        except (EOFError, ConnectionError):
            self.release()
            raise ForkServerDiedError from None
        except BaseException:
            self.release()
            raise
        with contextlib.suppress(OSError):  # it has ended already
            self._end = os.pidfd_open(int(self._process.pid or 0))

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the runner answers or ends."""
        return self._line.fileno()

    def order(self, order: forked_runner.AttemptRequest) -> None:
        """Send it a request to carry out an attempt.

        Raises:
            ConnectionError: It no longer exists.
        """
        self._line.send(order)

    def answer(self) -> str:
        """Return its error after an attempt; an empty string if there is none, or it was killed."""
        try:
            answer: forked_runner.RunnerAnswer = self._line.recv()
            complaint, self.found = answer.complaint, answer.found
        except (EOFError, ConnectionError):
            self.is_reusable, complaint = False, ""
        self.is_reusable &= not complaint
        return complaint

    def send(self, number: int) -> None:
        """Send it a signal through its keeper."""
        self.is_reusable = False
        pass_signal(int(self._process.pid or 0), self._end, number)

    def kill(self) -> None:
        """Kill its process group: the runner and its keeper."""
        self.is_reusable = False
        pid = int(self._process.pid or 0)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # just forked, it has no group yet, and nothing below it
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        """Close the connection to it; it ends after its present attempt."""
        self._line.close()

    def is_gone(self) -> bool:
        """Return whether it has ended, and reap it."""
        if self._process.is_alive():
            return False
        self._close_end()
        return True

    def join(self) -> None:
        """Wait for its end, also if the fork server is not there to report it."""
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
    """The idle runners, the longest idle one first."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._learned = LearnedImports(server)
        self._idle: deque[ForkedRunner] = deque()
        self._leaving: list[ForkedRunner] = []

    def give(self, order: forked_runner.AttemptRequest) -> ForkedRunner:
        """Send a request to an idle runner, or to a new one, and return the runner.

        Raises:
            OSError: No process could be started.
        """
        for _ in range(_TRIES):
            try:
                runner = self._idle.popleft() if self._idle else ForkedRunner(self._server)
            except ForkServerDiedError:  # by chance: it has loaded all before
                time.sleep(_PAUSE)
                continue
            try:
                runner.order(order)
            except ConnectionError:  # it was killed
                self._let_go(runner)
            else:
                return runner
        raise OSError(errno.EAGAIN, f"{_TRIES} runners in a row died before they took the request")

    def take_back(self, runner: ForkedRunner) -> None:
        """Keep a runner whose attempt is over for the next request, if it is reusable."""
        self._learned.note(runner.found)
        if runner.is_reusable and runner.loads == self._server.loads:
            self._idle.append(runner)
        else:
            self._let_go(runner)

    def keep_one_ready(self) -> None:
        """Keep exactly one runner idle; replace it once the server has loaded more.

        Raises:
            OSError: No process could be started.
        """
        self._learned.tend()
        while len(self._idle) > 1 or (self._idle and self._idle[0].loads != self._server.loads):
            self._let_go(self._idle.pop())
        if not self._idle:
            self._idle.append(ForkedRunner(self._server))

    def close(self) -> None:
        """Release all runners, and wait for their end."""
        self._learned.close()
        while self._idle:
            self._let_go(self._idle.pop())
        for runner in self._leaving:
            runner.join()

    def _let_go(self, runner: ForkedRunner) -> None:
        runner.release()
        self._leaving = [each for each in self._leaving if not each.is_gone()]
        self._leaving.append(runner)
