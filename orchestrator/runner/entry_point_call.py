"""An entry point: a Python function that is called in a fork of this process.

If its modules are already loaded, that takes milliseconds, and less if a fork is standing by.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self, cast

from orchestrator.runner import learned_modules
from orchestrator.runner.attempt_program import (
    NOT_CALLED,
    STOP_SIGNAL,
    redirect,
    reset_signals,
    signals_blocked,
)
from orchestrator.runner.entry_function import (
    act_as_script,
    is_hydra_app,
    load,
    takes_arguments,
    tell_end,
)
from orchestrator.runner.incoming_signals import take_pending
from orchestrator.runner.new_imports import NOTHING_NEW
from orchestrator.runner.project_files import ImportedFiles
from orchestrator.runner.project_import_path import find_modules_of_the_project
from orchestrator.runner.told_end import EndTeller, hear_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.runner.attempt_program import Ready
    from orchestrator.runner.output import Pipe


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A Python function ``package.module:function``, called in a fork of this process.

    ``arguments`` are put into ``sys.argv``, and passed as a list if the function requires a
    parameter. It returns an exit code, or None for 0. ``standby`` is the fork, if one stands by.
    ``metric_patterns`` find metrics in its output.
    With ``leaves_results`` exit code 0 means done only where the run left ``results.json``.
    """

    asked_as_group: ClassVar[bool] = False
    tells_its_stacks: ClassVar[bool] = True

    name: str
    arguments: tuple[str, ...]
    standby: Standby | None = field(default=None, compare=False)
    leaves_results: bool = False
    metric_patterns: tuple[str, ...] = ()

    @property
    def plain(self) -> EntryPoint:
        """The same entry point without the standby fork."""
        return replace(self, standby=None)

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Have a fork in its own process group become the program; it holds the lock, too."""
        order = self.plain
        if self.standby is not None:
            try:
                return self.standby.order(order, environment, output, lock)
            except ConnectionError:  # somebody has killed it
                self.standby.drop()  # reaped: a keeper would take it for the program
        standby = Standby(besides=(output.reading, output.writing, lock))
        try:
            return standby.order(order, environment, output, lock)
        except BaseException:
            standby.drop()
            raise

    def call(self, tell: Callable[[str], object] = lambda _: None) -> int:
        """Call the function in this process; return its exit code.

        ``tell`` gets what was printed of its error, before the exit functions: these may end the process.
        """
        sys.argv = [self.name.partition(":")[0], *self.arguments]
        files = ImportedFiles(os.environ)
        try:
            function = load(self.name)
            is_app = is_hydra_app(function)
            if is_app:
                act_as_script(function)
            takes = not is_app and takes_arguments(function)
            returned = function(list(self.arguments)) if takes else function()
        except BaseException as error:  # noqa: BLE001 # whatever it raises
            code, told = tell_end(error)
            tell(told)
            return code
        finally:
            files.record()
            atexit._run_exitfuncs()  # noqa: SLF001 # forks skip them
        return returned if isinstance(returned, int) else 0


class Standby:
    """A fork of this process that waits for an entry point; it ends when it is released.

    ``found`` is what the program had imported when it ended, and ``error`` what it printed of the error that
    ended it; nothing if it did not tell.

    Args:
        besides: Descriptors of this process that the fork closes.

    Raises:
        OSError: No process could be started.
    """

    def __init__(self, besides: Iterable[int] = ()) -> None:
        self._is_ordered = self._is_started = False
        self.found, self.error = NOTHING_NEW, ""
        self._socket, theirs = socket.socketpair()
        not_theirs = (self._socket.fileno(), *besides)
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_wait_for_orders, args=(theirs, not_theirs))
        try:
            with theirs, signals_blocked():
                self._process.start()
        except BaseException:
            self._socket.close()
            raise
        # Here as well as in the fork, so that the group exists in both.
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    @property
    def pid(self) -> int:
        """Its process ID, and that of its group."""
        return int(self._process.pid or 0)

    def order(
        self, entry_point: EntryPoint, environment: Mapping[str, str], output: Pipe, lock: int
    ) -> Self:
        """Send it the entry point, with the descriptors of its output and the lock; at most once.

        Raises:
            ConnectionError: It no longer exists.
        """
        self._is_ordered = True
        socket.send_fds(self._socket, [b"!"], [output.writing, lock])
        self._socket.sendall(pickle.dumps((entry_point, environment)))
        return self

    def start(self) -> Self:
        """Have it call the entry point."""
        self._is_started = True
        with contextlib.suppress(ConnectionError):  # ``wait`` returns its exit code
            self._socket.sendall(b"!")
        return self

    def drop(self) -> None:
        """Release it without starting, and wait for its end: it holds the lock until then."""
        self._socket.close()
        self._process.join()

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        self._process.join()
        if self._is_started:
            with self._socket:
                self.error, self.found = hear_end(self._socket)
        return int(self._process.exitcode or 0)

    def __enter__(self) -> Self:
        """Return the fork."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the fork if it was not used: nothing else waits until it is gone."""
        self._socket.close()
        if not self._is_ordered:
            self._process.kill()
            self._process.join()


def _wait_for_orders(orders: socket.socket, not_ours: Iterable[int]) -> None:
    """Run in the fork: wait for the entry point, and call it."""
    for each in not_ours:
        os.close(each)
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    _reset_process_state()
    with orders, orders.makefile("rb") as stream:
        sign, descriptors, _, _ = socket.recv_fds(orders, 1, 2)
        if not sign:
            sys.exit(NOT_CALLED)
        for number, sender in take_pending():
            # Others cannot have meant the program when they sent it to a fork that stood by.
            if sender == os.getppid():
                os.kill(os.getpid(), number)
        try:
            order = pickle.load(stream)  # noqa: S301 # from our own parent
        except EOFError:
            sys.exit(NOT_CALLED)
        entry_point, environment = cast("tuple[EntryPoint, Mapping[str, str]]", order)
        _become_a_program(environment, *descriptors)
        if not stream.read(1):
            sys.exit(NOT_CALLED)
        end = EndTeller(orders)
        try:
            sys.exit(entry_point.call(end.tell_error))
        finally:
            end.tell_imports()


def _reset_process_state() -> None:
    """Reset the state that a fork inherits, as if this process had just been started.

    Generators that nobody seeds draw different numbers in each run; Python reseeds its own.
    """
    find_modules_of_the_project()  # for late imports, and for child processes
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()  # those of GPUs do not exist yet
    multiprocessing.set_start_method(None, force=True)
    # Otherwise it would share the socket folder of orch, which is removed when that ends.
    multiprocessing.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined] # noqa: SLF001
    atexit._clear()  # noqa: SLF001 # only what the run registers is called at its end
    atexit.register(logging.shutdown)
    learned_modules.register_at_exit()


def _become_a_program(environment: Mapping[str, str], output: int, lock: int) -> None:
    """Set the output, the environment and the signals as for a newly started program."""
    redirect(output)
    os.close(output)
    os.set_inheritable(lock, False)
    if environment.get(STOP_SIGNAL) != signal.SIGUSR1.name:
        faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    os.environ.clear()
    os.environ.update({**learned_modules.variables(), **environment})
    os.environ["ORCH_LOCK_FD"] = str(lock)  # the number differs in this process
    reset_signals()
    torch, threads = sys.modules.get("torch"), os.environ.get("OMP_NUM_THREADS", "")
    if torch and threads:
        with contextlib.suppress(ValueError, RuntimeError):
            # PyTorch read the variable when it was loaded.
            torch.set_num_threads(int(threads.partition(",")[0]))
