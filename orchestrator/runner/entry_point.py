"""An entry point: a Python function that is called in a fork of this process.

Where its modules are loaded already, that takes milliseconds, and next to nothing if the fork was
made ahead and stands by.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import importlib
import inspect
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, cast

from orchestrator.runner.attempt_program import NOT_CALLED, SIGNALS, redirect, signals_blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from orchestrator.runner.attempt_program import Ready
    from orchestrator.runner.output import Pipe


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A Python function ``package.module:function``, called in a fork of this process.

    It finds ``arguments`` in ``sys.argv``, gets them as a list as well if it cannot do without, and
    returns an exit code, or None. ``standby`` is the fork, if one was made ahead.
    """

    asked_as_group: ClassVar[bool] = False
    tells_its_stacks: ClassVar[bool] = True

    name: str
    arguments: tuple[str, ...]
    standby: Standby | None = field(default=None, compare=False)

    @property
    def plain(self) -> EntryPoint:
        """The same, without the fork that stands by."""
        return replace(self, standby=None)

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Have a process, in a group of its own, become the program; it holds the lock as well."""
        order = self.plain
        if self.standby is not None:
            with contextlib.suppress(ConnectionError):  # somebody has killed it
                return self.standby.order(order, environment, output, lock)
        standby = Standby(besides=(output.reading, output.writing, lock))
        try:
            return standby.order(order, environment, output, lock)
        except BaseException:
            standby.drop()
            raise

    def call(self) -> int:
        """Call the function in this process, and return its exit code."""
        sys.argv = [self.name.partition(":")[0], *self.arguments]
        function = load(self.name)
        try:
            returned = function(list(self.arguments)) if _takes_arguments(function) else function()
        finally:
            atexit._run_exitfuncs()  # noqa: SLF001 # a fork is left without them
        return returned if isinstance(returned, int) else 0


class Standby:
    """A fork of this process that waits for what it is to call; let go, it ends without a call.

    Args:
        besides: Descriptors of this process that are no business of the fork.

    Raises:
        OSError: No process could be started.
    """

    def __init__(self, besides: Iterable[int] = ()) -> None:
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
        # Here as well as in the fork: whoever comes first, the group is there when we return.
        with contextlib.suppress(OSError):
            os.setpgid(self.pid, self.pid)

    @property
    def pid(self) -> int:
        """Its process ID, and that of its group."""
        return int(self._process.pid or 0)

    def order(
        self, entry_point: EntryPoint, environment: Mapping[str, str], output: Pipe, lock: int
    ) -> Self:
        """Tell it what to call, once, with the descriptors for its output and of the lock.

        Raises:
            ConnectionError: It is not there any more.
        """
        socket.send_fds(self._socket, [b"!"], [output.writing, lock])
        self._socket.sendall(pickle.dumps((entry_point, environment)))
        return self

    def start(self) -> Self:
        """Give the word to call it."""
        with contextlib.suppress(ConnectionError), self._socket:  # whoever waits for it is told
            self._socket.sendall(b"!")
        return self

    def drop(self) -> None:
        """Let it go, and wait for its end: it makes no call, but holds the lock until then."""
        self._socket.close()
        self._process.join()

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        self._process.join()
        return int(self._process.exitcode or 0)

    def __enter__(self) -> Self:
        """Stand by."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go, if it has not been needed."""
        self._socket.close()


def _wait_for_orders(orders: socket.socket, not_ours: Iterable[int]) -> None:
    """Be the fork that waits."""
    for each in not_ours:
        os.close(each)
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    _begin_anew()
    with orders, orders.makefile("rb") as stream:
        sign, descriptors, _, _ = socket.recv_fds(orders, 1, 2)
        if not sign:
            sys.exit(NOT_CALLED)
        try:
            order = pickle.load(stream)  # noqa: S301 # from our own parent
        except EOFError:
            sys.exit(NOT_CALLED)
        entry_point, environment = cast("tuple[EntryPoint, Mapping[str, str]]", order)
        _become_a_program(environment, *descriptors)
        if not stream.read(1):
            sys.exit(NOT_CALLED)
    sys.exit(entry_point.call())


def _begin_anew() -> None:
    """Be like a process that has just been started, as far as a fork can tell the difference.

    What nobody seeds draws other numbers in each run; Python's own generator sees to that itself.
    """
    find_modules_of_the_project()  # also what is imported late, or by a process below
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()  # those of GPUs are not there yet
    multiprocessing.set_start_method(None, force=True)
    # It would share the orchestrator's folder for sockets, which goes when that ends.
    multiprocessing.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined] # noqa: SLF001
    atexit._clear()  # noqa: SLF001 # what is done at the end is what the run asks for
    atexit.register(logging.shutdown)


def _become_a_program(environment: Mapping[str, str], output: int, lock: int) -> None:
    """Take on the output, the environment and the signals that a program finds when it is started."""
    redirect(output)
    os.close(output)
    os.set_inheritable(lock, False)
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    os.environ.clear()
    os.environ.update(environment)
    os.environ["ORCH_LOCK_FD"] = str(lock)  # it has a number of its own here
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    torch, threads = sys.modules.get("torch"), os.environ.get("OMP_NUM_THREADS", "")
    if torch and threads:
        with contextlib.suppress(ValueError, RuntimeError):
            # It read the variable when it was loaded.
            torch.set_num_threads(int(threads.partition(",")[0]))


def find_modules_of_the_project() -> None:
    """Let a config name modules of the current folder; what is installed goes before."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def load(entry_point: str) -> Callable[..., object]:
    """Import the function that ``package.module:function`` names.

    Raises:
        ImportError: There is no such module.
        AttributeError: There is no such function in it.
    """
    module, _, function = entry_point.partition(":")
    try:
        loaded: Callable[..., object] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        if hidden := hidden_file(module):
            raise type(error)(f"{error}: {hidden}") from error
        raise
    return loaded


def hidden_file(module: str) -> str:
    """Say which file of the current folder is hidden by an installed module; nothing where none is."""
    package = module.partition(".")[0]
    meant = [
        path for path in (Path(f"{package}.py"), Path(package, "__init__.py")) if path.is_file()
    ]
    found = sys.modules.get(package)
    place = getattr(found, "__file__", None) or "built into Python"
    if not meant or found is None or Path(place).resolve() == meant[0].resolve():
        return ""
    return f"it is {place}, and hides {meant[0].resolve()}. Rename that file"


def _takes_arguments(function: Callable[..., object]) -> bool:
    """Tell whether a function needs the list of arguments; the others look at sys.argv."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):  # built-in functions may not tell
        return True
    return False
