"""Learned imports: what the first runs import is loaded in the process that forks the next ones.

It guesses nothing about versions of libraries: the names come from programs that have ended, and a trial
in a fork decides which of them may be loaded. Runs go on meanwhile.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Final

from orchestrator.runner import import_trial
from orchestrator.runner.import_trial import Judged
from orchestrator.runner.new_imports import NewImports

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from orchestrator.launchers.forkserver_handle import ForkServer

_TRIALS: Final = 3  # per orch run
# Fewer modules are not worth a trial, and what takes less per run is not worth new runners.
_FEW: Final = 20
_WORTH_IT: Final = 0.02  # seconds


class LearnedImports:
    """Collects what programs import, has it tried, and has it loaded by the fork server."""

    def __init__(self, server: ForkServer, *, few: int = _FEW) -> None:
        self._server = server
        self._few = few
        self._new: NewImports | None = None
        self._seen: set[str] = set()
        self._trials = 0
        self._trial: ForkServerProcess | None = None
        self._receiver: Connection | None = None

    def note(self, found: NewImports) -> None:
        """Take what a program imported; what was tried before does not count."""
        names = tuple(name for name in found.names if name not in self._seen)
        if len(names) >= self._few and self._new is None:
            self._new = NewImports(names, found.environment)

    def tend(self) -> None:
        """Take the next step, if the last one is done: the trial, the loading.

        Raises:
            OSError: No process could be started.
        """
        if self._receiver is not None:
            self._hear(self._receiver)
        elif not self._server.is_loading() and self._new and self._trials < _TRIALS:
            self._try(self._new)

    def close(self) -> None:
        """End the trial, if there is one."""
        if self._receiver is not None:
            self._receiver.close()
            self._receiver = None
        if self._trial is not None:
            pid = int(self._trial.pid or 0)
            for kill in (os.killpg, os.kill):  # just forked, it has no group yet
                with contextlib.suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
            self._trial = None

    def _try(self, found: NewImports) -> None:
        self._trials += 1
        self._seen |= {*found.names}
        self._new = None
        context = multiprocessing.get_context("forkserver")
        receiver, sender = context.Pipe(duplex=False)
        trial = context.Process(target=import_trial.try_in_fork, args=(sender, found), daemon=True)
        try:
            self._server.fork(trial, sender)
        except BaseException as error:
            receiver.close()
            if isinstance(
                error, EOFError | ConnectionError
            ):  # the server died; the next fork restarts it
                return
            raise
        self._trial, self._receiver = trial, receiver

    def _hear(self, receiver: Connection) -> None:
        if not receiver.poll():
            return
        judged = Judged()
        with receiver, contextlib.suppress(EOFError, ConnectionError):  # it was killed
            judged = receiver.recv()
        self._receiver = self._trial = None
        if judged.seconds >= _WORTH_IT:
            self._server.load(judged.harmless)
