"""The program of an attempt: what the runner starts, and what it has to know to end it."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import importlib
import inspect
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestrator.capture import Pipe

# What a runner handles itself, and a program must find as the system has it.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class Started(Protocol):
    """A program that was started, the leader of its own process group."""

    @property
    def pid(self) -> int:
        """Its process ID, and that of its group."""

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""


class Program(Protocol):
    """Something that carries out a run, in a process of its own."""

    # Whether a request to stop goes to its whole process group: a shell would sit on it, but a
    # trainer wants its loader workers to live until the iteration is over.
    asked_as_group: ClassVar[bool]
    # Whether it writes the stacks of its threads to its output when it gets SIGUSR1.
    tells_its_stacks: ClassVar[bool]

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def start(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Started:
        """Start it; it and what it starts keep the descriptor ``lock`` open.

        Args:
            environment: Its whole environment.
            output: What its stdout and stderr are written to.
            lock: The descriptor that is locked for as long as any of its processes lives.

        Raises:
            OSError: It cannot be started.
        """


@dataclass(frozen=True, slots=True)
class Command:
    """Any program, with its arguments."""

    asked_as_group: ClassVar[bool] = True
    tells_its_stacks: ClassVar[bool] = False

    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The program's file."""
        return self.arguments[0]

    def start(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Started:
        """Start the program in a new session."""
        return subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output.writing,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(lock,),
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A Python function ``package.module:function``, called in a fork of this process.

    It finds ``arguments`` in ``sys.argv``, gets them as a list as well if it cannot do without, and
    returns an exit code, or None. Where its modules are loaded already, starting it takes milliseconds.
    """

    asked_as_group: ClassVar[bool] = False
    tells_its_stacks: ClassVar[bool] = True

    name: str
    arguments: tuple[str, ...]

    def start(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Started:
        """Fork, and call the function in a new session; the fork inherits the lock."""
        del lock
        context = multiprocessing.get_context("fork")
        process = context.Process(target=self._call, args=(environment, output))
        with signals_blocked():
            process.start()
            forked = _Forked(process)
            # Here as well as in the fork: whoever comes first, the group is there when we return.
            with contextlib.suppress(OSError):
                os.setpgid(forked.pid, forked.pid)
        return forked

    def _call(self, environment: Mapping[str, str], output: Pipe) -> None:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        redirect(output.writing)
        output.close_reading()
        output.close_writing()
        faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
        os.environ.clear()
        os.environ.update(environment)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        sys.argv = [self.name.partition(":")[0], *self.arguments]
        _begin_anew()
        function = load(self.name)
        try:
            returned = function(list(self.arguments)) if _takes_arguments(function) else function()
        finally:
            atexit._run_exitfuncs()  # noqa: SLF001 # a fork is left without them
        sys.exit(returned if isinstance(returned, int) else 0)


class _Forked:
    """A fork, seen from the process that made it."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return int(self._process.pid or 0)

    def wait(self) -> int:
        self._process.join()
        return int(self._process.exitcode or 0)


def find_modules_of_the_project() -> None:
    """Let a config name modules of the current folder; what is installed goes before."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)


def _begin_anew() -> None:
    """Be like a process that has just been started, as far as a fork can tell the difference.

    What nobody seeds draws other numbers in each run; Python's own generator sees to that itself.
    """
    find_modules_of_the_project()  # also what is imported late, or by a process below
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()  # those of GPUs are not there yet
        if threads := os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]:
            with contextlib.suppress(ValueError, RuntimeError):
                torch.set_num_threads(int(threads))  # it read the variable when it was loaded
    multiprocessing.set_start_method(None, force=True)
    atexit._clear()  # noqa: SLF001 # what is done at the end is what the run asks for
    atexit.register(logging.shutdown)


def load(entry_point: str) -> Callable[..., object]:
    """Import the function that ``package.module:function`` names."""
    module, _, function = entry_point.partition(":")
    loaded: Callable[..., object] = getattr(importlib.import_module(module), function)
    return loaded


def _takes_arguments(function: Callable[..., object]) -> bool:
    """Tell whether a function needs the list of arguments; the others look at sys.argv."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):  # built-in functions may not tell
        return True
    return False


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold signals back while a process is made, which begins with them held back, too.

    It lets them in when its handlers stand, so no request to stop is lost on the way.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def redirect(output: int) -> None:
    """Let this process read nothing, and write to a descriptor; Python's streams follow."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
