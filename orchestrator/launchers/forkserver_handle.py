"""A handle on the fork server: starts it, has it fork runners, and ends it.

It is a ``multiprocessing`` forkserver. Three of its defaults are replaced: it searches the current
folder before the standard library, its socket lies below ``TMPDIR`` however long that path is, and
waiting for it has no timeout.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import tempfile
import threading
import time
from math import inf
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.runner import forkserver_preload, process_tree
from orchestrator.runner.attempt_program import HASH_SEED, hash_seed, signals_blocked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from orchestrator.execution.stop_requests import StopRequests

_LONGEST_SOCKET: Final = 107  # bytes, unix(7)
_BELOW: Final = len("/pymp-12345678/listener-12345678")
_SHORT_FOLDERS: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 # only a private folder in it is used
_SAFE_PATH: Final = "PYTHONSAFEPATH"
_SLICE: Final = 50  # ms
# A fork that the user did not wait for may still be under way: what it has set in the environment
# must not be taken by the next fork for what was there before.
_ONE_FORK: Final = threading.Lock()


class ForkServer:
    """Forks processes from a server that has loaded modules; a fork starts the server if it is not there.

    Args:
        modules: The modules that are loaded in the server, in order.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = tuple(modules)
        self._to_load: Path | None = None
        self.loads = 0  # how often it has loaded what programs import
        self._patience = 0.0
        self._stop: StopRequests | None = None
        forkserver.set_forkserver_preload([forkserver_preload.__name__])

    def heed(self, stop: StopRequests, *, patience: float) -> None:
        """Wait at most ``patience`` seconds for later forks once the user has asked to stop."""
        self._stop = stop
        self._patience = patience

    def fork(self, process: ForkServerProcess, theirs: Connection) -> None:
        """Fork a process; return once it is started.

        Args:
            process: The process.
            theirs: Its end of a connection, which is closed here when nothing sends it any more: a fork that
                the user did not wait for would send another file by its number.

        Raises:
            InterruptedError: The user asked to stop before it was started.
            EOFError: The fork server died before it was started.
            OSError: No process could be started.
            UsageError: There is no folder for the server's socket.
        """
        given_up, problems = threading.Event(), list[BaseException]()
        with contextlib.ExitStack() as unless_begun:
            unless_begun.callback(theirs.close)
            _make_socket_folder()
            told, telling = os.pipe2(os.O_CLOEXEC)
            # On a thread: a server that was stopped (SIGSTOP), or loads for minutes, must not keep the
            # user from stopping orch.
            arguments = (process, theirs, telling, given_up, problems)
            thread = threading.Thread(target=self._start, args=arguments, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no thread could be started
                os.close(telling)
                os.close(told)
                raise OSError(errno.EAGAIN, str(error)) from None
            unless_begun.pop_all()
        try:
            self._wait(told)
        except InterruptedError:
            given_up.set()
            raise
        finally:
            os.close(told)
        thread.join()
        if problems:
            raise problems[0]

    def _start(
        self,
        process: ForkServerProcess,
        theirs: Connection,
        telling: int,
        given_up: threading.Event,
        problems: list[BaseException],
    ) -> None:
        """Start a process unless it was given up, close its connection here, and tell that it is over."""
        try:
            with theirs, _ONE_FORK:
                if given_up.is_set():
                    return
                with self._environment():
                    # Before signals are blocked: it unblocks them once it has started its process, and the
                    # server, which inherits the mask, would be interrupted while it loads modules.
                    resource_tracker.ensure_running()
                    with signals_blocked():
                        process.start()
        except BaseException as error:  # noqa: BLE001 # raised again in the calling thread
            problems.append(error)
        finally:
            os.close(telling)

    def load(self, modules: Iterable[str]) -> None:
        """Have it load further modules, between two forks; return at once."""
        names = [*modules]
        self._modules += tuple(f"{forkserver_preload.LEARNED}{name}" for name in names)
        pid = _server_pid()
        if pid is None:  # it will be started with them
            return
        self._to_load = Path(util.get_temp_dir(), forkserver_preload.TO_LOAD)
        self._to_load.write_text("\n".join(names), encoding="utf-8")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR2)

    def is_loading(self) -> bool:
        """Return whether it has not loaded yet what it was told to; count what it has loaded."""
        if self._to_load is not None and not self._to_load.exists():
            self._to_load = None
            self.loads += 1
        return self._to_load is not None

    def _wait(self, told: int) -> None:
        poll, deadline = select.poll(), inf
        poll.register(told, select.POLLIN)
        if self._stop:
            poll.register(self._stop, select.POLLIN)
        while told not in dict(poll.poll(_SLICE)):
            if self._stop:
                self._stop.look()
            if self._stop and self._stop.asked:
                deadline = min(deadline, time.monotonic() + self._patience)
                if time.monotonic() >= deadline:
                    end_if_stopped()
                    raise InterruptedError(errno.EINTR, "it was not started: you asked to stop")

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        """Set the variables that the fork server reads if it is started now.

        They tell it what to load, and not to search the current folder first; it removes them.
        """
        given = {
            forkserver_preload.MODULES: ",".join(self._modules),
            forkserver_preload.SOCKETS: util.get_temp_dir(),
            forkserver_preload.SAFE_PATH_BEFORE: os.environ.get(_SAFE_PATH, ""),
            _SAFE_PATH: "1",
            HASH_SEED: hash_seed(),  # a fork inherits that of its parent
        }
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _server_pid() -> int | None:
    return getattr(forkserver._forkserver, "_forkserver_pid", None)  # noqa: SLF001 # there is no public name


def end_if_stopped() -> None:
    """Kill the fork server if it is stopped (SIGSTOP): it would never answer."""
    pid = _server_pid()
    if pid is not None and process_tree.is_stopped(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _make_socket_folder() -> None:
    """Make the socket folder of ``multiprocessing`` now, below a path that is short enough.

    Raises:
        UsageError: There is no such folder.
    """
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) + _BELOW <= _LONGEST_SOCKET:
        util.get_temp_dir()
        return
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), *_SHORT_FOLDERS)
    for folder in filter(None, candidates):
        if len(os.fsencode(folder)) + _BELOW <= _LONGEST_SOCKET and os.access(
            folder, os.W_OK | os.X_OK
        ):
            tempfile.tempdir = folder
            try:
                util.get_temp_dir()
            except OSError:
                continue
            finally:
                tempfile.tempdir = usual
            return
    raise UsageError(
        f"TMPDIR={usual}: its path is too long for a socket (more than"
        f" {_LONGEST_SOCKET - _BELOW} bytes), and no other temporary folder can be written."
        " Set TMPDIR to a shorter path."
    )
