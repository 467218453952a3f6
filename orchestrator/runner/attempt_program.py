"""The program of an attempt: how the runner starts it, how it is asked to stop, and how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.runner.output import Pipe

# The signals that a runner takes; a program gets their default handlers.
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
HASH_SEED: Final = "PYTHONHASHSEED"
STOP_SIGNAL: Final = "ORCH_STOP_SIGNAL"  # the name of the signal that asks the program to stop


def hash_seed() -> str:
    """Return the hash seed of all runs, which decides the order of sets: the user's, or 0."""
    given = os.environ.get(HASH_SEED, "")
    return "0" if given in ("", "random") else given


# The exit code of a standby process that was released: no program has run.
NOT_CALLED: Final = 213


class Cut(Enum):
    """Why the supervisor ended a program."""

    ASKED = "asked"
    OWN = "own"  # it was asked by one of the program's own processes
    UNKNOWN = "unknown"  # it was asked by a process that is gone, which may have been its own
    TIMEOUT = "timeout"
    NO_PROGRESS = "no-progress"
    LOST = "lost"  # its run directory was removed, or replaced by another one
    UNLOCKED = "unlocked"  # the file system has lost its lock


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended: its exit code, negative for a signal, and why it was cut, if it was.

    ``gpu_memory`` is the most that was seen of it, in bytes. ``memory_ran_out``: the kernel has killed
    for memory shortly before. ``has_raised``: it is a function that has told its error, whatever its exit code.
    """

    exit_code: int
    cut: Cut | None
    gpu_memory: int | None = None
    memory_ran_out: bool = False
    has_raised: bool = False


class StartedProgram(Protocol):
    """A started program, the leader of its own process group."""

    @property
    def pid(self) -> int:
        """Its process ID, and that of its group."""

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""


class Ready(Protocol):
    """A program that is ready to start."""

    def start(self) -> StartedProgram:
        """Start it.

        Raises:
            OSError: It cannot be started.
        """

    def drop(self) -> None:
        """Release what was prepared; the program is not started."""


class Program(Protocol):
    """A program that carries out a run in its own process."""

    # Whether a request to stop goes to its whole process group: a shell does not pass signals on,
    # but a trainer needs its loader workers until the iteration is over.
    asked_as_group: ClassVar[bool]
    # Whether it writes the stacks of its threads to its output when it gets SIGUSR1.
    tells_its_stacks: ClassVar[bool]

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Its arguments, with those of this run in place of placeholders."""

    @property
    def leaves_results(self) -> bool:
        """Whether it is done only if it left ``results.json``, whatever its exit code."""

    @property
    def metric_patterns(self) -> tuple[str, ...]:
        """The patterns that find metrics in its output."""

    @property
    def plain(self) -> Program:
        """The same program without the state of this process, so that it can be pickled."""

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Prepare it to start; it and its child processes keep the descriptor ``lock`` open.

        Args:
            environment: Its complete environment.
            output: The pipe for its stdout and stderr.
            lock: The descriptor that stays locked while any of its processes lives.

        Raises:
            OSError: No process could be started.
        """


@dataclass(frozen=True, slots=True)
class Command:
    """A command line: any executable with its arguments."""

    asked_as_group: ClassVar[bool] = True
    tells_its_stacks: ClassVar[bool] = False
    leaves_results: ClassVar[bool] = False

    arguments: tuple[str, ...]
    metric_patterns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The executable."""
        return self.arguments[0]

    @property
    def plain(self) -> Command:
        """The command itself."""
        return self

    def prepare(self, environment: Mapping[str, str], output: Pipe, lock: int) -> Ready:
        """Store the arguments of the start."""
        return _ReadyCommand(self.arguments, environment, output, lock)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A program whose runner is gone; this process is its parent now."""

    pid: int

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative for a signal."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@dataclass(frozen=True, slots=True)
class _ReadyCommand:
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    output: Pipe
    lock: int

    def start(self) -> StartedProgram:
        """Start it in a new session."""
        return subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=self.output.writing,
            stderr=subprocess.STDOUT,
            env=self.environment,
            pass_fds=(self.lock,),
            start_new_session=True,
            # Nothing else unblocks them; a runner has one thread, so the fork is safe.
            preexec_fn=reset_signals,  # noqa: PLW1509
        )

    def drop(self) -> None:
        """Do nothing: no process was started."""


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block signals while a process is started; it inherits the mask.

    The child unblocks them once its handlers are installed, so that no request to stop is lost.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def reset_signals() -> None:
    """Set the default handlers of ``SIGNALS``, and unblock them, as a program expects."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def redirect(output: int) -> None:
    """Redirect stdin from ``/dev/null``, and stdout and stderr to a descriptor."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
        for number in (1, 2)
    )
